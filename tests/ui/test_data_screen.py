"""The data screen: rows as they are trained, what is wrong with them, and no frozen key."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

from textual.pilot import Pilot

from ftui.data.dataset import read_files
from ftui.data.entries import Look, look_at
from ftui.data.tokens import Label, Part, RowError, Shown, Tokens
from ftui.errors import Interrupted, RuntimeMissing
from ftui.plan.hardware import Gpu
from ftui.plan.steps import begin, step
from ftui.tui.app import Wizard
from ftui.tui.screens.data import DataScreen
from ftui.tui.screens.review import ReviewScreen
from ftui.tui.services import Told, datasets
from ftui.tui.widgets.data_figures import DataFigures
from tests.fixtures.tokens import GOOD
from tests.ui.conftest import LIMIT, screen_text, shows, until, words_of
from tests.ui.reviews import review
from tests.ui.stage import MACHINE, Stage, StageApp, preset, world
from tests.ui.test_wizard import go_to, plan_of, wizard


def part(name: str, *tokens: tuple[str, bool], ends: tuple[int, ...] = ()) -> Part:
    """A part of these tokens, each with whether it is learnt."""
    labels = tuple(Label(7 if learnt else -100) for _, learnt in tokens)
    return Part(name, tuple(range(len(tokens))), labels, tuple(text for text, _ in tokens), ends)


ASKED = part(
    "text", ("Who", False), (" is it?\n", False), ("[b]Ana", True), ("<end>", True), ends=(3,)
)
PAIR = (
    part("prompt", ("Say hello.", False)),
    part("chosen", ("Hello!", True)),
    part("rejected", ("No\tway\x1b[31m.", True)),
)
TOKENS = replace(
    GOOD,
    shown=(
        Shown(0, 0, "train", (ASKED,)),
        Shown(0, 1, "held_out", PAIR),
        Shown(0, 2, "too_long", (part("text", *[("word ", False)] * 400),)),
        Shown(0, 3, "failed", ()),
    ),
    errors=(RowError(0, 3, "messages is missing"),),
)
ROWS = [
    {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
    {"messages": [{"role": "user", "content": "another"}]},
    {"messages": "no turns"},
]


def look(config: str, on_progress: Callable[[int], None]) -> list[Look]:
    """The real look at every row, of files alone."""
    tests = datasets(config, "test_datasets")
    return list(look_at(datasets(config), read_files, on_progress, tests))


async def count(config: str, gpus: Sequence[Gpu] | None, told: Told, *, show: int) -> Tokens:
    return replace(TOKENS, shown=TOKENS.shown[:show])


@asynccontextmanager
async def data(
    tmp_path: Path, size: tuple[int, int] = (120, 40), **services: Any
) -> AsyncIterator[Pilot[Any]]:
    """The data screen of a file of three rows."""
    rows = tmp_path / "support.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    plan = begin(preset("small-lora"), MACHINE)
    entry = {"path": str(rows), "ds_type": "json", "type": "chat_template"}
    plan = plan.with_settings(datasets=[entry])
    app = StageApp(
        Wizard(plan), Stage(tmp_path).services(**{"count": count, "look": look} | services)
    )
    async with app.run_test(size=size) as pilot:
        await shows(pilot, step("preset").question, "small-lora")
        await app.push_screen(DataScreen(plan))
        yield pilot


async def test_a_row_with_what_is_learnt_of_it(tmp_path: Path, size: tuple[int, int]) -> None:
    async with data(tmp_path, size) as pilot:
        text = await shows(pilot, "✓ trained on · 2 of 4 tokens learnt")
        lines = [line.split("│")[0].strip() for line in text.splitlines()]
        assert "· Who is it?↵" in lines
        assert "┃ [b]Ana<end>■" in lines, "text of the data is never markup"
        assert "1 of 4   row 1 of support.jsonl" in text
        assert "┃ learnt   · only read   ■ end of a turn" in text


async def test_learnt_tokens_are_told_by_colour_too(tmp_path: Path) -> None:
    async with data(tmp_path) as pilot:
        await shows(pilot, "[b]Ana")
        mask = pilot.app.screen.query_one("#mask")
        read, learnt = ([*mask.render_line(y)] for y in (0, 1))
        looks = [segment.style.bgcolor for segment in (*read[2:4], *learnt[2:4]) if segment.style]
        assert len(set(looks)) == 4, "and each token differs from its neighbour"


async def test_the_keys_go_from_row_to_row_and_stop_at_the_ends(tmp_path: Path) -> None:
    async with data(tmp_path, (80, 24)) as pilot:
        await shows(pilot, "1 of 4")
        await pilot.press("left", "p")
        await shows(pilot, "1 of 4")
        await pilot.press("right")
        text = await shows(pilot, "2 of 4", "◌ held out for evaluation")
        for name in ("prompt  0 of 1 token learnt", "chosen  1 of 1", "rejected  1 of 1"):
            assert name in text
        assert "┃ No⇥way." in text, "no control code comes through"
        await pilot.press("n")
        await shows(pilot, "3 of 4", "▲ longer than sequence_len")
        before = screen_text(pilot.app)
        await pilot.press("end")
        await until(pilot, lambda: screen_text(pilot.app) != before)
        await pilot.press("n", "n", "n")
        await shows(pilot, "4 of 4", "✗ axolotl stops at it: messages is missing")
        await pilot.press("p")
        await shows(pilot, "3 of 4")


async def test_the_figures_stand_beside_or_on_a_tab(tmp_path: Path, size: tuple[int, int]) -> None:
    async with data(tmp_path, size) as pilot:
        await shows(pilot, "1 of 4")
        if size[0] == 80:
            assert "What is trained" not in screen_text(pilot.app)
            await pilot.press("tab")
        counted = "1,130 trained on, 60 held out"
        above = await shows(pilot, "What is trained", counted, "Rows of support.jsonl", "3 read")
        assert "14 longer than sequence_len" in above
        assert "93 (3 × 31, packed), warm-up 9" in above
        await pilot.press(*([] if size[0] == 80 else ["tab"]), "end")
        below = await shows(pilot, "longest  2,210")
        text = " ".join((above + below).replace("│", " ").split())
        assert "stops at 1 not of this type" in text
        assert "useless 1 no assistant turn" in text
        assert "▲ support.jsonl:2:messages: has no turn" in text
        assert "✗ support.jsonl:3:messages" in text
        assert max(map(len, above.splitlines())) <= size[0]


async def test_rows_that_are_held_out_and_trained_on_are_told(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    rows, held = tmp_path / "d.jsonl", tmp_path / "held.jsonl"
    lines = [json.dumps({"instruction": f"add {n}", "output": str(n)}) for n in range(30)]
    rows.write_text("\n".join(lines))
    held.write_text("\n".join([*lines[:2], lines[3].replace('"3"', '"4"')]))
    entry = {"path": str(rows), "ds_type": "json", "type": "alpaca"}
    tests = [{**entry, "path": str(held), "split": "train"}]
    plan = begin(preset("small-lora"), MACHINE)
    plan = plan.with_settings(datasets=[entry], test_datasets=tests)
    app = StageApp(Wizard(plan), Stage(tmp_path).services(count=count, look=look))
    async with app.run_test(size=size) as pilot:
        await shows(pilot, step("preset").question, "small-lora")
        await app.push_screen(DataScreen(plan))
        if size[0] == 80:
            await pilot.press("tab")
        text = await shows(pilot, "1,130 trained on", "Rows of d.jsonl", "30 read")
        told = " ".join(text.replace("│", " ").split())
        assert "▲ 3 rows that are held out ask what a row here asks" in told
        await pilot.press("end")
        await shows(pilot, "Rows of held.jsonl", "3 read")


async def test_the_lengths_are_drawn_as_bars(tmp_path: Path) -> None:
    async with data(tmp_path) as pilot:
        text = await shows(pilot, "Rows by their length in tokens", "Rows of support.jsonl")
        longest = next(line for line in text.splitlines() if "300 █" in line)
        half = next(line for line in text.splitlines() if "200 █" in line)
        assert longest.count("█") in (2 * half.count("█"), 2 * half.count("█") + 1)
        await pilot.press("tab", "end")
        await until(pilot, lambda: bool(re.search("95 % +within 900", screen_text(pilot.app))))


async def test_waiting_says_for_what_and_esc_ends_it(tmp_path: Path, size: tuple[int, int]) -> None:
    ended: list[str] = []
    stopped = Event()

    async def endless(config: str, gpus: Sequence[Gpu] | None, told: Told, *, show: int) -> Tokens:
        told({"phase": "tokenizing", "done": 600, "total": 1204})
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(config)
        return GOOD

    def slow(config: str, on_progress: Callable[[int], None]) -> list[Look]:
        try:
            while True:
                on_progress(17)
                time.sleep(0.001)  # without it the screen would have to wait for its turn
        except Interrupted:
            stopped.set()
            raise

    async with data(tmp_path, size, count=endless, look=slow) as pilot:
        await shows(pilot, "◌ turning rows into tokens, 600 of 1,204 …", "esc stops it")
        if size[0] == 80:
            await pilot.press("tab")
        await shows(pilot, "reading row by row … 17")
        await pilot.press("escape")
        await shows(pilot, step("preset").question)
        await until(pilot, lambda: bool(ended) and stopped.is_set())


async def test_without_the_runtime_the_rows_are_read_all_the_same(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async def missing(config: str, gpus: Sequence[Gpu] | None, told: Told, *, show: int) -> Tokens:
        raise RuntimeMissing("there is no train runtime", hint="ftui setup train")

    async with data(tmp_path, size, count=missing) as pilot:
        await shows(pilot, "✗ there is no train runtime", "→ ftui setup train")
        if size[0] == 80:
            await pilot.press("tab")
        await shows(pilot, "Rows of support.jsonl", "3 read")
        await pilot.press("right", "down")
        assert pilot.app.is_running


async def test_no_rows_are_said_to_be_none(tmp_path: Path) -> None:
    async def none(config: str, gpus: Sequence[Gpu] | None, told: Told, *, show: int) -> Tokens:
        return replace(GOOD, shown=())

    async with data(tmp_path, count=none) as pilot:
        await shows(pilot, "There is no row to show.")


async def test_v_shows_the_highlighted_dataset_of_the_wizard(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    asked: list[str] = []

    async def noted(config: str, gpus: Sequence[Gpu] | None, told: Told, *, show: int) -> Tokens:
        asked.append(config)
        return TOKENS

    app = StageApp(Wizard(), Stage(tmp_path).services(count=noted, look=lambda *_: []))
    async with app.run_test(size=size) as pilot:
        await shows(pilot, step("preset").question, "small-lora")
        await pilot.press("v")
        assert "v data" not in screen_text(app)
        await go_to(pilot, "data")
        await shows(pilot, "v data", "? help")
        await pilot.press("v")
        await shows(pilot, "what the model will see", "row 1 of questions")
        assert "path: acme/questions" in asked[0]
        await pilot.press("escape")
        await shows(pilot, step("data").question)


async def test_a_refused_dataset_is_told_and_v_shows_all_of_it(tmp_path: Path) -> None:
    rows = tmp_path / "d.jsonl"
    rows.write_text('{"instruction": "a", "output": "b"}\n' * 30 + "{broken\n" * 3)
    services = Stage(tmp_path).services(look=look, survey=world)
    app = StageApp(Wizard(), services)
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, step("preset").question, "small-lora")
        await go_to(pilot, "data")
        await pilot.press("end", "down", *str(rows), "enter")
        await shows(pilot, "✗", "↑, then v, shows all that was found")
        assert f"{rows}:31" in words_of(app, "#problem")
        assert plan_of(pilot).get("datasets.0.path") == "acme/questions"
        await pilot.press("v")  # still a letter: who types another path must not find keys instead
        await shows(pilot, "d.jsonlv")
        await pilot.press("backspace", "up", "v")
        await shows(pilot, "Rows of d.jsonl", "33 read")


async def test_the_wizard_remembers_how_many_rows_were_read(tmp_path: Path) -> None:
    rows = tmp_path / "d.jsonl"
    rows.write_text(
        "".join(f'{{"instruction": "add {n}", "output": "{n}"}}\n' for n in range(1204))
        + '{"instruction": "nothing", "output": ""}\n'
    )
    async with wizard(tmp_path) as pilot:
        await go_to(pilot, "data")
        await pilot.press("end", "down", *str(rows), "enter")
        text = await shows(pilot, step("method").question)
        [line, below] = [line for line in text.splitlines() if "✓ Data" in line or "1,205" in line]
        assert "d.jsonl" in line
        assert "1,205 rows, alpaca" in below
        await pilot.press("escape")
        await shows(pilot, "▲ 1,205 rows, alpaca", "▲ 1 row teaches nothing: v")


async def test_what_the_review_counted_is_not_counted_again(tmp_path: Path) -> None:
    asked: list[int] = []

    async def noted(config: str, gpus: Sequence[Gpu] | None, told: Told, *, show: int) -> Tokens:
        asked.append(show)
        return TOKENS

    async with review(Stage(tmp_path), count=noted, look=lambda *_: []) as pilot:
        await shows(pilot, "1,130 trained on, 60 held out", "v data")
        await pilot.press("v")
        await shows(pilot, "what the model will see", "1 of 4")
        await pilot.press("escape")
        await shows(pilot, "ftui · review", "1,130 trained on, 60 held out")
        assert len(asked) == 1


async def test_one_axolotl_counts_at_a_time(tmp_path: Path) -> None:
    """The review doesn't count while the data are viewed, and takes what is found there."""
    running: list[str] = []
    go_on = asyncio.Event()

    async def slow(config: str, gpus: Sequence[Gpu] | None, told: Told, *, show: int) -> Tokens:
        assert running == []
        running.append(config)
        try:
            await go_on.wait()
        finally:
            running.remove(config)
        return TOKENS

    async with review(Stage(tmp_path), count=slow, look=lambda *_: []) as pilot:
        await until(pilot, lambda: bool(running))
        await pilot.press("v")
        await shows(pilot, "what the model will see", "starting axolotl")
        await pilot.press("escape")
        await shows(pilot, "ftui · review")
        await until(pilot, lambda: bool(running))
        assert isinstance(pilot.app.screen, ReviewScreen)
        await pilot.press("v")
        await shows(pilot, "what the model will see", "starting axolotl")
        go_on.set()
        await shows(pilot, "1 of 4")
        await pilot.press("escape")
        await shows(pilot, "ftui · review", "1,130 trained on, 60 held out")


async def test_what_is_read_later_does_not_scroll_the_row_back(tmp_path: Path) -> None:
    enough = Event()

    def slow(config: str, on_progress: Callable[[int], None]) -> list[Look]:
        enough.wait(LIMIT)
        return look(config, on_progress)

    async with data(tmp_path, (80, 24), look=slow) as pilot:
        await shows(pilot, "1 of 4")
        await pilot.press("n", "n")
        await shows(pilot, "3 of 4")
        mask = pilot.app.screen.query_one("#mask")
        await pilot.press("end")
        await until(pilot, lambda: mask.scroll_offset.y > 0)
        enough.set()
        figures = pilot.app.screen.query_one(DataFigures)
        await until(pilot, lambda: bool(figures._looks))
        assert mask.scroll_offset.y > 0
