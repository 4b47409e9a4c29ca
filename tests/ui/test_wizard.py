"""The wizard by keys: what is shown is what is chosen, and no answer is ever lost."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from textual.pilot import Pilot

from ftui.data.dataset import Groups, read_files
from ftui.errors import ExitCode
from ftui.plan.plan import Plan
from ftui.plan.steps import STEPS
from ftui.tui.app import FtuiApp, Wizard
from ftui.tui.screens.review import ReviewScreen
from ftui.tui.screens.wizard import WizardScreen
from ftui.tui.widgets.fields import Line
from ftui.tui.widgets.options import Options
from tests.ui.conftest import LIMIT, screen_text, shows, until
from tests.ui.stage import Stage, world

QUESTIONS = [step.question for step in STEPS]


@asynccontextmanager
async def wizard(tmp_path: Path, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Pilot[Any]]:
    """The wizard at its first question."""
    app = FtuiApp(Wizard(), services=Stage(tmp_path).services())
    async with app.run_test(size=size) as pilot:
        await shows(pilot, QUESTIONS[0], "small-lora")
        yield pilot


def plan_of(pilot: Pilot[Any]) -> Plan:
    """The answers so far."""
    screen = next(each for each in pilot.app.screen_stack if isinstance(each, WizardScreen))
    return screen.plan


async def go_to(pilot: Pilot[Any], step: str) -> None:
    """Press enter until the step of that id is on the screen."""
    for each in STEPS:
        await shows(pilot, each.question)
        if each.id == step:
            return
        await pilot.press("enter")


async def test_enter_alone_leads_from_the_preset_to_a_review_without_errors(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with wizard(tmp_path, size) as pilot:
        start = plan_of(pilot)
        for step in STEPS:
            text = await shows(pilot, step.question)
            assert f"▸ {step.title}" in text, "the rail shows where one is"
            assert "enter choose" in text, "the main action is in sight"
            await pilot.press("enter")
        text = await shows(pilot, "ftui · review", "✓ no errors")
        assert "enter launch" in text
        assert plan_of(pilot) == start, "taking every default changes nothing"


async def test_the_first_screen_at_each_size(tmp_path: Path, size: tuple[int, int]) -> None:
    async with wizard(tmp_path, size) as pilot:
        lines = screen_text(pilot.app).splitlines()
        assert len(lines) == size[1]
        assert max(map(len, lines)) <= size[0]
        text = "\n".join(lines)
        assert "This machine · 2 cores · 24 GiB · no GPU" in text
        assert re.search(r"▸ ● small-lora +no GPU", text)
        assert "  ◌ large-qlora" in text
        if size[0] == 80:
            assert "▸ Start  ◌ Model  ◌ Data  ◌ Method  ◌ Hardware  ◌ Review" in text
        else:
            assert "For tests." in " ".join(text.replace("│", " ").split())
            assert "◌ Model    Qwen3 0.6B" in text


async def test_a_warning_is_told_in_words_beside_its_option(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with wizard(tmp_path, size) as pilot:
        assert "▲" in screen_text(pilot.app)
        await pilot.press("down")
        text = await shows(pilot, "▸ ◌ large-qlora")
        assert "▲ needs a GPU" in text


@pytest.mark.parametrize(
    "step", [step for step in STEPS if step.id != "preset"], ids=lambda s: s.id
)
async def test_each_row_is_what_it_says(tmp_path: Path, step: Any) -> None:
    """Choosing the row that shows an option's label gives that option's value, for each row."""
    here = world()
    async with wizard(tmp_path) as pilot:
        await go_to(pilot, step.id)
        for option in step.options(plan_of(pilot), here):
            here_now = step.options(plan_of(pilot), here)
            await point_at(pilot, option.label, [each.label for each in here_now])
            wanted = step.apply(plan_of(pilot), option.value, here)
            await pilot.press("enter")
            await pilot.pause()
            assert step.current(plan_of(pilot)) == option.value
            assert plan_of(pilot) == wanted
            await pilot.press("escape")
            await shows(pilot, step.question)


async def point_at(pilot: Pilot[Any], label: str, labels: list[str]) -> None:
    """Move with the keys to the row that should show `label`, and see that it does."""
    await pilot.press("home", *["j"] * labels.index(label))
    await until(
        pilot,
        lambda: bool(re.search(rf"▸ [●◌] {re.escape(label)}( |\n|$)", screen_text(pilot.app))),
    )


async def test_choosing_a_preset_row_starts_from_that_preset(tmp_path: Path) -> None:
    async with wizard(tmp_path) as pilot:
        await point_at(pilot, "large-qlora", ["small-lora", "large-qlora"])
        await pilot.press("enter")
        await shows(pilot, QUESTIONS[1])
        assert plan_of(pilot).preset.name == "large-qlora"


async def test_going_back_keeps_every_answer(tmp_path: Path) -> None:
    async with wizard(tmp_path) as pilot:
        await go_to(pilot, "method")
        await pilot.press("j", "enter")
        await shows(pilot, QUESTIONS[4])
        answered = plan_of(pilot)
        assert answered.get("adapter") == "qlora"
        for question in reversed(QUESTIONS[:4]):
            await pilot.press("escape")
            await shows(pilot, question)
        for _ in STEPS:
            await pilot.press("enter")
            await pilot.pause()
        await shows(pilot, "ftui · review", "load_in_4bit: true")
        assert plan_of(pilot) == answered
        await pilot.press("escape")
        await shows(pilot, QUESTIONS[4])


async def test_j_and_k_move_and_stop_at_the_ends(tmp_path: Path) -> None:
    async with wizard(tmp_path) as pilot:
        await pilot.press("k")
        await shows(pilot, "▸ ● small-lora")
        await pilot.press("j", "j", "j")
        await shows(pilot, "▸ ◌ large-qlora")


async def test_the_filter_narrows_and_enter_takes_what_is_left(tmp_path: Path) -> None:
    async with wizard(tmp_path) as pilot:
        await pilot.press("slash", *"4 bits")
        text = await shows(pilot, "▸ ◌ large-qlora")
        assert "● small-lora" not in text
        await pilot.press("enter")
        await shows(pilot, QUESTIONS[1])
        assert plan_of(pilot).preset.name == "large-qlora"


async def test_esc_closes_the_filter_before_it_goes_back(tmp_path: Path) -> None:
    async with wizard(tmp_path) as pilot:
        await pilot.press("enter")
        await shows(pilot, QUESTIONS[1])
        await pilot.press("slash", *"zzz")
        await shows(pilot, "nothing contains zzz")
        await pilot.press("enter", "escape")
        await until(pilot, lambda: pilot.app.screen.query_one(Options).option_count > 1)
        await shows(pilot, QUESTIONS[1])


async def test_fields_change_the_plan_and_are_checked_as_they_are_typed(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with wizard(tmp_path, size) as pilot:
        await go_to(pilot, "method")
        await shows(pilot, "Rank             16", "Micro-batch")
        await pilot.press("tab")
        await pilot.press("backspace", "backspace", *"many")
        await shows(pilot, "✗ Rank is a whole number")
        await pilot.press("enter")
        await shows(pilot, QUESTIONS[3])
        assert plan_of(pilot).get("lora_r") == 16, "a wrong value goes nowhere"
        await pilot.press(*["backspace"] * 4, *"64", "enter")
        await shows(pilot, QUESTIONS[4])
        assert plan_of(pilot).get("lora_r") == 64


async def test_fields_that_an_option_has_no_use_for_are_hidden(tmp_path: Path) -> None:
    async with wizard(tmp_path) as pilot:
        await go_to(pilot, "method")
        await shows(pilot, "Rank  ")
        await pilot.press("end")
        await until(pilot, lambda: "Rank  " not in screen_text(pilot.app))
        assert "Learning rate" in screen_text(pilot.app)


async def test_a_typed_dataset_is_read_and_a_wrong_one_is_explained(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    rows = tmp_path / "d.jsonl"
    rows.write_text('{"instruction": "add 1 and 1", "output": "2"}\n' * 20)
    async with wizard(tmp_path, size) as pilot:
        await go_to(pilot, "data")
        await pilot.press("end", "down")
        await pilot.press(*"/no/such.jsonl", "enter")
        await shows(pilot, "✗", "/no/such.jsonl")
        assert plan_of(pilot).get("datasets.0.path") == "acme/questions"
        await pilot.press("home", "shift+end", "backspace", *str(rows), "enter")
        await shows(pilot, QUESTIONS[3])
        assert plan_of(pilot).get("datasets.0.path") == str(rows)
        assert plan_of(pilot).get("datasets.0.type") == "alpaca"


async def test_reading_a_long_dataset_can_be_stopped(tmp_path: Path) -> None:
    reading, enough, ended = Event(), Event(), Event()

    def endless(source: str) -> Groups:
        try:
            reading.set()
            enough.wait(LIMIT)
            while True:
                yield from read_files(source)
        finally:
            ended.set()

    rows = tmp_path / "d.jsonl"
    rows.write_text('{"instruction": "add 1 and 1", "output": "2"}\n')
    services = Stage(tmp_path).services(survey=lambda: replace(world(), read=endless))
    app = FtuiApp(Wizard(), services=services)
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, QUESTIONS[0], "small-lora")
        await go_to(pilot, "data")
        await pilot.press("end", "down", *str(rows), "enter")
        await shows(pilot, "reading …", "esc stops it")
        assert reading.wait(LIMIT)
        await pilot.press("escape")
        await until(pilot, lambda: "reading …" not in screen_text(app))
        enough.set()
        await until(pilot, ended.is_set)
        assert plan_of(pilot).get("datasets.0.path") == "acme/questions"


async def test_leaving_asks_only_when_something_was_changed(tmp_path: Path) -> None:
    async with wizard(tmp_path) as pilot:
        await pilot.press("j", "enter", "escape")
        await shows(pilot, QUESTIONS[0])
        await pilot.press("escape")
        await shows(pilot, "Leave the wizard?")
        await pilot.press("escape")
        await shows(pilot, QUESTIONS[0])
        assert pilot.app.is_running
    async with wizard(tmp_path) as pilot:
        await pilot.press("escape")
    assert pilot.app.return_value is ExitCode.OK, "nothing to lose, nothing to ask"


async def test_e_goes_to_the_review_and_opens_the_editor(tmp_path: Path) -> None:
    opened: list[str] = []

    def editor(app: Any, path: Path) -> None:
        opened.append(path.read_text())

    app = FtuiApp(Wizard(), services=Stage(tmp_path).services(edit=editor))
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, QUESTIONS[0], "small-lora")
        await pilot.press("e")
        await until(pilot, lambda: bool(opened))
        assert isinstance(app.screen, ReviewScreen)
        assert "base_model: Qwen/Qwen3-0.6B" in opened[0]


async def test_a_path_is_completed_from_the_files_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "questions.jsonl").write_text('{"text": "hello"}\n' * 20)
    async with wizard(tmp_path) as pilot:
        await go_to(pilot, "data")
        await pilot.press("end", "down", *f"{tmp_path}/ques")
        line = pilot.app.screen.query_one("#text", Line)
        await until(pilot, lambda: line._suggestion == str(tmp_path / "questions.jsonl"))
        await pilot.press("right", "enter")
        await shows(pilot, QUESTIONS[3])
        assert plan_of(pilot).get("datasets.0.path") == str(tmp_path / "questions.jsonl")


async def test_a_path_can_be_typed_at_once_where_there_is_little_to_filter(tmp_path: Path) -> None:
    async with wizard(tmp_path, (80, 24)) as pilot:
        await go_to(pilot, "data")
        await pilot.press(*"/nope/we.jsonl", "enter")
        told = "✗ /nope/we.jsonl: there is no such file"
        await shows(pilot, told, "What should it learn from?")


async def test_a_second_enter_on_the_same_list_answers_nothing(tmp_path: Path) -> None:
    async with wizard(tmp_path) as pilot:
        options = pilot.app.screen.query_one(Options)
        options.action_select()
        options.action_select()
        text = await shows(pilot, QUESTIONS[1])
        await pilot.pause()
        assert "✗" not in text
        assert plan_of(pilot).get("base_model") == "Qwen/Qwen3-0.6B"
        await shows(pilot, QUESTIONS[1])
