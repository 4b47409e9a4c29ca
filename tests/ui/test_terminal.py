"""A terminal that is closed ends ftui, whether the system sends SIGHUP or not."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftui.errors import ExitCode
from ftui.runs.model import Run, RunState
from ftui.targets.local import LocalTarget
from tests.standins import runs
from tests.standins.runs import allow, state, wait_for

FTUI = "from ftui.cli import main; main()"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A scripted run that trains."""
    monkeypatch.setenv("FTUI_HOME", str(tmp_path))
    monkeypatch.setenv("FTUI_TRAIN_PYTHON", sys.executable)
    monkeypatch.setenv("TERM", "xterm-256color")
    run = runs.make_run(9)
    LocalTarget().launch(run)
    allow(run, 2)
    yield run
    runs.end_processes(run)


def watch(run: Run, terminal: int, *, controlling: bool) -> subprocess.Popen[bytes]:
    """Watch a run in a terminal; one that is not `controlling` sends no SIGHUP."""

    def own_session() -> None:
        os.setsid()
        if controlling:
            fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    return subprocess.Popen(
        [sys.executable, "-c", FTUI, "watch", run.name],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        preexec_fn=own_session,
    )


def read_until(master: int, words: bytes) -> None:
    """Read what is drawn until the words come."""
    drawn = b""
    while words not in drawn:
        drawn += os.read(master, 65536)


@pytest.mark.parametrize("controlling", [True, False], ids=["with SIGHUP", "without"])
def test_closing_the_terminal_ends_ftui_and_not_the_run(run: Run, controlling: bool) -> None:
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    program = watch(run, terminal, controlling=controlling)
    os.close(terminal)
    read_until(master, b"training")
    os.close(master)
    try:
        wait_for(lambda: program.poll() is not None, "the end of ftui", 60)
    finally:
        program.kill()
        program.wait()
    assert program.returncode == ExitCode.INTERRUPTED
    assert state(run) is RunState.TRAINING


def test_a_signal_ends_it_in_a_terminal_that_is_closed(run: Run) -> None:
    master, terminal = pty.openpty()
    program = watch(run, terminal, controlling=False)
    os.close(terminal)
    read_until(master, b"training")
    os.close(master)
    program.send_signal(signal.SIGTERM)
    try:
        wait_for(lambda: program.poll() is not None, "the end of ftui", 60)
    finally:
        program.kill()
        program.wait()
    assert program.returncode == ExitCode.INTERRUPTED
