"""Processes that cannot be mistaken, and ending a whole group of them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
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
        return ProcessId(pid, _started(process), _boot())
    except psutil.NoSuchProcess:
        return None


def alive(process: ProcessId) -> bool:
    """Whether that very process still runs."""
    found = identify(process.pid)
    return (
        found is not None
        and abs(found.started - process.started) < _SAME_START_SECONDS
        and process.boot in ("", found.boot)
    )


def group(leader: int) -> list[psutil.Process]:
    """The live processes of a process group."""
    import psutil

    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def by_variable(name: str) -> Mapping[str, list[psutil.Process]]:
    """The live processes by what an environment variable says when they start; others left out.

    A child inherits it wherever it goes: torchrun gives each worker a session of its own, and
    whose parent is killed becomes the child of another. One look at every process of this user
    takes about 20 ms.
    """
    import psutil

    found: defaultdict[str, list[psutil.Process]] = defaultdict(list)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            value = process.environ().get(name)
            if value and process.status() != psutil.STATUS_ZOMBIE:
                found[value].append(process)
    return found


def send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Signal processes; one that is gone already is fine, and nobody else gets its signal."""
    import psutil

    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def signal_group(leader: int, number: signal.Signals) -> None:
    """Signal every process of a group; one that is gone already is fine."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, number)


def kill_after(processes: Iterable[psutil.Process], grace: float) -> None:
    """Wait up to `grace` seconds for the processes to end by themselves, then kill them."""
    import psutil

    _, left = psutil.wait_procs(list(processes), timeout=grace)
    send(left, signal.SIGKILL)
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


@cache
def _boot() -> str:
    """A name for this start of the machine; none where the system gives none.

    After the next one, a process may have the number and the ticks since boot of one from before.
    """
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""
