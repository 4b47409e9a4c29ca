"""What is kept of a run elsewhere: listed, brought home, removed; and what goes wrong with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from textual.screen import Screen

from ftui.errors import TargetUnavailable, UsageError
from ftui.runs import store
from ftui.runs.model import Run, RunRecord
from ftui.targets import keeping
from ftui.targets.base import Storing
from ftui.targets.stored import Fetched, Heap, StoredFile, heaps
from ftui.tui.app import FtuiApp, Watch
from ftui.tui.screens.remote_files import RemoteFilesScreen
from ftui.tui.screens.runs import RunsScreen
from tests.ui.conftest import LIMIT, screen_text, shows, until

MIB = 2**20


def kept(*names: str) -> tuple[Heap, ...]:
    now = time.time()
    return heaps(StoredFile(name, 3 * MIB, now) for name in names)


TWO = kept("out/checkpoint-20/a", "out/checkpoint-20/b", "out/adapter_model.safetensors")


class Place:
    """A target's store: answers as a test says, and notes what it was asked."""

    storage = "the volume ftui-runs"

    def __init__(self, *answers: tuple[Heap, ...] | TargetUnavailable) -> None:
        self.answers = list(answers) or [TWO]
        self.may = threading.Event()
        """Whether what is asked for may come to its end."""
        self.may.set()
        self.fetched: list[str] = []
        self.removed: list[str] = []
        self.problem: Exception | None = None

    def stored(self, run: Run) -> tuple[Heap, ...]:
        self.may.wait(LIMIT)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, TargetUnavailable):
            raise answer
        return answer

    def fetch(self, run: Run, heap: Heap, on_bytes: Callable[[int], None]) -> Fetched:
        on_bytes(MIB)
        while not self.may.wait(0.01):
            on_bytes(0)
        if self.problem is not None:
            raise self.problem
        self.fetched.append(heap.name)
        return Fetched(f"out/{heap.name}", len(heap.files), len(heap.files))

    def discard(self, run: Run, heap: Heap) -> None:
        if self.problem is not None:
            raise self.problem
        self.removed.append(heap.name)


class Stage(FtuiApp):
    def __init__(self, place: Place) -> None:
        run = store.create("nano")
        store.write_record(run, RunRecord(run.name, "nano", "", "modal", 1.0, {}))
        super().__init__(Watch(run))
        assert isinstance(place, Storing)
        self.run_shown, self.place = run, place

    def _monitor(self, run: Run, *, then_chat: bool = False) -> Screen[Any]:
        return RunsScreen()

    def on_mount(self) -> None:
        self.push_screen(RemoteFilesScreen(self.run_shown, self.place))


async def test_heaps_are_listed_with_their_sizes(size: tuple[int, int]) -> None:
    app = Stage(Place())
    async with app.run_test(size=size) as pilot:
        text = await shows(pilot, "checkpoint-20", "everything")
        lines = text.splitlines()
        [row] = [line for line in lines if "checkpoint-20" in line]
        assert "▸" in row
        assert "6.0 MiB" in row
        assert "2 files" in row
        assert "9.0 MiB on the volume ftui-runs" in text
        assert sum(" file" in line for line in lines) == len(TWO)
        assert "asking" not in text


async def test_a_heap_is_brought_home_and_it_is_said_how_far_it_is() -> None:
    app = Stage(place := Place())
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "everything")
        place.may.clear()
        await pilot.press("enter")
        await shows(pilot, "bringing checkpoint-20 home: 1.0 MiB of 6.0 MiB", "esc stops it")
        await pilot.press("enter", "D")  # nothing is done beside it
        place.may.set()
        await shows(pilot, "2 files in out/checkpoint-20, each verified by its sha256")
        assert place.fetched == ["checkpoint-20"]


async def test_esc_stops_what_is_on_its_way_and_stays() -> None:
    app = Stage(place := Place())
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "everything")
        place.may.clear()
        await pilot.press("enter")
        await shows(pilot, "bringing checkpoint-20 home")
        await pilot.press("escape")
        await shows(pilot, "▲ checkpoint-20 was not brought home")
        assert isinstance(app.screen, RemoteFilesScreen)
        assert place.fetched == []
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, RemoteFilesScreen))


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (TargetUnavailable("a arrived damaged: it is not what was saved"), "arrived damaged"),
        (OSError(28, "No space left on device"), "no space left on device"),
    ],
)
async def test_what_could_not_be_brought_home_is_told(problem: Exception, words: str) -> None:
    app = Stage(place := Place())
    place.problem = problem
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "everything")
        await pilot.press("enter")
        await shows(pilot, words, "everything")


async def test_removing_asks_and_says_whether_there_is_another_copy() -> None:
    app = Stage(place := Place(TWO, kept("out/adapter_model.safetensors")))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await shows(pilot, "everything")
        await pilot.press("D")
        await shows(pilot, "Remove checkpoint-20 from the volume", "There is no copy here.")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RemoteFilesScreen))
        assert place.removed == []
        await pilot.press("D", "enter")
        await shows(pilot, "checkpoint-20 is no more on", "▸ weights")
        assert place.removed == ["checkpoint-20"]
        assert "can be resumed" not in screen_text(app)


async def test_what_is_at_work_is_left_alone() -> None:
    app = Stage(place := Place())
    place.problem = UsageError("nano may be at work", hint="stop it first")
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "everything")
        await pilot.press("D", "enter")
        await shows(pilot, "✗ nano may be at work", "→ stop it first", "checkpoint-20")


async def test_waiting_failing_and_finding_nothing_are_told() -> None:
    failed = TargetUnavailable("Modal does not answer", why="it said nothing for 10 s")
    app = Stage(place := Place(failed, ()))
    place.may.clear()
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "◌ asking what the volume ftui-runs keeps of it", "esc goes back")
        place.may.set()
        await shows(pilot, "✗ Modal does not answer", "it said nothing", "r looks again")
        await pilot.press("r")
        await shows(pilot, "There is nothing of it on the volume ftui-runs.")
        assert "✗" not in screen_text(app)
        await pilot.press("D", "enter")
        assert place.removed == []


async def test_names_of_files_are_made_safe_to_show() -> None:
    app = Stage(Place((Heap("\x1b[31mred\x07", "w", (StoredFile("x", 1, 0.0),)),)))
    async with app.run_test(size=(80, 24)) as pilot:
        assert "\x1b" not in await shows(pilot, "▸ red")


async def test_what_is_all_on_this_machine_is_listed_and_left_there() -> None:
    app = Stage(Place())
    folder = app.run_shown.output_dir / "checkpoint-20"
    folder.mkdir(parents=True)
    (folder / "optimizer.pt").write_bytes(b"0" * MIB)
    store.write_record(app.run_shown, RunRecord("nano", "nano", "", "local", 1.0, {}))
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "everything")
        await pilot.press("escape")
        await shows(pilot, "1 run", "f files")
        await pilot.press("f")
        text = await shows(pilot, "▸ checkpoint-20", "1.0 MiB", "on this machine")
        assert "bring home" not in text
        assert "remove there" not in text
        await pilot.press("enter", "D")
        await pilot.pause()
        assert isinstance(app.screen, RemoteFilesScreen)
    assert (folder / "optimizer.pt").exists()


def test_who_has_the_files_of_a_run() -> None:
    assert isinstance(keeping("modal"), Storing)
    for name in ("local", "dstack", "nowhere"):
        assert not isinstance(keeping(name), Storing)
