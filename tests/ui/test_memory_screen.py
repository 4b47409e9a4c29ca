"""Will it fit: the terms, the GPUs, and changes that are made with one key."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from ftui.estimate.architecture import CannotSay
from ftui.estimate.estimate import Estimate
from ftui.plan.hardware import Gpu
from ftui.plan.plan import Plan
from ftui.plan.steps import STEPS, begin
from ftui.tui.app import Wizard
from ftui.tui.services import Facts
from tests.ui.conftest import screen_text, shows, until
from tests.ui.reviews import own_config, review
from tests.ui.stage import MACHINE, Stage, StageApp, facts, preset


async def test_the_review_says_what_it_needs_and_m_shows_the_terms(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with review(Stage(tmp_path), size=size) as pilot:
        await shows(pilot, "Memory", "GiB of system memory (", "m memory")
        await pilot.press("m")
        text = await shows(pilot, "weights of the base model", "✓ fits", "What would need less")
        lines = text.splitlines()
        assert len(lines) == size[1]
        assert max(map(len, lines)) <= size[0]
        change = next(line for line in lines if "▸" in line)
        assert "GiB" in change, "the first change is in sight and has the keys"


async def test_enter_makes_the_change_in_the_config_and_it_needs_less(tmp_path: Path) -> None:
    async with review(Stage(tmp_path), size=(120, 40)) as pilot:
        before = await shows(pilot, "Memory")
        assert "lora_r: 16" in before
        await pilot.press("m")
        before = await shows(pilot, "half the rank")
        while "half the rank" not in _highlighted(await shows(pilot, "▸")):
            await pilot.press("down")
        await pilot.press("enter")
        after = await shows(pilot, "changed: lora_r: 8")
        assert _told(after) <= _told(before)
        await pilot.press("escape")
        await shows(pilot, "config.yml (edited)", "lora_r: 8")


async def test_a_change_keeps_the_comments_of_ones_own_config(tmp_path: Path) -> None:
    async with own_config(Stage(tmp_path), size=(120, 40)) as (pilot, _):
        await shows(pilot, "Memory")
        await pilot.press("m")
        await shows(pilot, "What would need less")
        await pilot.press("enter")
        await shows(pilot, "changed: ")
        await pilot.press("escape")
        await shows(pilot, "config.yml (edited)", "#")


async def test_a_machine_with_a_gpu_is_told_of_its_own(tmp_path: Path) -> None:
    gpu = Gpu("NVIDIA Tiny", 2.0, "sm_90")
    machine = dataclasses.replace(MACHINE, gpus=(gpu,))

    def there(plan: Plan) -> Facts:
        return dataclasses.replace(facts(plan), hardware=machine)

    plan = dataclasses.replace(begin(preset("small-lora"), MACHINE), gpus=1)
    app = StageApp(Wizard(plan), Stage(tmp_path).services(facts=there))
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "What do you want to start from?")
        app.open_review(plan)
        await shows(pilot, "Fits", "NVIDIA Tiny ✗ too small")
        await pilot.press("m")
        text = await shows(pilot, "What would need less")
        assert "NVIDIA Tiny" in text


async def test_what_nobody_can_say_is_said_so(tmp_path: Path) -> None:
    def nobody(*_: Any, hub: bool) -> Estimate:
        raise CannotSay("it is a mixture of 8 experts", why="its weights alone are 90 GiB")

    async with review(Stage(tmp_path), size=(120, 40), estimate=nobody) as pilot:
        await shows(pilot, "Memory", "it is a mixture of 8 experts")
        await pilot.press("m")
        await shows(pilot, "Nobody can say what it needs", "✗ it is a mixture", "90 GiB")


async def test_the_hub_is_asked_only_on_the_screen_of_its_own(tmp_path: Path) -> None:
    asked: list[bool] = []
    stage = Stage(tmp_path)
    real = stage.services().estimate

    def listening(*arguments: Any, hub: bool) -> Estimate:
        asked.append(hub)
        return real(*arguments, hub=False)

    async with review(stage, size=(120, 40), estimate=listening) as pilot:
        await shows(pilot, "Memory")
        assert asked
        assert not any(asked)
        await pilot.press("m")
        await until(pilot, lambda: any(asked))


def _highlighted(text: str) -> str:
    return next(line for line in text.splitlines() if "▸" in line)


def _told(text: str) -> float:
    """The GiB of the line `About 5.2 GiB (…)`."""
    line = next(line for line in text.splitlines() if "About " in line)
    return float(line.split("About ")[1].split(" ")[0])


async def test_the_wizard_says_it_with_every_answer_and_keystroke(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    plan = begin(preset("small-lora"), MACHINE)
    app = StageApp(Wizard(plan), Stage(tmp_path).services())
    async with app.run_test(size=size) as pilot:
        for step in STEPS[:3]:
            await shows(pilot, step.question)
            await pilot.press("enter")
        await shows(pilot, STEPS[3].question, "Memory")
        before = _gib(app)
        await pilot.press("tab", "9", "9")
        await until(pilot, lambda: _gib(app) > before)
        assert max(map(len, screen_text(app).splitlines())) <= size[0]


async def test_a_change_made_from_the_wizard_is_an_answer(tmp_path: Path) -> None:
    plan = begin(preset("small-lora"), MACHINE)
    app = StageApp(Wizard(plan), Stage(tmp_path).services())
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, STEPS[0].question)
        await pilot.press("m")
        await shows(pilot, "half the rank")
        while "half the rank" not in _highlighted(screen_text(app)):
            await pilot.press("down")
        await pilot.press("enter")
        await shows(pilot, "changed: lora_r: 8")
        await pilot.press("escape")
        for step in STEPS:
            await shows(pilot, step.question)
            await pilot.press("enter")
        await shows(pilot, "ftui · review", "lora_r: 8")


def _gib(app: StageApp) -> float:
    """The GiB of the note that is in sight: `Memory  5.2 GiB (…)`."""
    line = next(line for line in screen_text(app).splitlines() if "Memory " in line)
    return float(line.split("Memory ")[1].split()[0])


async def test_with_several_gpus_it_is_asked_and_told_how_they_share_the_work(
    tmp_path: Path,
) -> None:
    plan = begin(preset("small-lora"), MACHINE)
    app = StageApp(Wizard(plan), Stage(tmp_path).services())
    async with app.run_test(size=(120, 40)) as pilot:
        for step in STEPS[:-1]:
            await shows(pilot, step.question)
            await pilot.press("enter")
        text = await shows(pilot, STEPS[-1].question)
        assert "Shared by" not in text
        await pilot.press("tab", "end", "backspace", "4")
        await shows(pilot, "Shared by", "DDP: every")
        await pilot.press("tab", "end", "backspace", "backspace", "backspace", *"fsdp2", "enter")
        await shows(pilot, "ftui · review", "fsdp_version: 2")
