"""Which endpoints serve a run on a target, so that none is forgotten: one file each.

Whoever puts one in place notes it in the run folder's `endpoints` first, and forgets it once it is
seen to be gone. A chat's has a keeper, a process that takes it away; one without, or whose keeper
was killed, is left: it stays until somebody ends it.
"""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ftui import paths
from ftui.runs import process
from ftui.runs.model import ProcessId, Run
from ftui.text import clock

GLYPH = "◆"
FOLDER = "endpoints"
_END = ".json"


@dataclass(frozen=True)
class Served:
    """An endpoint of a run."""

    target: str
    name: str
    """What it is called there."""
    until: float | None = None
    """When it ends by itself, in seconds since the epoch; None = never."""
    keeper: ProcessId | None = None
    """Who takes it away; None: nobody, it was meant to stay."""

    @property
    def words(self) -> str:
        """`modal`, `modal until 14:05` (see text.clock), `modal, its time is up`."""
        if self.until is None:
            return self.target
        if self.until <= time.time():
            return f"{self.target}, its time is up"
        return f"{self.target} until {clock(self.until)}"


def note(run: Run, served: Served) -> None:
    """Write an endpoint down, in place of what is known of it. Raises OSError."""
    file = _file(run, served.name)
    file.parent.mkdir(exist_ok=True)
    paths.write_atomic(file, json.dumps(asdict(served)))


def forget(run: Run, name: str) -> None:
    """It is gone. Raises OSError."""
    file = _file(run, name)
    file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # there are others, or there is no folder
        file.parent.rmdir()


def left(run: Run) -> tuple[Served, ...]:
    """Those that nobody takes away; most runs have none, and are asked for nothing else."""
    return tuple(one for one in known(run) if one.keeper is None or not process.alive(one.keeper))


def known(run: Run) -> tuple[Served, ...]:
    """All that are noted."""
    try:
        files = sorted((run.folder / FOLDER).iterdir())
    except OSError:
        return ()
    found = (_read(file) for file in files if file.name.endswith(_END))
    return tuple(one for one in found if one is not None)


def _file(run: Run, name: str) -> Path:
    return run.folder / FOLDER / f"{name}{_END}"


def _read(file: Path) -> Served | None:
    """None where it is gone by now, or is no record."""
    try:
        raw: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        keeper = ProcessId(**raw["keeper"]) if raw["keeper"] else None
        until = None if raw["until"] is None else float(raw["until"])
        return Served(str(raw["target"]), str(raw["name"]), until, keeper)
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
