"""Runs of the scripted trainer, for tests that need a run but no axolotl."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from ftui.errors import RunNotFound
from ftui.runs import process, store
from ftui.runs.failure import what_went_wrong
from ftui.runs.failures import diagnose
from ftui.runs.history import History
from ftui.runs.members import members
from ftui.runs.model import ProcessId, Run, RunRecord, RunState
from ftui.runs.tail import EventFollower
from ftui.targets.resume import Fix, fix_for

_LAUNCH = """
import pathlib, sys, time
from ftui.runs.model import Run
from ftui.targets.local import LocalTarget
LocalTarget().launch(Run(pathlib.Path(sys.argv[1])))
time.sleep(3600)
"""
_OF_FTUI = ("launched", "phase", "cost", "silent", "heard", "stop_passed_on", "exit")
_TRAINER = Path(__file__).with_name("scripted_trainer.py")


def told_in_order(run: Run) -> list[str]:
    """All that the trainer has told, in the words of the scripted trainer's file `truth`."""
    told = [event for event in EventFollower(run).poll() if event.kind not in _OF_FTUI]
    return [f"{event.kind}:{event.step}" for event in told]


def make_run(steps: int = 3, manner: str = "", config: str = "") -> Run:
    """A prepared run in FTUI_HOME whose train.sh runs the scripted trainer."""
    run = store.create("scripted")
    command = shlex.join([sys.executable, str(_TRAINER), str(steps), *filter(None, [manner])])
    run.script_file.write_text(
        f'cd -- "$(dirname -- "$0")"\nexport FTUI_EVENTS="$PWD/events.jsonl"\nexec {command} "$@"\n'
    )
    record = RunRecord(
        name=run.name,
        preset="scripted",
        title="Scripted",
        target="local",
        created=time.time(),
        settings=yaml.safe_load(config) or {},
    )
    run.config_file.write_text(config)
    store.write_record(run, record)
    return run


def allow(run: Run, steps: int) -> None:
    """Let the trainer go on to this step."""
    draft = run.folder / ".allowed"
    draft.write_text(str(steps))
    draft.replace(run.folder / "allowed")


def history(run: Run) -> History:
    """All that the run's events say by now."""
    told = History()
    told.extend(EventFollower(run).poll())
    return told


def state(run: Run) -> RunState:
    """Where the run stands by now."""
    return store.state(run, history(run))


def failure_words(run: Run) -> str:
    """What people are told of why it ended badly, in one line."""
    return diagnose(run).words


def fix_of(run: Run) -> Fix | None:
    """What a person is offered to change before it is tried again."""
    wrong = what_went_wrong(run, state(run), history(run))
    return fix_for(run, wrong) if wrong is not None else None


def trainer(run: Run) -> ProcessId:
    """The trainer of a launched run."""
    found = store.read_record(run).trainer
    assert found is not None
    return found


def supervisor(run: Run) -> ProcessId:
    """The supervisor of a launched run."""
    found = store.read_record(run).supervisor
    assert found is not None
    return found


def wait_for(condition: Callable[[], bool], what: str, limit: float = 30.0) -> None:
    """Wait until the condition holds; fails with `what` when it does not within `limit` seconds."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"waited {limit:.0f} s for {what}"
        time.sleep(0.01)


@contextlib.contextmanager
def launched_by_another(run: Run) -> Iterator[Callable[[], None]]:
    """Launch the run from another process, which stays; gives what kills that process at once."""
    launcher = subprocess.Popen(
        [sys.executable, "-c", _LAUNCH, str(run.folder)], start_new_session=True
    )

    def kill() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(launcher.pid, signal.SIGKILL)
        launcher.wait()

    try:
        yield kill
    finally:
        if launcher.poll() is None:
            kill()


def end_processes(run: Run) -> None:
    """Leave nothing of the run running, whatever a test did, to its record too."""
    with contextlib.suppress(RunNotFound, ProcessLookupError):
        supervisor = store.read_record(run).supervisor
        if supervisor is not None and process.alive(supervisor):
            os.kill(supervisor.pid, signal.SIGKILL)
    while left := members(run):
        process.send(left, signal.SIGKILL)
        process.kill_after(left, 5.0)
