"""The review of a preset and of a person's own file, as the tests open it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from ftui.plan.own_config import open_config
from ftui.plan.steps import STEPS, begin
from ftui.tui.app import Wizard
from tests.ui.conftest import shows
from tests.ui.stage import MACHINE, Stage, StageApp, preset

CONFIG = """\
# Ours.  Ask Ana.
base_model:   Qwen/Qwen3-0.6B   # small
datasets: [{path: acme/questions, type: chat_template}]
chat_template: qwen3
adapter: lora
lora_r: 16
lora_alpha: 32
lora_target_linear: true
sequence_len: 512
learning_rate: 0.0002
"""


@contextlib.asynccontextmanager
async def review(
    stage: Stage, name: str = "small-lora", size: tuple[int, int] = (120, 40), **replaced: Any
) -> AsyncIterator[Pilot[Any]]:
    """The review of an unchanged preset, on top of the wizard."""
    plan = begin(preset(name), MACHINE)
    app = StageApp(Wizard(plan), stage.services(**replaced))
    async with app.run_test(size=size) as pilot:
        await shows(pilot, "What do you want to start from?", name)
        app.open_review(plan)
        await shows(pilot, "ftui · review", "base_model:")
        yield pilot


@contextlib.asynccontextmanager
async def own_config(
    stage: Stage, size: tuple[int, int] = (120, 40), **replaced: Any
) -> AsyncIterator[tuple[Pilot[Any], Path]]:
    """The review of a person's own file, reached through the wizard, and that file."""
    file = stage.folder / "bot.yml"
    file.write_text(CONFIG)
    app = StageApp(Wizard(begin(open_config(file), MACHINE)), stage.services(**replaced))
    async with app.run_test(size=size) as pilot:
        await walk(pilot)
        await shows(pilot, "# Ours.  Ask Ana.")
        yield pilot, file


async def walk(pilot: Pilot[Any], rank: str = "") -> None:
    """From the first question to the review with enter; with another rank where one is given."""
    for step in STEPS:
        await shows(pilot, step.question)
        if rank and step.id == "method":
            await pilot.press("tab", *["backspace"] * 4, *rank)
        await pilot.press("enter")
    await shows(pilot, "ftui · review", "base_model:")


async def walk_back(pilot: Pilot[Any]) -> None:
    """From the review to the first question."""
    for step in reversed(STEPS):
        await pilot.press("escape")
        await shows(pilot, step.question)


def editor(*change: str) -> Any:
    """An editor that replaces one text by another, saves and ends."""
    old, new = change
    return lambda app, path: path.write_text(path.read_text().replace(old, new))
