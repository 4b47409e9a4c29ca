"""`ftui --data FILE` where nothing says what the rows are: asked where there is a person to ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftui.cli import _guarded, cli
from ftui.plan.step_data import to_ask
from ftui.tui.app import Launch, Opening, Wizard


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Opening]:
    """What the app was opened with, on a terminal that has a screen."""
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    found: list[Opening] = []

    def run_app(opening: Opening, **options: Any) -> int:
        found.append(opening)
        return 0

    monkeypatch.setattr("ftui.tui.app.run_app", run_app)
    monkeypatch.setattr("ftui.cli._has_screen", lambda: True)
    return found


def run(*arguments: str) -> int:
    line = ["--preset", "nano-sql-lora", *arguments]
    return _guarded(lambda: cli.main(line, prog_name="ftui", standalone_mode=False))


def odd_rows() -> str:
    Path("odd.jsonl").write_text(json.dumps({"subject": "No sound", "reply_text": "Turn it on."}))
    return "odd.jsonl"


def test_the_wizard_opens_with_the_rows_to_ask_about(opened: list[Opening]) -> None:
    assert run("--data", odd_rows(), "--held-out", "5 %", "--set", "lora_r=4") == 0
    [opening] = opened
    assert isinstance(opening, Wizard)
    assert opening.plan is not None
    plan, path = to_ask(opening.plan)
    assert path == str(Path("odd.jsonl").absolute())
    assert (plan.get("val_set_size"), plan.get("lora_r")) == (0.05, 4)
    assert plan.get("datasets") == plan.preset.settings["datasets"]


@pytest.mark.parametrize("flag", ["-y", "--dry-run"])
def test_where_nothing_is_asked_they_are_refused(
    opened: list[Opening], capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    assert run("--data", odd_rows(), flag) == 2
    assert "--columns" in capsys.readouterr().err
    assert opened == []


def test_a_file_cannot_be_held_out_of_rows_that_nobody_knows(
    opened: list[Opening], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--data", odd_rows(), "--held-out", "odd.jsonl") == 2
    assert "it is not known yet what the rows to train on are" in capsys.readouterr().err
    assert opened == []


def test_rows_that_need_no_type_are_not_asked_about(opened: list[Opening]) -> None:
    row = {"input_ids": [1, 2], "attention_mask": [1, 1], "labels": [1, 2]}
    Path("rows.jsonl").write_text(json.dumps(row))
    assert run("--data", "rows.jsonl") == 0
    [opening] = opened
    assert isinstance(opening, Wizard)
    assert opening.plan is not None
    assert to_ask(opening.plan) == (opening.plan, "")


def test_held_out_alone_is_an_answer_too(opened: list[Opening]) -> None:
    assert run("--held-out", "none", "-y") == 0
    [opening] = opened
    assert isinstance(opening, Launch)
    assert opening.plan.get("val_set_size") == 0
    assert "evals_per_epoch" not in opening.plan.settings


def test_a_config_of_ones_own_without_a_type_is_opened_as_it_is(opened: list[Opening]) -> None:
    Path("own.yml").write_text("base_model: a/b\ndatasets: [{path: a/c, type: null}]\n")
    line = ["--config", "own.yml"]
    assert _guarded(lambda: cli.main(line, prog_name="ftui", standalone_mode=False)) == 0
    [opening] = opened
    assert isinstance(opening, Wizard)
    assert opening.plan is not None
    assert to_ask(opening.plan) == (opening.plan, "")
