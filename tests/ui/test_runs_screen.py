"""The list of runs: true to the files, calm, and nothing is done to a run unasked."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.screen import Screen

from ftui import paths
from ftui.runs import endpoints, process, store
from ftui.runs.endpoints import Served
from ftui.runs.listing import FIRST_RUN, Entry
from ftui.runs.model import ProcessId, Run, RunRecord, RunState
from ftui.runs.resume import Resumption
from ftui.targets.resume import Fix
from ftui.tui.app import FtuiApp, Glyphs, Runs, Watch
from ftui.tui.screens import deeds
from ftui.tui.screens.compare import CompareScreen
from ftui.tui.screens.monitor import MonitorScreen
from ftui.tui.screens.runs import RunsScreen
from ftui.tui.widgets.run_rows import Layout
from ftui.tui.widgets.run_table import RunTable
from tests.ui.conftest import LIMIT, screen_text, shows, until

GONE = ProcessId(pid=2**22 - 1, started=1.0)
HOUR = 3600


class Stage(FtuiApp):
    """The app with the list of runs; it notes what is stopped and resumed."""

    def __init__(self, *words: str, glyphs: Glyphs = "braille") -> None:
        super().__init__(Runs(words), glyphs=glyphs)
        self.stopped: list[Run] = []
        self.answer = "It [b]saves[/b], then ends."
        self.resumed: list[Run] = []

    def _runs(self, words: tuple[str, ...] = (), sort: str = "newest") -> Screen[Any]:
        return RunsScreen(words, sort, stop=self._stop, resume=self._resume)

    def _stop(self, run: Run) -> str:
        self.stopped.append(run)
        return self.answer

    def _resume(self, run: Run, fix: Fix | None, if_still: Resumption | None) -> Resumption:
        assert if_still is not None
        self.resumed.append(run)
        return if_still

    @property
    def table(self) -> RunTable:
        return self.screen.query_one(RunTable)

    @property
    def here(self) -> str:
        """The run under the cursor."""
        assert self.table.current is not None
        return self.table.current.run.name


def line(kind: str, step: int = 0, *, at: float = 0.0, **values: Any) -> str:
    event = {"v": 1, "ts": at, "event": kind, "step": step, "max_steps": 30, "values": values}
    return json.dumps(event) + "\n"


def made(
    name: str,
    hours: float,
    steps: int,
    *,
    code: int | None = None,
    alive: bool = False,
    **more: Any,
) -> Run:
    """A run that began so many hours ago; with a code it has ended, done with its 30th step."""
    run = Run(paths.runs_dir() / name)
    run.output_dir.mkdir(parents=True)
    trainer = process.identify(os.getpid()) if alive else GONE
    created = time.time() - hours * HOUR
    settings = {"adapter": "lora", "learning_rate": 0.001, **more}
    record = RunRecord(name, "nano", "", "local", created, settings, trainer=trainer)
    store.write_record(run, record)
    told = [line("launched"), line("train_begin", at=1000.0)]
    for step in range(1, steps + 1):
        told.append(line("log", step, at=1000.0 + step, loss=2 - step / 20))
    if steps == 30:
        (run.output_dir / "adapter_model.safetensors").write_bytes(bytes(5000))
        told += [line("eval", 30, at=1030.0, eval_loss=0.75), line("saved")]
    if code is not None:
        told.append(line("exit", code=code))
    run.events_file.write_text("".join(told))
    return run


@pytest.fixture
def three() -> dict[str, Run]:
    """One at work, one done with two checkpoints, one that failed."""
    runs = {
        "amber": made("nano-amber", 0.5, 12, alive=True),
        "birch": made("nano-birch", 2, 30, code=0, learning_rate=0.01),
        "cedar": made("other-cedar", 30, 20, code=1, lora_r=8),
    }
    for step in (10, 20):
        checkpoint = runs["birch"].output_dir / f"checkpoint-{step}"
        checkpoint.mkdir()
        (checkpoint / "model.safetensors").write_bytes(bytes(300_000))
    return runs


def rows(app: FtuiApp) -> list[str]:
    """The names from top to bottom."""
    return [entry.run.name for entry in app.screen.query_one(RunTable).entries]


# ── The table ────────────────────────────────────────────────────────────────────────────────


async def test_the_table_at_each_size(three: dict[str, Run], size: tuple[int, int]) -> None:
    async with Stage().run_test(size=size) as pilot:
        text = await shows(
            pilot, "nano-amber", "3 runs · 1 at work · newest first", "enter open", "space mark"
        )
        lines = [each.split() for each in text.splitlines() if "-" in each][:3]
        wide = size[0] >= 100
        steps = ["12", "/", "30"] if wide else ["12/30"]
        target = ["local"] if wide else []
        words = ["▸", "●", "training", "nano-amber", *target, *steps, "1.40", "30", "min", "ago"]
        assert lines[0][: len(words)] == words
        assert lines[1][:3] == ["✓", "done", "nano-birch"]
        assert lines[2][:3] == ["✗", "failed", "other-cedar"]
        assert all(len(each) <= size[0] for each in text.splitlines())
        for words_of_footer in ("enter open", "space mark", "? help"):
            assert words_of_footer in text, words_of_footer
        if wide:
            await shows(pilot, "KiB")


async def test_an_endpoint_that_was_left_is_seen_and_ended(
    three: dict[str, Run], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    birch = three["birch"]
    endpoints.note(birch, Served("modal", "ftui-birch-serve", until=time.time() + HOUR))

    def end_left(run: Run, tell: Callable[[str], None]) -> None:
        endpoints.forget(run, "ftui-birch-serve")
        tell(f"the endpoint of {run.name} on Modal has ended")

    monkeypatch.setattr(deeds, "end_left", end_left)
    app = Stage()
    async with app.run_test(size=size, notifications=True) as pilot:
        text = await shows(pilot, "3 runs", "◆ modal until " if size[0] >= 100 else "◆")
        [row] = [each for each in text.splitlines() if "◆" in each and "state" not in each]
        assert "nano-birch" in row
        assert "end ◆" not in text, "that is no deed for the run under the cursor"
        await pilot.press("down")
        await shows(pilot, "E end ◆", "? help")
        await pilot.press("E")
        await shows(pilot, "End the endpoint of nano-birch?", "◆ modal")
        await pilot.press("enter")
        await shows(pilot, "✓ the endpoint of")
        await until(pilot, lambda: "◆" not in screen_text(app))


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_endpoints_leave_room_for_the_rest(width: int) -> None:
    left = tuple(Served("modal", name, until=4e9) for name in ("ftui-a-serve", "ftui-a-1a2b"))
    name, now = "nano-sql-lora-1123-amber", time.time()
    full = Entry(Run(Path(name)), RunState.NUMBERS_LOST, "nano", "modal", 12000, 30000, 1.4, now)
    for count in (1, 2):
        entries = [replace(full, left=left[:count])]
        layout = Layout(entries, width)
        for pieces in (layout.head(), layout.row(entries[0], 2**30, "A", here=True)):
            words = "".join(text for text, _ in pieces)
            assert len(words.rstrip()) <= width
            assert "◆" in words or "endpoint" in words
            assert "amber" in words or "name" in words


async def test_what_happens_is_seen_live_and_the_cursor_stays_on_its_run(
    three: dict[str, Run],
) -> None:
    app = Stage()
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "12 / 30")
        await pilot.press("down")
        assert app.here == "nano-birch"
        with three["amber"].events_file.open("a") as file:
            file.write(line("log", 13, at=1013.0, loss=0.125))
        made("nano-dune", 0, 3, alive=True)
        await shows(pilot, "13 / 30", "0.12")
        await until(pilot, lambda: rows(app)[0] == "nano-dune")
        assert app.here == "nano-birch"


async def test_no_runs_names_the_command_that_makes_one(size: tuple[int, int]) -> None:
    async with Stage().run_test(size=size) as pilot:
        text = await shows(pilot, "No runs yet", FIRST_RUN)
        assert "enter open" not in text
        assert "clean" not in text


async def test_a_run_whose_record_cannot_be_read_is_listed(three: dict[str, Run]) -> None:
    three["birch"].record_file.write_text("{")
    async with Stage().run_test(size=(120, 40)) as pilot:
        await shows(pilot, "▲ unreadable", "nano-birch", "its record cannot be read", "3 runs")


async def test_lost_numbers_are_a_state_of_their_own(three: dict[str, Run]) -> None:
    """One that came to its end, and one that was stopped."""
    nan = line("log", 30, at=1031.0, loss=0.0, grad_norm="nan")
    for name in ("birch", "cedar"):
        told = three[name].events_file.read_text().splitlines(keepends=True)
        ending = [nan, nan] if name == "birch" else [nan, nan, line("stop_requested")]
        three[name].events_file.write_text("".join([*told[:-1], *ending, told[-1]]))
    app = Stage("numbers lost")
    async with app.run_test(size=(80, 24)) as pilot:
        text = await shows(pilot, "2 of 3 runs", "r resume")
        assert text.count("∅ numbers lost") == 2
        await pilot.press("D")
        await shows(pilot, "cannot be resumed then")


async def test_a_resumed_run_comes_first_again(three: dict[str, Run]) -> None:
    app = Stage()
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "newest first")
        assert rows(app)[-1] == "other-cedar"
        record = store.read_record(three["cedar"])
        store.write_record(three["cedar"], replace(record, launched=time.time()))
        await until(pilot, lambda: rows(app)[0] == "other-cedar")


async def test_thousands_of_rows_are_walked_at_once() -> None:
    for number in range(300):
        made(f"nano-{number:03}", number, 1, code=1)
    app = Stage()
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "300 runs", "nano-000")
        await pilot.press("end")
        await shows(pilot, "nano-299")
        await pilot.press("pageup", "home", "k")
        assert app.here == "nano-000"
        await shows(pilot, "▸   ✗ failed        nano-000")


# ── Finding ──────────────────────────────────────────────────────────────────────────────────


async def test_the_filter_and_the_orders(three: dict[str, Run]) -> None:
    app = Stage()
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "newest first")
        orders = []
        for words in ("by name", "lowest loss first", "at work first", "newest first"):
            await pilot.press("s")
            await shows(pilot, words)
            orders.append("".join(name[5] for name in rows(app)))
        assert orders == ["ab-", "b-a", "a-b", "ab-"]
        await pilot.press("slash", *"failed")
        await shows(pilot, "1 of 3 runs")
        assert rows(app) == ["other-cedar"]
        await pilot.press("enter", "s")
        await shows(pilot, "1 of 3 runs", "by name")
        await pilot.press("escape")
        await shows(pilot, "3 runs · 1 at work · by name")
        await pilot.press("slash", *"zzz")
        await shows(pilot, "None of 3 runs contains zzz.")
        await pilot.press("escape")
        await shows(pilot, "nano-amber")


async def test_words_of_the_command_are_the_filter(three: dict[str, Run]) -> None:
    app = Stage("nano", "done")
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "1 of 3 runs", "nano done")
        assert rows(app) == ["nano-birch"]


# ── Going on to a run ────────────────────────────────────────────────────────────────────────


async def test_enter_opens_the_monitor_and_esc_comes_back(three: dict[str, Run]) -> None:
    app = Stage()
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "nano-birch")
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        assert app.screen.watched == three["birch"]  # type: ignore[attr-defined]
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        assert app.here == "nano-birch"
        await pilot.press("escape")
        await until(pilot, lambda: not app.is_running)
    assert app.return_value == 0, "no run was the person's own"


async def test_the_list_opens_over_a_monitor_and_only_once(three: dict[str, Run]) -> None:
    app = FtuiApp(Watch(three["birch"]))
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "✓ done")
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await shows(pilot, "nano-amber")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        assert app.screen.watched == three["birch"]  # type: ignore[attr-defined]


# ── Side by side ─────────────────────────────────────────────────────────────────────────────


async def test_marked_runs_are_compared(three: dict[str, Run], size: tuple[int, int]) -> None:
    app = Stage()
    async with app.run_test(size=size) as pilot:
        text = await shows(pilot, "nano-birch")
        assert "compare" not in text
        await pilot.press("space", "space")
        await shows(pilot, "A ● training", "B ✓ done", "c compare")
        await pilot.press("c")
        await shows(pilot, "smoothed 0.8", "A ━━━ nano-amber", "B ━ ━ nano-birch")
        await until(pilot, lambda: any("\u2801" <= dots <= "\u28ff" for dots in screen_text(app)))
        if size[0] < 100:
            await pilot.press("tab")
        sides = ("A nano-amber", "B nano-birch")
        text = await shows(pilot, "settings that differ", *sides, "learning_rate")
        table = [each.split() for each in text.splitlines()]
        told = {" ".join(each) for each in table}
        assert any(each.endswith("learning_rate 0.001 0.01") for each in told)
        assert any(each.endswith("12 / 30 30 / 30") for each in told)
        assert "adapter" not in text
        await pilot.press("escape")
        await shows(pilot, "A ● training")
        await pilot.press("escape")
        await until(pilot, lambda: "A ●" not in screen_text(app))


async def test_a_comparison_grows_and_shows_evaluations_too(three: dict[str, Run]) -> None:
    app = Stage(glyphs="ascii")
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "nano-birch")
        await pilot.press("space", "space", "c")
        await shows(pilot, "A --- nano-amber", "12 / 30")
        with three["amber"].events_file.open("a") as file:
            file.write(line("log", 14, at=1014.0, loss=0.125))
        await shows(pilot, "14 / 30")
        await pilot.press("right_square_bracket")
        await shows(pilot, "smoothed 0.9")
        await pilot.press("e")
        text = await shows(pilot, "eval loss   A --- nano-amber")
        assert "smoothed" not in text
        assert isinstance(app.screen, CompareScreen)


# ── Doing something ──────────────────────────────────────────────────────────────────────────


async def test_stop_asks_once(three: dict[str, Run]) -> None:
    app = Stage()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await shows(pilot, "x stop")
        await pilot.press("x")
        await shows(pilot, "Stop nano-amber?")
        await pilot.press("escape", "x", "enter")
        await shows(pilot, app.answer)
        assert app.stopped == [three["amber"]]
        await pilot.press("down")
        assert "x stop" not in await shows(pilot, "▸   ✓ done")


async def test_a_yes_to_what_somebody_else_asked_meanwhile_ends_nothing_at_once(
    three: dict[str, Run],
) -> None:
    app = Stage()
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "x stop")
        table = app.table
        await pilot.press("x")
        await shows(pilot, "Stop nano-amber?")
        with three["amber"].events_file.open("a") as file:
            file.write(line("stop_requested"))
        await until(pilot, lambda: table.current is not None and table.current.word == "stopping")
        await pilot.press("enter")
        await shows(pilot, "● stopping")
        assert app.stopped == []


async def test_resume_says_from_where_and_opens_the_monitor(three: dict[str, Run]) -> None:
    app = Stage()
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "other-cedar")
        await pilot.press("end")
        await shows(pilot, "r resume")
        await pilot.press("r")
        await shows(pilot, "Resume other-cedar?", "begins again")
        assert app.resumed == []
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        assert app.resumed == [three["cedar"]]


async def test_clean_up_says_what_it_frees_and_does_only_what_was_chosen(
    three: dict[str, Run],
) -> None:
    app = Stage()
    birch = three["birch"]
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await shows(pilot, "nano-birch")
        await pilot.press("down", "D")
        text = await shows(pilot, "Clean up nano-birch?", "▸ checkpoints and prepared rows")
        assert "KiB" in text
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        assert (birch.output_dir / "checkpoint-10").exists()
        await pilot.press("D")
        await shows(pilot, "▸ checkpoints and prepared rows")
        await pilot.press("enter")
        await shows(pilot, "freed")
        assert [path.name for path in birch.output_dir.iterdir()] == ["adapter_model.safetensors"]
        await pilot.press("delete")
        await shows(pilot, "▸ the whole run", "no way back")
        await pilot.press("enter")
        await until(pilot, lambda: not birch.folder.exists())
        await shows(pilot, "2 runs")


async def test_a_removal_is_not_cut_short_by_the_next_key_and_says_what_it_could_not(
    three: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    going_on, real = threading.Event(), shutil.rmtree

    def slow(path: Path) -> None:
        going_on.wait(LIMIT)
        if "cedar" in str(path):
            raise PermissionError(13, os.strerror(13), str(path))
        real(path)

    monkeypatch.setattr(shutil, "rmtree", slow)
    app = Stage()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await shows(pilot, "nano-birch")
        await pilot.press("down", "space", "space", "D")
        await shows(pilot, "Clean up 2 runs?", "▸ checkpoints")
        await pilot.press("tab", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await pilot.press("home", "D")
        going_on.set()
        await shows(pilot, "freed", "other-cedar could not be cleaned up", "Something is left")
        assert not three["birch"].folder.exists()


async def test_a_run_at_work_is_not_cleaned_up(three: dict[str, Run]) -> None:
    app = Stage()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await shows(pilot, "nano-amber")
        await pilot.press("D")
        await shows(pilot, "Stop it first")
        await pilot.press("space", "space", "space", "D")
        await shows(pilot, "Clean up 2 runs?", "1 run at work: left alone")
        await pilot.press("down")
        await shows(pilot, "▸ the whole runs")
        await pilot.press("enter")
        await until(pilot, lambda: names() == {"nano-amber"})


def names() -> set[str]:
    return {path.name for path in Path(paths.runs_dir()).iterdir()}
