"""The review: what is shown is what runs, problems stand at their lines, nothing wrong launches."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from ftui.config.changes import changes
from ftui.config.issue import Issue
from ftui.errors import ExitCode, RuntimeMissing
from ftui.plan.hardware import Gpu
from ftui.plan.plan import Plan
from ftui.plan.steps import begin
from ftui.targets.base import Problem
from ftui.tui.app import Launch
from ftui.tui.screens.review import ReviewScreen
from ftui.tui.services import Facts
from ftui.tui.widgets.config_view import ConfigView
from tests.ui.conftest import shows, until
from tests.ui.reviews import editor, own_config, review
from tests.ui.stage import MACHINE, Stage, StageApp, facts, preset


async def test_the_review_at_each_size(tmp_path: Path, size: tuple[int, int]) -> None:
    async with review(Stage(tmp_path), size=size) as pilot:
        text = await shows(pilot, "✓ no errors", "axolotl agrees")
        lines = text.splitlines()
        assert len(lines) == size[1]
        assert max(map(len, lines)) <= size[0]
        assert "base_model: Qwen/Qwen3-0.6B" in text
        assert "python -m axolotl.cli.train config.yml" in text
        assert "enter launch" in lines[-1], "the main action is in sight"


async def test_a_misspelt_key_is_told_under_its_line_and_stops_the_launch(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    stage = Stage(tmp_path)
    change = ("lora_dropout:", "lora_dropuot:")
    async with review(stage, size=size, edit=editor(*change)) as pilot:
        await pilot.press("e")
        text = await shows(pilot, "✗ 1 error", "config.yml (edited)", "lora_dropuot:")
        lines = text.splitlines()
        at = next(number for number, line in enumerate(lines) if "lora_dropuot:" in line)
        assert "✗" in lines[at + 1]
        words = " ".join(" ".join(lines[at + 1 : at + 3]).split())
        assert "did you mean lora_dropout" in words, "with the nearest real key"
        await pilot.press("enter", "enter")
        await shows(pilot, "✗ not launched: the config has 1 error", "e opens it in your editor")
        assert stage.prepared == []


async def test_a_target_that_lacks_something_says_so_and_refuses(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    stage = Stage(tmp_path)
    async with review(stage, "large-qlora", size) as pilot:
        await shows(pilot, "It cannot run here", "✗ needs a GPU", "→ try another preset")
        await pilot.press("enter", "enter")
        await shows(pilot, "✗ not launched: needs a GPU")
        assert stage.prepared == []


async def test_what_cannot_run_is_not_said_to_launch(tmp_path: Path) -> None:
    problem = Problem("needs 4 GPUs", "--dry-run writes the files", "w writes the files")

    def lacking(plan: Plan) -> Facts:
        return dataclasses.replace(facts(plan), problems=[problem])

    async with review(Stage(tmp_path), facts=lacking) as pilot:
        text = await shows(pilot, "It cannot run here", "✗ needs 4 GPUs", "→ w writes the files")
        assert "Enter launches" not in text
        assert "--dry-run" not in text


async def test_what_the_answers_changed_in_an_own_config_is_told(tmp_path: Path) -> None:
    def changed(plan: Plan) -> Facts:
        return dataclasses.replace(facts(plan), changes=changes(plan.with_settings(lora_r=8)))

    async with own_config(Stage(tmp_path), facts=changed) as (pilot, _):
        await shows(pilot, "Changed by your answers", "lora_r 8")


class SlowValidator:
    """An axolotl that answers when it is told to."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[list[Issue]] = asyncio.get_running_loop().create_future()

    async def validate(self, config_text: str, gpus: Sequence[Gpu]) -> list[Issue]:
        return await self.answer

    async def __aenter__(self) -> SlowValidator:
        return self

    async def __aexit__(self, *error: object) -> None:
        pass


async def test_enter_waits_for_axolotl_and_its_objections_stop_the_launch(tmp_path: Path) -> None:
    stage, axolotl = Stage(tmp_path), SlowValidator()
    async with review(stage, validator=lambda: axolotl) as pilot:
        await shows(pilot, "checking with axolotl")
        await pilot.press("enter")
        await shows(pilot, "then launching")
        axolotl.answer.set_result([Issue("error", "lora_r", 1, "lora_r and adapter disagree")])
        await shows(pilot, "✗ 1 error", "lora_r and adapter disagree", "✗ not launched")
        assert stage.prepared == []


async def test_a_second_enter_does_not_wait(tmp_path: Path) -> None:
    stage, axolotl = Stage(tmp_path), SlowValidator()
    async with review(stage, validator=lambda: axolotl) as pilot:
        await shows(pilot, "checking with axolotl")
        await pilot.press("enter", "enter")
        await until(pilot, lambda: len(stage.launched) == 1)


async def test_without_a_train_runtime_the_review_says_when_axolotl_will_check(
    tmp_path: Path,
) -> None:
    @contextlib.asynccontextmanager
    async def missing() -> AsyncIterator[Any]:
        raise RuntimeMissing("the train runtime is not set up")
        yield

    async with review(Stage(tmp_path), validator=missing) as pilot:
        await shows(pilot, "✓ no errors", "axolotl's own check comes after the set-up")


async def test_warnings_are_counted_beside_the_errors_and_stop_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    warning = Issue("warning", "lora_r", 1, "this is small")
    async with review(stage, lint=lambda text, gpus: [warning]) as pilot:
        await shows(pilot, "✓ no errors   ▲ 1 warning", "this is small", "axolotl agrees")
        await pilot.press("enter")
        await until(pilot, lambda: len(stage.launched) == 1)


async def test_text_from_a_config_is_never_markup(tmp_path: Path) -> None:
    change = ("base_model: Qwen/Qwen3-0.6B", 'base_model: "[red]x[/] \\e[31m"')
    async with review(Stage(tmp_path), edit=editor(*change)) as pilot:
        await pilot.press("e")
        await shows(pilot, 'base_model: "[red]x[/] \\e[31m"')


async def test_the_first_problem_is_scrolled_into_sight(tmp_path: Path) -> None:
    change = ("bf16:", "bf61:")
    async with review(Stage(tmp_path), size=(80, 24), edit=editor(*change)) as pilot:
        await pilot.press("e")
        await shows(pilot, "bf61:")
        assert pilot.app.screen.query_one(ConfigView).scroll_offset.y > 0


async def test_yes_to_everything_launches_at_once_and_the_chat_follows(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    app = StageApp(Launch(begin(preset("small-lora"), MACHINE)), stage.services())
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.watching == [("small-lora-1123-amber", True)])
    assert len(stage.launched) == 1


async def test_yes_to_what_cannot_run_stays_and_says_why(tmp_path: Path) -> None:
    app = StageApp(Launch(begin(preset("large-qlora"), MACHINE)), Stage(tmp_path).services())
    async with app.run_test() as pilot:
        await shows(pilot, "✗ not launched: needs a GPU")
        assert isinstance(app.screen, ReviewScreen)
        await pilot.press("escape")
    assert app.return_value is ExitCode.UNAVAILABLE
