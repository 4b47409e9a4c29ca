"""Keeps watch over one local run: `python -m ftui.runs.supervise FOLDER [ARGUMENT]...`.

It belongs to no terminal and to no ftui: it leaves its caller's session, starts train.sh in a
session of its own with all output straight into train.log, records both processes in run.json,
and writes the events `launched` and `exit`. If it is killed, training goes on. The arguments are
train.sh's: from which checkpoint to go on. Where the record names tripwires (extra.stop_on), it
stops a run that touches one.

One line on standard output tells the caller that the trainer has started, or why it has not:
`{"pid": 4711}`, `{"why": "no space left on device"}`, or `{"busy": "it is running already"}`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ftui.errors import RunNotFound
from ftui.runs import events, evidence, guard, process
from ftui.runs.members import VARIABLE, members
from ftui.runs.model import Run
from ftui.runs.prepared import remove_torn
from ftui.runs.store import read_record, write_record

NOT_STARTED = 127
"""The exit code of a trainer that never began, as a shell would say it."""

_STRAGGLERS_SECONDS = float(os.environ.get("FTUI_STRAGGLERS_SECONDS", "30"))
"""How long the trainer's own children may outlive it: a worker may still be saving."""
_AT_ONCE = min(_STRAGGLERS_SECONDS, 1.0)
"""The same where the trainer failed or was killed: nothing of use comes after that."""

_GATE = 'read -r _ && exec /bin/sh "$0" "$@" </dev/null'
"""Waits for a line before training begins; ends without it when the supervisor is gone."""


class _Busy(Exception):
    """Somebody else has launched the run."""


def main(folder: str, *arguments: str) -> int:
    """Start the run's trainer, tell so, and watch it to its end. Returns 0, or 1 if not started."""
    run = Run(Path(folder))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # `ftui … &` had it ignored
    before = evidence.oom_kills()
    try:
        trainer = _start(run, _lock(run), arguments)
    except _Busy as busy:
        _tell({"busy": str(busy)})
        return 1
    except (OSError, RunNotFound) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        _record_exit(run, NOT_STARTED, why=f"the trainer could not be started: {why.lower()}")
        _tell({"why": why.lower()})
        return 1
    _tell({"pid": trainer.pid})
    guard.wait(run, trainer.pid)
    process.kill_after(members(run), _STRAGGLERS_SECONDS if _ended_well(trainer.pid) else _AT_ONCE)
    code = trainer.wait()
    _record_exit(run, code, **evidence.at_exit(run, before))
    return 0


def _ended_well(pid: int) -> bool:
    """Whether a process that is not reaped yet ended by itself with 0."""
    end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return end is not None and (end.si_code, end.si_status) == (os.CLD_EXITED, 0)


def _lock(run: Run) -> int:
    """The handle of the lock that this process and the trainer hold as long as they live."""
    handle = os.open(run.lock_file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _Busy("it is running already") from error
    if members(run):  # their launcher is gone, and with it the lock
        raise _Busy("some of its processes are still running")
    return handle


def _start(run: Run, lock: int, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start train.sh; it trains only once its pid is on disk, so no trainer is ever unknown."""
    record = read_record(run)
    run.stop_file.unlink(missing_ok=True)
    remove_torn(run)
    with run.log_file.open("ab") as log:
        trainer = subprocess.Popen(
            ["/bin/sh", "-c", _GATE, str(run.script_file), *arguments],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=run.folder,
            start_new_session=True,
            env=os.environ | {VARIABLE: str(run.events_file)},
            pass_fds=(lock,),
        )
    assert trainer.stdin is not None
    with trainer.stdin as gate:
        write_record(
            run,
            dataclasses.replace(
                record,
                trainer=process.identify(trainer.pid),
                supervisor=process.identify(os.getpid()),
            ),
        )
        events.append(run.events_file, "launched", pid=trainer.pid)
        gate.write(b"go\n")
    return trainer


def _record_exit(run: Run, code: int, **values: Any) -> None:
    with contextlib.suppress(OSError):  # a full disk: the state then follows from what is there
        events.append(run.events_file, "exit", code=code, **values)


def _tell(words: dict[str, Any]) -> None:
    """Say it to whoever started this, then let go of their pipe."""
    with contextlib.suppress(OSError):  # they may be gone
        os.write(1, json.dumps(words).encode() + b"\n")
    nothing = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1):
        os.dup2(nothing, handle)


if __name__ == "__main__":
    if os.fork():
        os._exit(0)  # the caller waits for this half; the other half is nobody's child
    sys.exit(main(*sys.argv[1:]))
