"""What the system can tell of why a process ended: noted when it does, since it is soon gone.

The kernel counts the processes that it killed for lack of memory: those of one control group
(cgroup), and those of the whole machine, which may be other people's.
"""

from __future__ import annotations

import re
import resource
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ftui.runs.model import Run

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class OomKills:
    """How many processes the system has killed for lack of memory so far; None = nobody knows."""

    group: int | None
    """Those of the control group that this process is in."""
    machine: int | None
    """Those of the whole machine."""


def oom_kills(proc: Path = _PROC, cgroups: Path = _CGROUPS) -> OomKills:
    """What the kernel has counted up to now."""
    return OomKills(_group_kills(proc, cgroups), _count(proc / "vmstat"))


def at_exit(
    run: Run, before: OomKills, *, proc: Path = _PROC, cgroups: Path = _CGROUPS
) -> Mapping[str, int]:
    """What to note when a run's trainer has ended and was waited for; without what nobody knows.

    oom_kills, machine_oom_kills: processes killed for lack of memory since `before` · disk_free:
    bytes · peak_rss: bytes of the largest process of the run · memory: bytes of the machine ·
    log_size: bytes; what comes after them in the log belongs to another try.
    """
    after = oom_kills(proc, cgroups)
    found = {
        "oom_kills": _since(before.group, after.group),
        "machine_oom_kills": _since(before.machine, after.machine),
        "disk_free": _disk_free(run.folder),
        "peak_rss": _peak_rss(),
        "memory": _memory(proc / "meminfo"),
        "log_size": _size(run.log_file),
    }
    return {name: value for name, value in found.items() if value is not None}


def _disk_free(folder: Path) -> int | None:
    """Bytes that this user may still write there."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _group_kills(proc: Path, cgroups: Path) -> int | None:
    """cgroup v2 has one tree; in v1, memory has a tree of its own.

    In a container the path may be the host's: what the container sees is then the tree's root.
    """
    for line in _read(proc / "self" / "cgroup").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers == "":
            root, name = cgroups, "memory.events"
        elif "memory" in controllers.split(","):
            root, name = cgroups / "memory", "memory.oom_control"
        else:
            continue
        for folder in (root / path.lstrip("/"), root):
            kills = _count(folder / name)
            if kills is not None:
                return kills
    return None


def _count(file: Path) -> int | None:
    """The number behind `oom_kill` in one of the kernel's files."""
    found = re.search(r"^oom_kill (\d+)$", _read(file), re.MULTILINE)
    return int(found[1]) if found else None


def _since(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else max(after - before, 0)


def _peak_rss() -> int:
    """The most memory that one of this process's ended children held (Linux counts in KiB)."""
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _memory(file: Path) -> int | None:
    found = re.search(r"^MemTotal: *(\d+) kB$", _read(file), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
