"""Killing whatever works for a run, at a moment of chance."""

from __future__ import annotations

import contextlib
import random
import time

import psutil

from ftui.runs import process
from ftui.runs.members import members
from ftui.runs.model import Run
from ftui.runs.store import read_record
from tests.standins.runs import wait_for


def working(run: Run) -> list[tuple[str, psutil.Process]]:
    """Everything that works for a run right now: launching ftui, supervisor, trainer, worker."""
    found = []
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = one.cmdline()
            if str(run.folder) in line:
                found.append(("supervisor" if "ftui.runs.supervise" in line else "ftui", one))
    trained = members(run)
    found = [each for each in found if each[1] not in trained]
    return [*found, *(("trainer", one) for one in trained)]


def kill_something(run: Run, moment: float, chance: random.Random) -> str:
    """Kill one process of a run so many seconds from now; what it was, or nothing."""
    time.sleep(moment)  # the moment itself is what is tested
    found = working(run)
    if not found:
        return ""
    kinds = sorted({kind for kind, _ in found})
    kind = chance.choice(kinds)
    victim = chance.choice([one for each, one in found if each == kind])
    with contextlib.suppress(psutil.NoSuchProcess):
        victim.kill()
    return kind


def settle(run: Run, limit: float = 60.0) -> None:
    """Wait for the end of everything that works for a run."""

    def nothing() -> bool:
        record = read_record(run)
        known = [one for one in (record.trainer, record.supervisor) if one is not None]
        return not working(run) and not any(map(process.alive, known))

    # Twice: what forks and ends, or begins another program, while the processes are listed may be
    # seen as none of them.
    wait_for(lambda: nothing() and nothing(), f"the end of {run.folder}", limit)
