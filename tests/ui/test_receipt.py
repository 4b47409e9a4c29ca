"""The receipt on the review: counted once the config is fine, and never in the way."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftui.data.tokens import Tokens
from ftui.errors import DatasetError, ExitCode, TargetUnavailable
from ftui.plan.hardware import Gpu
from ftui.plan.plan import Plan
from ftui.plan.steps import begin
from ftui.runs.model import Run
from ftui.tui.app import Wizard
from ftui.tui.screens.review import ReviewScreen
from ftui.tui.services import Told
from tests.fixtures.tokens import GOOD
from tests.ui.conftest import screen_text, shows, until
from tests.ui.stage import MACHINE, Stage, StageApp, preset


def review(tmp_path: Path, **services: Any) -> tuple[StageApp, Stage, ReviewScreen]:
    stage = Stage(tmp_path)
    plan = begin(preset("small-lora"), MACHINE)
    app = StageApp(Wizard(plan), stage.services(**services))
    return app, stage, ReviewScreen(plan)


async def test_the_receipt_says_what_the_training_will_be(tmp_path: Path) -> None:
    app, _, screen = review(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.push_screen(screen)
        text = await shows(pilot, "1,130 trained on, 60 held out")
        assert "14 longer than sequence_len" in text
        assert "157,500 tokens of 412,300 (38%)" in text
        assert "93 (3 × 31, packed), warm-up 9" in text
        assert re.search(r"disk +\d+(\.\d)? [GM]iB at most", text)


async def test_counting_is_shown_and_a_launch_does_not_wait_for_it(tmp_path: Path) -> None:
    ended: list[str] = []

    async def endless(config: str, gpus: Sequence[Gpu] | None, told: Told, *, show: int) -> Tokens:
        told({"phase": "tokenizing", "done": 600, "total": 1204})
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(config)
        return GOOD

    app, stage, screen = review(tmp_path, count=endless)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.push_screen(screen)
        await shows(pilot, "◌ turning rows into tokens, 600")
        await pilot.press("enter")
        await until(pilot, lambda: bool(stage.launched))
        await until(pilot, lambda: bool(ended))


async def test_a_run_for_nothing_is_not_launched(tmp_path: Path) -> None:
    async def nothing(config: str, gpus: Sequence[Gpu] | None, told: Told, *, show: int) -> Tokens:
        return replace(GOOD, lengths=replace(GOOD.lengths, supervised=0))

    app, stage, screen = review(tmp_path, count=nothing)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.push_screen(screen)
        await shows(pilot, "nothing is learnt")
        await pilot.press("enter")
        await shows(pilot, "not launched: the run would be for nothing")
        assert stage.launched == []
        assert app.ending is ExitCode.USAGE


async def test_what_cannot_be_counted_hinders_nothing(tmp_path: Path) -> None:
    async def failing(config: str, gpus: Sequence[Gpu] | None, told: Told, *, show: int) -> Tokens:
        raise DatasetError("the tokenizer cannot be loaded", hint="it is not on this machine")

    app, stage, screen = review(tmp_path, count=failing)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.push_screen(screen)
        await shows(pilot, "the tokenizer cannot be loaded", "it is not on this machine")
        await pilot.press("enter")
        await until(pilot, lambda: bool(stage.launched))
        assert "would be for nothing" not in screen_text(app)


async def test_after_a_launch_that_was_refused_the_counting_goes_on(tmp_path: Path) -> None:
    begun: list[str] = []

    async def endless(config: str, gpus: Sequence[Gpu] | None, told: Told, *, show: int) -> Tokens:
        begun.append(config)
        if len(begun) == 1:
            await asyncio.Event().wait()
        return GOOD

    def no_room(plan: Plan, run: Run) -> None:
        raise TargetUnavailable("there is no room")

    app, _, screen = review(tmp_path, count=endless, launch=no_room)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.push_screen(screen)
        await until(pilot, lambda: len(begun) == 1)
        await pilot.press("enter")
        await shows(pilot, "there is no room", "1,130 trained on, 60 held out")


async def test_what_was_counted_of_one_text_is_not_shown_of_another(tmp_path: Path) -> None:
    asked: list[str] = []

    async def noted(config: str, gpus: Sequence[Gpu] | None, told: Told, *, show: int) -> Tokens:
        asked.append(config)
        if len(asked) > 1:
            await asyncio.Event().wait()
        return GOOD

    app, _, screen = review(tmp_path, count=noted)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.push_screen(screen)
        await shows(pilot, "1,130 trained on, 60 held out")
        screen._counting.view(screen._plan, f"{asked[0]}# mended\n")
        await shows(pilot, "what the model will see", "◌")
        await until(pilot, lambda: len(asked) == 2)
        await pilot.press("escape")
        await until(pilot, lambda: len(asked) == 3)
        assert asked[1:] == [f"{asked[0]}# mended\n"] * 2
        assert screen._counting.note.tokens is None
