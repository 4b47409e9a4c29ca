"""Runs of the scripted trainer, each test with a home of its own."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftui.runs import process
from ftui.runs.model import Run
from ftui.targets.local import LocalTarget
from tests.standins import runs
from tests.standins.runs import allow, history, supervisor, trainer, wait_for


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Run]]:
    """The runs of a test, in its own home; nothing of them is left running after it."""
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FTUI_TRAIN_PYTHON", sys.executable)
    made: list[Run] = []
    yield made
    for run in made:
        runs.end_processes(run)


@pytest.fixture
def killed(made: list[Run]) -> Run:
    """A run of 9 steps that was killed at step 5, with checkpoints of steps 2 and 4."""
    run = runs.make_run(9)
    made.append(run)
    LocalTarget().launch(run)
    allow(run, 5)
    wait_for(lambda: history(run).step == 5, "step 5")
    os.kill(trainer(run).pid, signal.SIGKILL)
    wait_for(lambda: not process.alive(supervisor(run)), "the end")
    return run
