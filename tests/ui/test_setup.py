"""The set-up: explained first, shown while it runs, stopped at will, tried again after an error."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from threading import Event
from typing import Any

from textual.pilot import Pilot

from ftui.errors import Interrupted, RuntimeMissing
from ftui.plan.steps import begin
from ftui.runtimes import Kind
from ftui.runtimes.progress import Progress
from ftui.tui.app import Wizard
from tests.ui.conftest import LIMIT, screen_text, shows, until
from tests.ui.stage import MACHINE, Stage, StageApp, preset


@contextlib.asynccontextmanager
async def setup(stage: Stage, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Pilot[Any]]:
    """A launch that finds runtimes missing."""
    plan = begin(preset("small-lora"), MACHINE)
    app = StageApp(Wizard(plan), stage.services())
    async with app.run_test(size=size) as pilot:
        app.open_review(plan)
        await shows(pilot, "axolotl agrees")
        await pilot.press("enter")
        await shows(pilot, "One thing first")
        yield pilot


async def test_it_says_what_comes_where_before_it_does_anything(
    tmp_path: Path, size: tuple[int, int], ftui_home: Path
) -> None:
    stage = Stage(tmp_path, missing=[Kind.TRAIN, Kind.SERVE])
    async with setup(stage, size) as pilot:
        text = await shows(pilot, "◌ waiting", "enter set up")
        words = " ".join(text.split())
        assert "axolotl and torch, which train, and vLLM, which answers in the chat" in words
        assert "2.5 GiB" in words
        assert str(ftui_home / "runtimes") in "".join(text.split()), "where it will be"
        assert stage.missing == [Kind.TRAIN, Kind.SERVE]
        await pilot.press("escape")
        await shows(pilot, "ftui · review")
        assert stage.prepared == [], "declined is not launched"


async def test_both_are_made_with_a_bar_and_then_the_run_launches(tmp_path: Path) -> None:
    seen, go_on = Event(), Event()

    def install(kind: Kind, tell: Callable[[Progress], None], cancel: Event) -> None:
        if kind is Kind.TRAIN:
            tell(Progress("download", 512 * 2**20, 2**30, "fetching torch"))
            seen.set()
            assert go_on.wait(LIMIT)

    stage = Stage(tmp_path, missing=[Kind.TRAIN, Kind.SERVE], install=install)
    async with setup(stage) as pilot:
        await pilot.press("enter")
        await until(pilot, seen.is_set)
        await shows(pilot, "● setting up", "fetching torch", "512 MiB of 1.0 GiB", "━")
        go_on.set()
        await until(pilot, lambda: len(stage.launched) == 1)
    assert stage.missing == []


async def test_an_error_is_explained_and_enter_tries_again(tmp_path: Path) -> None:
    tries: list[Kind] = []

    def install(kind: Kind, tell: Callable[[Progress], None], cancel: Event) -> None:
        tries.append(kind)
        if len(tries) == 1:
            raise RuntimeMissing("no network", why="could not reach the index", hint="check it")

    stage = Stage(tmp_path, missing=[Kind.TRAIN], install=install)
    async with setup(stage) as pilot:
        await pilot.press("enter")
        await shows(pilot, "✗ no network", "could not reach the index", "→ check it", "tries again")
        await pilot.press("enter")
        await until(pilot, lambda: len(stage.launched) == 1)


async def test_esc_stops_a_set_up_and_returns_to_the_review(tmp_path: Path) -> None:
    began = Event()

    def install(kind: Kind, tell: Callable[[Progress], None], cancel: Event) -> None:
        began.set()
        assert cancel.wait(LIMIT)
        raise Interrupted("the set-up was stopped")

    stage = Stage(tmp_path, missing=[Kind.TRAIN], install=install)
    async with setup(stage) as pilot:
        await pilot.press("enter")
        await until(pilot, began.is_set)
        await pilot.press("escape")
        await shows(pilot, "ftui · review")
        assert stage.prepared == []


async def test_quitting_cancels_the_set_up_and_does_not_hang(tmp_path: Path) -> None:
    began, cancelled = Event(), Event()

    def install(kind: Kind, tell: Callable[[Progress], None], cancel: Event) -> None:
        began.set()
        if cancel.wait(LIMIT):
            cancelled.set()
        raise Interrupted("the set-up was stopped")

    stage = Stage(tmp_path, missing=[Kind.TRAIN], install=install)
    async with setup(stage) as pilot:
        await pilot.press("enter")
        await until(pilot, began.is_set)
        await pilot.press("ctrl+q")
    assert cancelled.wait(LIMIT)


async def test_the_set_up_fits(tmp_path: Path, size: tuple[int, int]) -> None:
    async with setup(Stage(tmp_path, missing=[Kind.TRAIN, Kind.SERVE]), size) as pilot:
        lines = screen_text(pilot.app).splitlines()
        assert max(map(len, lines)) <= size[0]
        assert "enter set up" in lines[-1]
