"""What a person can say about a run on Modal beside its plan. Everything has a safe default."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftui.errors import UsageError
from ftui.targets.modal import gpu
from ftui.targets.remote.wishes import kept, parsed
from ftui.text import duration

KEY = "modal"
"""Where run.json keeps it, under `extra`."""
_MOST_RETRIES = 10
_RANGES = {"max_hours": (0.05, 720.0), "max_dollars": (0.1, 100_000.0)}
"""More is a slip of the keyboard, and with less nothing can be trained."""


@dataclass(frozen=True)
class Options:
    """Which GPU, how often it is tried, and what it may take."""

    gpu: str = ""
    """Modal's name, such as `H100`; empty = the cheapest that has the memory."""
    max_hours: float = 12.0
    """Of all tries together."""
    max_dollars: float = 0.0
    """Of all tries together; 0 = whatever the hours cost."""
    retries: int = 3
    """Other tries after a crash."""

    def hours(self, dollars_an_hour: float) -> float:
        """The hours that both limits allow."""
        if not self.max_dollars:
            return self.max_hours
        return min(self.max_hours, self.max_dollars / dollars_an_hour)

    def limits(self, dollars_an_hour: float) -> str:
        """`12 h ($13.44 at $1.12/h), all tries together, …`: when it ends, and what that costs."""
        hours = self.hours(dollars_an_hour)
        cost = f"${hours * dollars_an_hour:,.2f} at ${dollars_an_hour:.2f}/h"
        saving = f"half an hour at most to save (${dollars_an_hour / 2:,.2f})"
        return f"{duration(hours * 3600)} ({cost}), all tries together, and {saving}"


def read(extra: Mapping[str, Any]) -> Options:
    """The options in run.json's `extra`; what is missing or of the wrong kind is the default."""
    return kept(Options, extra, KEY)


def parse(wishes: Mapping[str, str]) -> Options:
    """What a person typed, such as `{"gpu": "H100", "max_hours": "2"}`. Raises UsageError."""
    return parsed(Options, wishes, "Modal", _value)


def _value(name: str, text: str) -> Any:
    if name == "gpu":
        gpu.find(text)
        return text.strip().upper()
    where = f"--machine {name}={text}"
    if name == "retries":
        if text.isascii() and text.isdigit() and int(text) <= _MOST_RETRIES:
            return int(text)
        raise UsageError(f"{text!r} is no number up to {_MOST_RETRIES}", where=where)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    least, most = _RANGES[name]
    if least <= number <= most:
        return number
    raise UsageError(f"{text!r} is no number from {least:g} to {most:g}", where=where)
