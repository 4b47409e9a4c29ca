"""The whole way over Modal: its real client and container runtime, real axolotl, real vLLM."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standins.modal_server.lab import Lab, lab
from tests.standins.modal_server.state import TOKEN

FTUI = str(Path(sys.executable).with_name("ftui"))
LIMIT = 900.0
STEPS = 60


@pytest.fixture
def modal(tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path / "modal") as made:
        axolotl = Path(os.environ["FTUI_TRAIN_PYTHON"]).with_name("axolotl")
        made.play(f'exec {axolotl} "$@"')
        yield made


def test_one_command_trains_on_modal_and_the_adapter_that_came_home_answers(
    modal: Lab, home: Path
) -> None:
    done = ftui(modal, home, "--preset", "nano-sql-lora", "--target", "modal", "-y", "--plain")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{STEPS}/{STEPS}" in done.stdout
    assert "✓ done" in done.stdout

    [run] = (home / "runs").iterdir()
    log = (run / "train.log").read_text()
    assert "building the image" in log
    assert "each verified by its sha256" in log
    for name in ("modal_app.py", "config.yml"):
        assert str(home) not in (run / name).read_text()
    assert not [file for file in run.rglob("*") if file.is_file() and holds(file, TOKEN[1])]
    assert modal.at_work() == []
    assert modal.deployed() == []

    answer = ftui(modal, home, "chat", "latest", question="How many rivers are there?\n")
    assert answer.returncode == 0, answer.stderr
    assert "SELECT COUNT(*) FROM rivers" in answer.stdout


def ftui(
    modal: Lab, home: Path, *arguments: str, question: str | None = None
) -> subprocess.CompletedProcess[str]:
    few = (
        "--set",
        f"max_steps={STEPS}",
        "--set",
        "evals_per_epoch=null",
        "--data",
        str(rows(home)),
    )
    return subprocess.run(
        [FTUI, *arguments, *(few if question is None else ())],
        capture_output=True,
        text=True,
        input=question or "",
        env={**os.environ, **modal.env, "FTUI_HOME": str(home)},
        timeout=LIMIT,
        check=False,
    )


def rows(home: Path) -> Path:
    """The built-in rows under another name: such a run is not evaluated on its own."""
    from ftui import demo

    file = home.parent / "my rows.jsonl"
    file.write_bytes(demo.shipped("builtin:nl2sql/train.jsonl").read_bytes())
    return file


def holds(file: Path, text: str) -> bool:
    return text.encode() in file.read_bytes()
