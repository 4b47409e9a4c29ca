"""Events: what happened in a run, one JSON object a line.

Written by ftui/axolotl_plugin (inside axolotl) and by the supervisor; read by every viewer.
`{"v": 1, "ts": 1795339679.1, "event": "log", "step": 12, "max_steps": 375, "epoch": 0.1,
  "values": {"loss": 0.41, "grad_norm": 0.6, "learning_rate": 0.002}}`

Of ftui: launched (pid; of a later try also again, from_step, aside: see history.Try) ·
stop_requested (why, if a tripwire asked; through: who has to be told of it) · stop_passed_on (they
were; became: interrupted or over, where nobody saves for it) · exit (code; negative = signal; why,
if it never began; unavailable, if its target could not take it; what evidence.py notes: oom_kills,
machine_oom_kills, disk_free, peak_rss, memory, log_size) · cost (dollars so far, an_hour: dollars
of an hour now; of a rented machine, from time to time) · phase (words: where a run elsewhere
stands, such as waiting for a machine) · silent (whom: who does not answer; since: seconds since the
epoch) · heard (whom: who answers again).
Of axolotl: train_begin (vocabulary: tokens the model chooses from; warmup_steps) · step · log ·
evaluating (again and again while it lasts) · eval · saving · save (path) · train_end · saved (the
final weights).
JSON has no word for a float that is not finite: it is written "nan", "inf" or "-inf" and read back
as that float, so that an exploding grad norm is seen.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VERSION = 1

_NOT_FINITE = ("nan", "inf", "-inf")


@dataclass(frozen=True)
class Event:
    """One line of events.jsonl. `time` is seconds since the epoch."""

    kind: str
    time: float
    step: int = 0
    max_steps: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Point:
    """One value of one series at one optimizer step."""

    step: int
    value: float


def parse(line: str) -> Event | None:
    """The event in a line, or None when the line is torn, foreign or from a newer version."""
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict) or raw.get("v") != VERSION:
        return None
    kind, values = raw.get("event"), raw.get("values")
    if not isinstance(kind, str):
        return None
    return Event(
        kind=kind,
        time=number(raw.get("ts")),
        step=int(number(raw.get("step"))),
        max_steps=int(number(raw.get("max_steps"))),
        values=_floats(values) if isinstance(values, dict) else {},
    )


def append(file: Path, kind: str, **values: Any) -> None:
    """Add an event of ftui's own to an events file, after whatever torn line it may end with.

    Raises OSError (disk full, no permission).
    """
    event = {"v": VERSION, "ts": round(time.time(), 3), "event": kind, "values": values}
    handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(handle).st_size
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        os.write(handle, (b"\n" if torn else b"") + json.dumps(event).encode() + b"\n")
    finally:
        os.close(handle)


def number(value: Any) -> float:
    """A finite number; 0 for anything else."""
    return float(value) if is_number(value) and math.isfinite(value) else 0.0


def is_number(value: Any) -> bool:
    """Whether it is a float, or an int that fits one."""
    fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**1000
    return fits or isinstance(value, float)


def _floats(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: float(value) if value in _NOT_FINITE else value for name, value in values.items()}
