"""The data step's second answer by keys: what is held out, and what a dataset of one's own asks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

from textual.pilot import Pilot

from ftui.data.dataset import Groups, read_files
from ftui.plan.flags import plan_from_flags
from ftui.plan.plan import start
from ftui.plan.steps import step
from ftui.tui.app import FtuiApp, Wizard
from ftui.tui.widgets.fields import Line
from tests.ui.conftest import LIMIT, screen_text, shows, until, words_of
from tests.ui.stage import Stage, StageApp, preset, world
from tests.ui.test_data_screen import look
from tests.ui.test_wizard import go_to, plan_of, wizard

DATA, METHOD = step("data").question, step("method").question
ASK = "Rows for the eval loss"
"""What the field says about itself while it has the keys."""


def alpaca(file: Path, count: int, more: str = "") -> Path:
    """A file of rows that differ from those of another name."""
    rows = (json.dumps({"instruction": f"{file.name} {n}", "output": "b"}) for n in range(count))
    file.write_text("\n".join(rows) + "\n" + more)
    return file


@asynccontextmanager
async def field(
    tmp_path: Path, *typed: str, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[Pilot[Any]]:
    """The data step with a path typed into it, if any, and the keys in the empty field below."""
    async with wizard(tmp_path, size) as pilot:
        await go_to(pilot, "data")
        await pilot.press("end", "down", *typed, "down")
        await shows(pilot, ASK)
        await pilot.press(*["backspace"] * len("none"))
        yield pilot


async def test_rows_and_what_is_held_out_are_taken_with_one_enter(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    rows, held = alpaca(tmp_path / "d.jsonl", 40), alpaca(tmp_path / "held.jsonl", 4)
    async with field(tmp_path, *str(rows), size=size) as pilot:
        await pilot.press(*str(held), "enter")
        await shows(pilot, METHOD)
        assert plan_of(pilot).get("datasets.0.path") == str(rows)
        assert plan_of(pilot).get("test_datasets.0.path") == str(held)
        assert plan_of(pilot).get("test_datasets.0.type") == "alpaca"
        await pilot.press("escape")
        await shows(pilot, DATA, "Held out")
        assert pilot.app.screen.query_one("#field-held_out", Line).value == str(held)


async def test_a_share_goes_with_the_highlighted_dataset(tmp_path: Path) -> None:
    async with field(tmp_path) as pilot:
        await pilot.press(*"5 %", "enter")
        await shows(pilot, METHOD)
        assert plan_of(pilot).get("datasets.0.path") == "acme/questions"
        assert plan_of(pilot).get("val_set_size") == 0.05
        assert plan_of(pilot).get("evals_per_epoch") == 4


async def test_a_wrong_share_is_told_while_it_is_typed(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with field(tmp_path, size=size) as pilot:
        await pilot.press(*"120 %")
        await shows(pilot, "✗ Held out: a share is below 100 %")
        await pilot.press("enter")
        await shows(pilot, DATA, "→ A share (5 %), a number of rows")
        assert plan_of(pilot).get("val_set_size") is None, "a wrong value goes nowhere"
        await pilot.press(*["backspace"] * 5, *"10 %", "enter")
        await shows(pilot, METHOD)
        assert plan_of(pilot).get("val_set_size") == 0.1


async def test_a_file_is_not_said_to_be_missing_while_its_name_is_typed(tmp_path: Path) -> None:
    async with field(tmp_path) as pilot:
        await pilot.press(*"/no/such.jsonl")
        assert "✗" not in await shows(pilot, "/no/such.jsonl")
        await pilot.press("enter")
        await shows(pilot, "✗ /no/such.jsonl: there is no such file")


async def test_a_file_of_another_type_is_told_and_the_field_keeps_the_keys(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    rows, held = alpaca(tmp_path / "d.jsonl", 40), tmp_path / "held.jsonl"
    held.write_text('{"text": "a"}\n' * 4)
    async with field(tmp_path, *str(rows), size=size) as pilot:
        await pilot.press(*str(held), "enter")
        await shows(pilot, DATA, "✗", ASK)
        assert "these rows are completion" in words_of(pilot.app, "#problem")
        assert plan_of(pilot).get("datasets.0.path") == "acme/questions", "neither was taken"


async def test_reading_the_file_can_be_stopped(tmp_path: Path) -> None:
    held, reading, ended = alpaca(tmp_path / "held.jsonl", 4), Event(), Event()

    def endless(source: str) -> Groups:
        try:
            while source == str(held):
                reading.set()
                yield from read_files(source)
        finally:
            ended.set()

    rows = preset("large-qlora")
    services = Stage(tmp_path).services(survey=lambda: replace(world(), read=endless))
    app = FtuiApp(Wizard(start(rows)), services=services)
    async with app.run_test(size=(120, 40)) as pilot:
        await go_to(pilot, "data")
        await pilot.press("tab", "tab")
        await shows(pilot, ASK)
        await pilot.press(*["backspace"] * 4, *str(held), "enter")
        await shows(pilot, "reading …", "esc stops it")
        assert reading.wait(LIMIT)
        await pilot.press("escape")
        await until(pilot, lambda: "reading …" not in screen_text(app))
        await until(pilot, ended.is_set)
        assert plan_of(pilot).get("test_datasets") is None
        await shows(pilot, DATA, "held.jsonl")


async def test_another_dataset_shows_at_once_what_becomes_of_the_file(tmp_path: Path) -> None:
    rows, held = alpaca(tmp_path / "d.jsonl", 40), alpaca(tmp_path / "held.jsonl", 4)
    async with field(tmp_path, *str(rows)) as pilot:
        await pilot.press(*str(held), "enter")
        await shows(pilot, METHOD)
        await pilot.press("escape")
        await shows(pilot, DATA)
        line = pilot.app.screen.query_one("#field-held_out", Line)
        await until(pilot, lambda: line.value == str(held))
        await pilot.press("end", "down", *str(alpaca(tmp_path / "other.jsonl", 40)))
        await until(pilot, lambda: line.value == "none")
        await pilot.press("up")
        await until(pilot, lambda: line.value == str(held))
        await pilot.press("down", "enter")
        await shows(pilot, METHOD)
        assert plan_of(pilot).get("test_datasets") is None


async def test_rows_that_are_refused_from_the_field_are_seen_with_the_keys_it_names(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    rows = alpaca(tmp_path / "d.jsonl", 30, "{broken\n" * 3)
    services = Stage(tmp_path).services(look=look)
    async with StageApp(Wizard(), services).run_test(size=size) as pilot:
        await go_to(pilot, "data")
        await pilot.press("end", "down", *str(rows), "down")
        await shows(pilot, ASK)
        await pilot.press("enter")
        await shows(pilot, "✗", "↑, then v, shows all that was found")
        assert f"{rows}:31" in words_of(pilot.app, "#problem")
        await pilot.press("up", "v")
        await shows(pilot, "what the model will see")
        await pilot.press(*(["tab"] if size[0] == 80 else []))
        await shows(pilot, "Rows of d.jsonl", "33 read")


async def test_where_rows_are_read_as_they_come_there_is_no_field(tmp_path: Path) -> None:
    plan = start(preset("small-lora")).with_settings(pretraining_dataset="a/b", datasets=None)
    app = FtuiApp(Wizard(plan), services=Stage(tmp_path).services())
    async with app.run_test(size=(120, 40)) as pilot:
        await go_to(pilot, "data")
        assert "Held out" not in await shows(pilot, "Or type it")


async def test_a_dataset_of_the_command_line_is_asked_about_in_the_wizard(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    rows = tmp_path / "odd.jsonl"
    lines = (
        json.dumps({"subject": f"No sound {n}", "reply_text": "Turn it on."}) for n in range(9)
    )
    rows.write_text("\n".join(lines))
    preset("small-lora")
    plan = plan_from_flags(
        world(), preset="small-lora", config=None, data=str(rows), held_out="5 %", ask=True
    )
    app = FtuiApp(Wizard(plan), services=Stage(tmp_path).services())
    async with app.run_test(size=size) as pilot:
        await shows(pilot, "ftui · odd.jsonl", "Which column is the question?")
        await pilot.press("enter")
        await shows(pilot, "Which column is the answer to learn?")
        await pilot.press("enter")
        await shows(pilot, METHOD)
        assert plan_of(pilot).get("datasets.0.path") == str(rows)
        assert plan_of(pilot).get("datasets.0.type.field_output") == "reply_text"
        assert plan_of(pilot).get("val_set_size") == 0.05


async def test_who_would_not_say_it_yet_finds_the_path_in_the_data_step(tmp_path: Path) -> None:
    rows = tmp_path / "odd.jsonl"
    rows.write_text(json.dumps({"subject": "No sound", "reply_text": "Turn it on."}))
    preset("small-lora")
    plan = plan_from_flags(world(), preset="small-lora", config=None, data=str(rows), ask=True)
    app = FtuiApp(Wizard(plan), services=Stage(tmp_path).services())
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "Which column is the question?")
        await pilot.press("escape")
        await shows(pilot, DATA)
        assert pilot.app.screen.query_one("#text", Line).value == str(rows)
        assert plan_of(pilot).get("datasets.0.path") == "acme/questions"
        await pilot.press("enter")
        await shows(pilot, "Which column is the question?")
