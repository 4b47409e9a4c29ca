"""Which tripwires may stop a run: asked for at its launch, kept in run.json under extra.stop_on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ftui.errors import TargetUnavailable, UsageError
from ftui.runs.model import Run, RunRecord
from ftui.runs.store import read_record, write_record
from ftui.runs.tripwires import Tripwire

_KEY = "stop_on"
_ALL = "all"


def parse(text: str) -> tuple[Tripwire, ...]:
    """`nan,stall` or `all`, as a person types it. Raises UsageError."""
    named = [name.strip().lower() for name in text.split(",") if name.strip()]
    if _ALL in named:
        return tuple(Tripwire)
    known = [wire.value for wire in Tripwire]
    unknown = [name for name in named if name not in known]
    if unknown or not named:
        what = f"there is no tripwire {unknown[0]!r}" if unknown else "--stop-on names no tripwire"
        raise UsageError(what, hint=f"tripwires: {', '.join(known)}, or {_ALL}")
    return tuple(wire for wire in Tripwire if wire in named)


def remember(run: Run, wires: Sequence[Tripwire]) -> None:
    """Let these tripwires stop the run, once it is launched.

    Raises RunNotFound, TargetUnavailable when its record cannot be written.
    """
    record = read_record(run)
    extra = {**record.extra, _KEY: [wire.value for wire in wires]}
    try:
        write_record(run, dataclasses.replace(record, extra=extra))
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise TargetUnavailable(
            "the run's record cannot be written", where=str(run.record_file), why=why
        ) from error


def asked(record: RunRecord) -> tuple[Tripwire, ...]:
    """The tripwires that may stop the run; those of a newer ftui are passed over."""
    named = record.extra.get(_KEY) if isinstance(record.extra, dict) else None
    return tuple(wire for wire in Tripwire if isinstance(named, list) and wire.value in named)
