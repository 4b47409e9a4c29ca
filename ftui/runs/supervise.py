"""Keeps watch over one local run: `python -m ftui.runs.supervise FOLDER ORDERS [ARGUMENT]...`.

It belongs to no terminal and to no ftui: it leaves its caller's session, starts train.sh in a
session of its own with all output straight into train.log, records both processes in run.json,
and writes the events `launched` and `exit`. If it is killed, training goes on. The arguments are
train.sh's: from which checkpoint to go on. Where the record names tripwires (extra.stop_on), it
stops a run that touches one.

One line on standard output tells the caller that the trainer has started, or why it has not:
`{"pid": 4711}`, `{"why": "no space left on device"}`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftui.errors import RunNotFound
from ftui.runs import events, evidence, guard, process
from ftui.runs.history import Try
from ftui.runs.lock import turn_or_not
from ftui.runs.members import VARIABLE, members
from ftui.runs.model import Run
from ftui.runs.prepared import remove_torn
from ftui.runs.store import read_record, write_record

NOT_STARTED = 127
"""The exit code of a trainer that never began, as a shell would say it."""


@dataclass(frozen=True)
class Orders:
    """What a launcher tells the supervisor; on its command line, a JSON object."""

    lock: int
    """The two handles of the launcher's claim (lock.py), which it goes on holding."""
    turn: int
    stragglers_seconds: float
    """How long the trainer's own children may outlive it: a worker may still be saving."""
    guard_seconds: float
    """How often it looks whether a tripwire is touched."""
    told: Mapping[str, Any] = field(default_factory=dict)
    """What the event `launched` says beside the pid: where this try begins."""

    @property
    def at_once_seconds(self) -> float:
        """How long they may where the trainer failed: nothing of use comes after that."""
        return min(self.stragglers_seconds, 1.0)


_GATE = 'read -r _ && exec /bin/sh "$0" "$@" </dev/null'
"""Waits for a line before training begins; ends without it when the supervisor is gone."""


def main(folder: str, orders: str, *arguments: str) -> int:
    """Start the run's trainer, tell so, and watch it to its end. Returns 0, or 1 if not started."""
    run, asked = Run(Path(folder)), Orders(**json.loads(orders))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # `ftui … &` had it ignored
    before = evidence.oom_kills()
    try:
        trainer = _start(run, asked, arguments)
    except (OSError, RunNotFound) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        _record_exit(run, NOT_STARTED, why=f"the trainer could not be started: {why.lower()}")
        _tell({"why": why.lower()})
        return 1
    _tell({"pid": trainer.pid})
    os.close(asked.turn)
    guard.wait(run, trainer.pid, asked.guard_seconds)
    well = _ended_well(trainer.pid)
    process.kill_after(members(run), asked.stragglers_seconds if well else asked.at_once_seconds)
    code = trainer.wait()
    with contextlib.suppress(RunNotFound), turn_or_not(run):  # not between a stop and its event
        _record_exit(run, code, **evidence.at_exit(run, before))
    return 0


def _ended_well(pid: int) -> bool:
    """Whether a process that is not reaped yet ended by itself with 0."""
    end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return end is not None and (end.si_code, end.si_status) == (os.CLD_EXITED, 0)


def _start(run: Run, orders: Orders, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start train.sh; it trains only once its pid is on disk, so no trainer is ever unknown."""
    record = read_record(run)
    run.stop_file.unlink(missing_ok=True)
    remove_torn(run)
    _head_log(run, orders.told)
    with run.log_file.open("ab") as log:
        trainer = subprocess.Popen(
            ["/bin/sh", "-c", _GATE, str(run.script_file), *arguments],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=run.folder,
            start_new_session=True,
            env=os.environ | {VARIABLE: str(run.events_file)},
            pass_fds=(orders.lock,),
        )
    assert trainer.stdin is not None
    with trainer.stdin as gate:
        write_record(
            run,
            dataclasses.replace(
                record,
                trainer=process.identify(trainer.pid),
                supervisor=process.identify(os.getpid()),
                launched=time.time(),
            ),
        )
        events.append(run.events_file, "launched", pid=trainer.pid, **orders.told)
        gate.write(b"go\n")
    return trainer


def _head_log(run: Run, told: Mapping[str, Any]) -> None:
    """Say in the log where another try begins: else its reader takes the last one's end for its."""
    words = Try(**told).words
    if not words:
        return
    line = f"── ftui, {time.strftime('%Y-%m-%d %H:%M:%S')}: the run {words} ──\n".encode()
    with contextlib.suppress(OSError), run.log_file.open("a+b") as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(size - 1, 0))
        log.write(b"\n" + line if log.read(1) not in (b"", b"\n") else line)


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
