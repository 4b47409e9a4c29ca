"""Edits by hand: they run and are saved to the letter, and none is ever lost without a word."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from ftui.config.issue import Issue
from ftui.errors import UsageError
from ftui.plan.hardware import Gpu
from ftui.tui.screens import review as screen
from tests.ui.conftest import LIMIT, shows, until, words_of
from tests.ui.reviews import CONFIG, editor, own_config, review, walk, walk_back
from tests.ui.stage import Stage

LEFT_OUT = "your edits are left out: they were made for other answers"


async def open_beside(pilot: Pilot[Any], opened: list[Path]) -> Path:
    """Press e; the file that an editor which stays open now has."""
    await pilot.press("e")
    await until(pilot, lambda: bool(opened))
    return opened[-1]


# What is edited is what runs.


async def test_an_edited_config_runs_to_the_letter(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    async with review(stage, edit=editor("lora_r: 16", "lora_r: 24  # mine")) as pilot:
        await pilot.press("e")
        await shows(pilot, "config.yml (edited)", "lora_r: 24", "✓ no errors")
        await pilot.press("w")
        await shows(pilot, "✓ written, nothing started", "small-lora-1123-amber")
    _, text = stage.prepared[0]
    assert "lora_r: 24  # mine" in text
    assert stage.launched == []


async def test_what_was_never_looked_at_is_not_launched(tmp_path: Path) -> None:
    looked = threading.Event()

    def slow_lint(text: str, gpus: Sequence[Gpu] | None) -> list[Issue]:
        if "lora_dropuot" not in text:
            return []
        assert looked.wait(LIMIT)
        return [Issue("error", "lora_dropuot", 1, "there is no such key")]

    stage = Stage(tmp_path)
    change = editor("lora_dropout:", "lora_dropuot:")
    async with review(stage, edit=change, lint=slow_lint) as pilot:
        await shows(pilot, "axolotl agrees")
        await pilot.press("e", "enter", "enter", "enter")
        looked.set()
        await shows(pilot, "✗ not launched: the config has 1 error")
        assert stage.prepared == []


async def test_the_report_follows_every_save_of_an_editor_that_stays_open(tmp_path: Path) -> None:
    opened: list[Path] = []
    async with review(Stage(tmp_path), edit=lambda app, path: opened.append(path)) as pilot:
        path = await open_beside(pilot, opened)
        good = path.read_text()
        await shows(pilot, "✓ no errors")
        path.write_text(good.replace("lora_dropout:", "lora_dropuot:"))
        await shows(pilot, "✗ 1 error", "did you mean lora_dropout?")
        path.write_text("a: [1\n")
        await shows(pilot, "this is not YAML")
        path.write_bytes(b"\xff\xfe")
        await shows(pilot, "✗ what was saved is not UTF-8 text")
        path.unlink()  # as an editor does that saves by replacing the file
        path.write_text(good + "weight_decay: 0.1\n")
        await shows(pilot, "✓ no errors", "config.yml (edited)")
        await pilot.press("w")
        await shows(pilot, "✓ written, nothing started")
    assert not path.exists(), "the draft goes with the app"


# Edits and answers.


async def test_edits_survive_going_back_to_the_questions(tmp_path: Path) -> None:
    async with review(Stage(tmp_path), edit=editor("lora_r: 16", "lora_r: 24")) as pilot:
        await pilot.press("e")
        await shows(pilot, "config.yml (edited)")
        await pilot.press("escape")
        await walk(pilot)
        await shows(pilot, "config.yml (edited)", "lora_r: 24")


async def test_edits_made_for_other_answers_are_left_out_and_told_and_come_back_with_them(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    change = editor("# Model", "# Mine")
    async with review(Stage(tmp_path), size=size, edit=change) as pilot:
        await pilot.press("e")
        await shows(pilot, "config.yml (edited)", "# Mine")
        await pilot.press("escape")
        await walk(pilot, rank="64")
        text = await shows(pilot, f"▲ {LEFT_OUT}", "→ they are in", "# Model")
        assert "(edited)" not in text
        await walk_back(pilot)
        await walk(pilot, rank="16")
        text = await shows(pilot, "config.yml (edited)", "# Mine")
        assert "left out" not in text


async def test_a_save_in_an_editor_that_was_opened_for_other_answers_changes_nothing_here(
    tmp_path: Path,
) -> None:
    stage, opened = Stage(tmp_path), list[Path]()
    async with review(stage, edit=lambda app, path: opened.append(path)) as pilot:
        path = await open_beside(pilot, opened)
        first = path.read_text()
        await pilot.press("escape", "j")
        await walk(pilot)
        await shows(pilot, "base_model: meta-llama/Llama-3.1-8B", "It cannot run here")
        path.write_text(first + "weight_decay: 0.1\n")
        text = await shows(pilot, f"▲ {LEFT_OUT}", str(path)[:20])
        assert "base_model: meta-llama/Llama-3.1-8B" in text
        await pilot.press("e")
        await until(pilot, lambda: len(opened) == 2)
        assert opened[1] != path, "each has a file of its own"
        assert path.read_text() == first + "weight_decay: 0.1\n"
        await pilot.press("enter", "enter")
        await shows(pilot, "✗ not launched: needs a GPU")
        assert stage.prepared == []


async def test_a_save_while_the_review_is_closed_is_there_when_it_opens(tmp_path: Path) -> None:
    opened: list[Path] = []
    async with review(Stage(tmp_path), edit=lambda app, path: opened.append(path)) as pilot:
        path = await open_beside(pilot, opened)
        await pilot.press("escape")
        path.write_text(path.read_text().replace("# Model", "# Mine"))
        await walk(pilot)
        await shows(pilot, "config.yml (edited)", "# Mine")


async def test_leaving_the_wizard_asks_when_there_are_edits(tmp_path: Path) -> None:
    async with review(Stage(tmp_path), edit=editor("lora_r: 16", "lora_r: 24")) as pilot:
        await pilot.press("e")
        await shows(pilot, "config.yml (edited)")
        await pilot.press("escape", "escape")
        await shows(pilot, "Leave the wizard?")


# Edits and the editor.


async def test_a_save_is_taken_before_the_editor_opens_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen, "_LOOK", 3600.0)
    opened: list[Path] = []
    async with review(Stage(tmp_path), edit=lambda app, path: opened.append(path)) as pilot:
        path = await open_beside(pilot, opened)
        edited = path.read_text().replace("# Model", "# Mine")
        path.write_text(edited)
        await pilot.press("e")
        await shows(pilot, "config.yml (edited)", "# Mine")
        assert path.read_text() == edited


async def test_an_editor_that_fails_changes_nothing_and_what_it_saved_is_kept(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    drafts: list[Path] = []

    def broken(app: Any, path: Path) -> None:
        drafts.append(path)
        path.write_text("half: written\n")
        raise UsageError("there is no editor", hint="set EDITOR")

    async with review(Stage(tmp_path), size=size, edit=broken) as pilot:
        await pilot.press("e")
        text = await shows(pilot, "✗ there is no editor", "→ set EDITOR", "✓ no errors")
        assert "half" not in text
        kept = next(path for path in drafts[0].parent.iterdir() if path != drafts[0])
        assert kept.read_text() == "half: written\n"
        assert str(kept) in words_of(pilot.app, "#problem")
        assert "base_model" in drafts[0].read_text()


async def test_without_room_for_the_file_the_editor_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**words: Any) -> Any:
        raise OSError(28, "No space left on device")

    async with review(Stage(tmp_path)) as pilot:
        await shows(pilot, "✓ no errors")
        monkeypatch.setattr("tempfile.TemporaryDirectory", full)
        await pilot.press("e")
        await shows(pilot, "✗ the config cannot be edited", "No space left on device")


# Fix.

OLD = ("lora_r: 16", "lora_r: 16\nevaluation_strategy: epoch  # mine\nval_set_size: 0.1")


async def test_f_writes_what_is_out_of_date_as_it_is_written_today(tmp_path: Path) -> None:
    async with review(Stage(tmp_path), edit=editor(*OLD)) as pilot:
        text = await shows(pilot, "✓ no errors")
        assert "f fix" not in text.splitlines()[-1], "there is nothing to fix"
        await pilot.press("e")
        await shows(pilot, "✗ 1 error", "evaluation_strategy", "f fix")
        await pilot.press("f")
        await shows(pilot, "eval_strategy: epoch  # mine", "✓ no errors", "✓ fixed")


async def test_what_f_fixed_is_in_the_file_of_an_open_editor(tmp_path: Path) -> None:
    opened: list[Path] = []
    async with review(Stage(tmp_path), edit=lambda app, path: opened.append(path)) as pilot:
        path = await open_beside(pilot, opened)
        path.write_text(path.read_text().replace(*OLD))
        await shows(pilot, "✗ 1 error", "f fix")
        await pilot.press("f")
        await shows(pilot, "✓ fixed", "eval_strategy: epoch  # mine")
        assert "eval_strategy: epoch  # mine" in path.read_text()


async def test_f_holds_up_neither_the_screen_nor_the_way_back(tmp_path: Path) -> None:
    asked, mended = threading.Event(), threading.Event()

    def slow_mend(text: str, gpus: Sequence[Gpu] | None) -> str:
        asked.set()
        assert mended.wait(LIMIT)
        return text.replace("evaluation_strategy", "eval_strategy")

    stage = Stage(tmp_path)
    async with review(stage, edit=editor(*OLD), mend=slow_mend) as pilot:
        await pilot.press("e")
        await shows(pilot, "f fix")
        await pilot.press("f")
        await shows(pilot, "fixing …")
        await until(pilot, asked.is_set)
        await pilot.press("enter", "enter", "f")
        mended.set()
        await shows(pilot, "✓ fixed", "eval_strategy: epoch")
        assert stage.prepared == [], "nothing else was done meanwhile"


# Saving into the person's own file.


async def test_an_own_config_keeps_its_looks_and_is_saved_into_its_file(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    change = ("lora_r: 16", "lora_r: 24  # mine")
    async with own_config(Stage(tmp_path), size, edit=editor(*change)) as (pilot, file):
        await shows(pilot, "base_model:   Qwen/Qwen3-0.6B   # small", "s save")
        await pilot.press("e")
        await shows(pilot, "lora_r: 24  # mine")
        await pilot.press("s")
        await shows(pilot, "✓ saved")
        assert file.read_text() == CONFIG.replace(*change), "not a byte more"
        await pilot.press("e", "s")
        await shows(pilot, "✓ saved")


async def test_a_second_save_keeps_what_was_saved_before(tmp_path: Path) -> None:
    change = ("lora_alpha: 32", "lora_alpha: 48\nweight_decay: 0.1  # by hand")
    async with own_config(Stage(tmp_path), edit=editor(*change)) as (pilot, file):
        await pilot.press("e")
        await shows(pilot, "weight_decay: 0.1  # by hand")
        await pilot.press("s")
        await shows(pilot, "✓ saved")
        await walk_back(pilot)
        await walk(pilot, rank="64")
        text = await shows(pilot, "lora_r: 64", "weight_decay: 0.1  # by hand", "lora_alpha: 48")
        assert "left out" not in text, "what was saved belongs to the answers now"
        await pilot.press("s")
        await shows(pilot, "✓ saved")
        assert file.read_text() == CONFIG.replace(*change).replace("lora_r: 16", "lora_r: 64")


async def test_after_a_save_the_wizard_starts_from_what_the_file_holds(tmp_path: Path) -> None:
    change = ("lora_r: 16", "lora_r: 24")
    async with own_config(Stage(tmp_path), edit=editor(*change)) as (pilot, file):
        await pilot.press("e")
        await shows(pilot, "lora_r: 24")
        await pilot.press("s")
        await shows(pilot, "✓ saved")
        await pilot.press("escape", "escape")
        await shows(pilot, "Rank             24")
        await pilot.press("escape", "escape", "escape")
        await shows(pilot, "What do you want to start from?")
        await pilot.press("j", "enter", "escape")  # another preset, and back to the own one
        await pilot.press("k")
        await walk(pilot)
        await shows(pilot, "# Ours.  Ask Ana.", "lora_r: 24")
        file.write_text("other: 1\n")
        await pilot.press("s")
        await shows(pilot, "→ open it again")


async def test_after_a_save_there_is_nothing_to_lose_by_leaving(tmp_path: Path) -> None:
    async with own_config(Stage(tmp_path), edit=editor("lora_r: 16", "lora_r: 24")) as (pilot, _):
        await pilot.press("e", "s")
        await shows(pilot, "✓ saved")
        await walk_back(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app._exit)


async def test_a_file_changed_by_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    async with own_config(Stage(tmp_path)) as (pilot, file):
        file.write_text("other: 1\n")
        await pilot.press("s")
        await shows(pilot, "not written: the file was", "→ open it again")
        assert file.read_text() == "other: 1\n"


async def test_a_preset_has_no_file_to_save_into(tmp_path: Path) -> None:
    async with review(Stage(tmp_path)) as pilot:
        text = await shows(pilot, "✓ no errors")
        assert "save" not in text.splitlines()[-1]
