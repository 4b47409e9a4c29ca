"""The review: what is shown is what runs, problems stand at their lines, nothing wrong launches."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from ftui.config.issue import Issue
from ftui.errors import ExitCode, RuntimeMissing, UsageError
from ftui.plan.hardware import Gpu
from ftui.plan.own_config import open_config
from ftui.plan.steps import begin
from ftui.tui.app import Launch, Wizard
from ftui.tui.screens.review import ReviewScreen
from ftui.tui.widgets.config_view import ConfigView
from tests.ui.conftest import shows, until
from tests.ui.stage import MACHINE, Stage, StageApp, preset


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


def editor(change: tuple[str, str]) -> Any:
    return lambda app, path: path.write_text(path.read_text().replace(*change))


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
    async with review(stage, size=size, edit=editor(change)) as pilot:
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


async def test_an_edited_config_runs_to_the_letter(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    async with review(stage, edit=editor(("lora_r: 16", "lora_r: 24  # mine"))) as pilot:
        await pilot.press("e")
        await shows(pilot, "config.yml (edited)", "lora_r: 24", "✓ no errors")
        await pilot.press("w")
        await shows(pilot, "✓ written, nothing started", "small-lora-1123-amber")
    _, text = stage.prepared[0]
    assert text is not None
    assert "lora_r: 24  # mine" in text
    assert stage.launched == []


async def test_edits_survive_going_back_to_the_questions(tmp_path: Path) -> None:
    async with review(Stage(tmp_path), edit=editor(("lora_r: 16", "lora_r: 24"))) as pilot:
        await pilot.press("e")
        await shows(pilot, "config.yml (edited)")
        await pilot.press("escape")
        await shows(pilot, "What do you want to start from?")
        await pilot.press(*["enter"] * 5)
        await shows(pilot, "config.yml (edited)", "lora_r: 24")


async def test_an_editor_that_fails_changes_nothing(tmp_path: Path) -> None:
    def broken(app: Any, path: Path) -> None:
        path.write_text("half: written\n")
        raise UsageError("there is no editor", hint="set EDITOR")

    async with review(Stage(tmp_path), edit=broken) as pilot:
        await pilot.press("e")
        await shows(pilot, "✗ there is no editor", "→ set EDITOR", "✓ no errors")


async def test_a_target_that_lacks_something_says_so_and_refuses(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    stage = Stage(tmp_path)
    async with review(stage, "large-qlora", size) as pilot:
        await shows(pilot, "It cannot run here", "✗ needs a GPU", "→ try another preset")
        await pilot.press("enter", "enter")
        await shows(pilot, "✗ not launched: it needs a GPU")
        assert stage.prepared == []


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


async def test_text_from_a_config_is_never_markup(tmp_path: Path) -> None:
    change = ("base_model: Qwen/Qwen3-0.6B", 'base_model: "[red]x[/] \\e[31m"')
    async with review(Stage(tmp_path), edit=editor(change)) as pilot:
        await pilot.press("e")
        await shows(pilot, 'base_model: "[red]x[/] \\e[31m"')


async def test_the_first_problem_is_scrolled_into_sight(tmp_path: Path) -> None:
    change = ("bf16:", "bf61:")
    async with review(Stage(tmp_path), size=(80, 24), edit=editor(change)) as pilot:
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
        await shows(pilot, "✗ not launched: it needs a GPU")
        assert isinstance(app.screen, ReviewScreen)
        await pilot.press("escape")
    assert app.return_value is ExitCode.UNAVAILABLE


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
async def own_config(
    tmp_path: Path, size: tuple[int, int] = (120, 40), **replaced: Any
) -> AsyncIterator[tuple[Pilot[Any], Path]]:
    """The review of a person's own file."""
    file = tmp_path / "bot.yml"
    file.write_text(CONFIG)
    plan = begin(open_config(file), MACHINE)
    app = StageApp(Wizard(plan), Stage(tmp_path).services(**replaced))
    async with app.run_test(size=size) as pilot:
        await shows(pilot, "What do you want to start from?", "bot")
        app.open_review(plan)
        await shows(pilot, "ftui · review", "# Ours.  Ask Ana.")
        yield pilot, file


async def test_an_own_config_keeps_its_looks_and_is_saved_into_its_file(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    change = ("lora_r: 16", "lora_r: 24  # mine")
    async with own_config(tmp_path, size, edit=editor(change)) as (pilot, file):
        await shows(pilot, "base_model:   Qwen/Qwen3-0.6B   # small", "s save")
        await pilot.press("e")
        await shows(pilot, "lora_r: 24  # mine")
        await pilot.press("s")
        await shows(pilot, "✓ saved", "bot.yml")
        assert file.read_text() == CONFIG.replace(*change), "not a byte more"
        await pilot.press("e", "s")
        await shows(pilot, "✓ saved")


async def test_a_file_changed_by_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    async with own_config(tmp_path) as (pilot, file):
        file.write_text("other: 1\n")
        await pilot.press("s")
        await shows(pilot, "not written: the file was changed", "→ open it again")
        assert file.read_text() == "other: 1\n"


async def test_f_writes_what_is_out_of_date_as_it_is_written_today(tmp_path: Path) -> None:
    change = ("lora_r: 16", "lora_r: 16\nevaluation_strategy: epoch  # mine\nval_set_size: 0.1")
    async with review(Stage(tmp_path), edit=editor(change)) as pilot:
        text = await shows(pilot, "✓ no errors")
        assert "f fix" not in text.splitlines()[-1], "there is nothing to fix"
        await pilot.press("e")
        await shows(pilot, "✗ 1 error", "evaluation_strategy", "f fix")
        await pilot.press("f")
        await shows(pilot, "eval_strategy: epoch  # mine", "✓ no errors", "✓ fixed")


async def test_a_preset_has_no_file_to_save_into(tmp_path: Path) -> None:
    async with review(Stage(tmp_path)) as pilot:
        text = await shows(pilot, "✓ no errors")
        assert "save" not in text.splitlines()[-1]


async def test_the_report_follows_every_save_of_an_editor_that_stays_open(tmp_path: Path) -> None:
    opened: list[Path] = []
    async with review(Stage(tmp_path), edit=lambda app, path: opened.append(path)) as pilot:
        await pilot.press("e")
        await until(pilot, lambda: bool(opened))
        [path] = opened
        good = path.read_text()
        await shows(pilot, "✓ no errors")
        path.write_text(good.replace("lora_dropout:", "lora_dropuot:"))
        await shows(pilot, "✗ 1 error", "did you mean lora_dropout?")
        path.write_text("a: [1\n")
        await shows(pilot, "this is not YAML")
        path.write_bytes(b"\xff\xfe")
        await shows(pilot, "✗ what was saved is not UTF-8 text")
        path.unlink()  # as an editor does that saves by replacing the file
        path.write_text(good + "seed: 7\n")
        await shows(pilot, "✓ no errors", "config.yml (edited)")
        await pilot.press("w")
        await shows(pilot, "✓ written, nothing started")
    assert not path.exists(), "the draft goes with the app"
