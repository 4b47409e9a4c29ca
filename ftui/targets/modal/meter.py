"""What a run on Modal costs, told in its events as it grows (`cost`, see runs/events.py).

Modal bills the seconds of containers, and so does this: their own record on the volume says how
long they were at work. Waiting for a machine costs nothing.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from ftui.errors import TargetUnavailable
from ftui.runs import events
from ftui.runs.model import Run
from ftui.runs.store import read_record
from ftui.targets.modal import submit
from ftui.targets.modal.api import Api
from ftui.targets.modal.status import status

_SECONDS = 60.0
"""Between two events, while an hour costs the same."""
_CLOCKS = {"train": "seconds", "prepare": "prepare_seconds"}
"""By function: what status.json calls the seconds that it was at work."""


class Meter:
    """Writes the cost of one run into its events; nothing where nobody noted what an hour costs."""

    def __init__(self, run: Run) -> None:
        """Raises RunNotFound."""
        self._run = run
        known = submit.remembered(read_record(run))
        self._prices = _numbers(known.get("an_hour"), _CLOCKS)
        self._spent = events.number(known.get("spent"))
        self._dollars = self._spent
        self._an_hour = -1.0
        self._told_at = 0.0

    async def look(self, api: Api, function: str, *, at_work: bool) -> None:
        """Tell what it costs now, if that is news. Raises TargetUnavailable, OSError."""
        an_hour = self._prices.get(function, 0.0) if at_work else 0.0
        news = an_hour != self._an_hour or time.monotonic() - self._told_at >= _SECONDS
        if self._prices and news:
            await self._read(api)
            self._tell(an_hour)

    async def end(self, api: Api) -> None:
        """Tell what it cost in all. Raises OSError."""
        if self._prices:
            with contextlib.suppress(TargetUnavailable):  # then it is what was read last
                await self._read(api)
            self._tell(0.0)

    async def _read(self, api: Api) -> None:
        seconds = _numbers(await status(api, self._run), _CLOCKS.values())
        paid = sum(seconds[clock] * self._prices[name] for name, clock in _CLOCKS.items())
        self._dollars = max(self._dollars, self._spent + paid / 3600)

    def _tell(self, an_hour: float) -> None:
        self._an_hour, self._told_at = an_hour, time.monotonic()
        values = {"dollars": round(self._dollars, 4), "an_hour": round(an_hour, 4)}
        events.append(self._run.events_file, "cost", **values)


def _numbers(told: Any, names: Any) -> dict[str, float]:
    """What was told under these names, 0 where it is no number; nothing where nothing was told."""
    if not isinstance(told, Mapping):
        return {}
    return {name: events.number(told.get(name)) for name in names}
