"""What a run on dstack costs, told in its events: at its start, now and then, and at its end.

dstack counts from the submission of each try to its end. A machine that is kept unused for a while
afterwards (idle_duration) is no part of it; machine.py says so.
"""

from __future__ import annotations

import time

from ftui.runs import events
from ftui.runs.model import Run
from ftui.targets.dstack import states
from ftui.targets.dstack.api import Json

_PAUSE_SECONDS = 60.0
"""Between two events while the price of an hour stays the same."""
_CENT = 0.01


class Meter:
    """Writes the event `cost`; nothing for machines that cost nothing."""

    def __init__(self, run: Run, before: float) -> None:
        """`before`: dollars of earlier launches, of which dstack counts each for itself."""
        self._run, self._before = run, before
        self._told: tuple[float, float] | None = None
        self._told_at = 0.0

    def look(self, told: Json) -> None:
        """Tell what it costs by now, if that is worth an event. Raises OSError."""
        over = states.standing(told).over
        dollars = self._before + float(told.get("cost") or 0.0)
        an_hour = 0.0 if over else _an_hour(told)
        known, hourly = self._told or (0.0, 0.0)
        pause = 0.0 if over else _PAUSE_SECONDS
        grown = dollars - known >= _CENT and time.monotonic() - self._told_at >= pause
        if grown or an_hour != hourly or (over and dollars != known):
            self._tell(dollars, an_hour)

    def end(self) -> None:
        """Nobody knows the run any more: what is known last is all. Raises OSError."""
        if self._told is not None and self._told[1]:
            self._tell(self._told[0], 0.0)

    def _tell(self, dollars: float, an_hour: float) -> None:
        self._told, self._told_at = (dollars, an_hour), time.monotonic()
        told = {"dollars": round(dollars, 4), "an_hour": round(an_hour, 4)}
        events.append(self._run.events_file, "cost", **told)


def _an_hour(told: Json) -> float:
    """What all machines of the run cost together, in dollars an hour."""
    at_work = (one for one in states.newest(told) if one.get("status") not in states.JOB_OVER)
    return sum(float((one.get("job_provisioning_data") or {}).get("price") or 0) for one in at_work)
