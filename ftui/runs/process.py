"""Processes that cannot be mistaken, and ending a whole group of them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ftui.runs.model import ProcessId

if TYPE_CHECKING:
    import psutil

_SAME_START_SECONDS = 0.005
"""Two readings of one start time differ by less than this: half a tick of Linux's clock. A process
can start, end and leave its number to another one within 0.05 s."""


def identify(pid: int) -> ProcessId | None:
    """The identity of a live process, or None. One that only waits to be reaped is not alive."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return ProcessId(pid, _started(process))
    except psutil.NoSuchProcess:
        return None


def alive(process: ProcessId) -> bool:
    """Whether that very process still runs."""
    found = identify(process.pid)
    return found is not None and abs(found.started - process.started) < _SAME_START_SECONDS


def group(leader: int) -> list[psutil.Process]:
    """The live processes of a process group."""
    import psutil

    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def signal_group(leader: int, number: signal.Signals) -> None:
    """Signal every process of a group; one that is gone already is fine."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, number)


def kill_after(processes: Iterable[psutil.Process], grace: float) -> None:
    """Wait up to `grace` seconds for the processes to end by themselves, then kill them."""
    import psutil

    _, left = psutil.wait_procs(list(processes), timeout=grace)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=grace)


def _started(process: psutil.Process) -> float:
    """When a process started.

    On Linux in seconds since boot, from /proc/PID/stat: psutil's time since the epoch moves when
    the machine's clock is corrected (a laptop that slept, WSL), and a long run would seem dead.
    """
    stat = Path(f"/proc/{process.pid}/stat")
    if stat.exists():
        with contextlib.suppress(OSError):
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            return int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return process.create_time()
