"""The whole way over Modal: its real client and container runtime, real axolotl, real vLLM."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftui import demo
from ftui.runs.model import Run
from tests.standins.hub import NAME, Hub, hub
from tests.standins.modal_server.lab import Lab, lab
from tests.standins.modal_server.state import TOKEN
from tests.standins.runs import history, wait_for

FTUI = str(Path(sys.executable).with_name("ftui"))
LIMIT = 900.0
STEPS = 60
SETTINGS = (
    *("--set", f"max_steps={STEPS}", "--set", "evals_per_epoch=null"),
    *("--set", "saves_per_epoch=null", "--set", "save_steps=10"),
)


@pytest.fixture(scope="module")
def rows() -> Iterator[Hub]:
    """A hub that has the built-in rows, under another name."""
    shipped = demo.shipped("builtin:nl2sql/train.jsonl").read_bytes()
    with hub({"train.jsonl": shipped}) as made:
        yield made


@pytest.fixture
def modal(tmp_path: Path, rows: Hub) -> Iterator[Lab]:
    with lab(tmp_path / "modal") as made:
        python = Path(os.environ["FTUI_TRAIN_PYTHON"])
        made.play(f'exec {python.with_name("axolotl")} "$@"')
        made.play(f'exec {python} "$@"', "python")
        made.state.container_env["HF_ENDPOINT"] = rows.url
        yield made


def test_one_command_trains_on_modal_through_a_crash_and_the_adapter_that_came_home_answers(
    modal: Lab, home: Path, rows: Hub
) -> None:
    started = ("--preset", "nano-sql-lora", "--data", NAME, "--target", "modal", *SETTINGS)
    asked = ftui(modal, home, rows, *started, "-y", "--plain")
    come_to(home, asked, 11)
    modal.kill()
    out, said = asked.communicate(timeout=LIMIT)
    assert asked.returncode == 0, out + said
    assert f"{STEPS}/{STEPS}" in out
    assert "✓ done" in out

    [run] = runs(home)
    log = run.log_file.read_text()
    assert log.index(f"downloading the rows {NAME}") < log.index("axolotl is at work")
    assert "try 2, in another container: it goes on from step 10" in log
    assert "each verified by its sha256" in log
    for name in ("modal_app.py", "config.yml"):
        assert str(home) not in (run.folder / name).read_text()
    assert not [file for file in run.folder.rglob("*") if file.is_file() and holds(file, TOKEN[1])]
    assert modal.at_work() == []
    assert modal.deployed() == []

    merge(modal, run)
    assert (modal.kept(run) / "out" / "merged" / "model.safetensors").is_file()

    chat = ftui(modal, home, rows, "chat", "latest")
    answer, said = chat.communicate("How many rivers are there?\n", timeout=LIMIT)
    assert chat.returncode == 0, said
    assert "SELECT COUNT(*) FROM rivers" in answer


def merge(modal: Lab, run: Run) -> None:
    """Put the adapter into its base model there, by hand."""
    done = subprocess.run(
        [sys.executable, "-m", "modal", "run", "modal_app.py::merge"],
        cwd=run.folder,
        env={**os.environ, **modal.env, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def runs(home: Path) -> list[Run]:
    return [Run(file.parent) for file in home.glob("runs/*/events.jsonl")]


def come_to(home: Path, asked: subprocess.Popen[str], step: int) -> None:
    def there() -> bool:
        return any(history(run).step >= step for run in runs(home)) or asked.poll() is not None

    wait_for(there, f"step {step}", LIMIT)
    assert asked.poll() is None, asked.communicate()


def ftui(modal: Lab, home: Path, rows: Hub, *arguments: str) -> subprocess.Popen[str]:
    own = {"FTUI_HOME": str(home), "HF_ENDPOINT": rows.url, "HF_HOME": str(home / "hf")}
    return subprocess.Popen(
        [FTUI, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **modal.env, **own},
    )


def holds(file: Path, text: str) -> bool:
    return text.encode() in file.read_bytes()
