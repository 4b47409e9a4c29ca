"""Looking at a run: everything a viewer knows comes from the run's files."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftui.errors import FtuiError
from ftui.runs.events import History
from ftui.runs.failure import what_went_wrong
from ftui.runs.lookout import Lookout
from ftui.runs.model import Run, RunRecord, RunState
from ftui.runs.store import has_weights, read_record, state
from ftui.runs.tail import EventFollower, LogFollower
from ftui.runs.tripwires import Trip
from ftui.tui.widgets.log_view import KEPT_LINES

if TYPE_CHECKING:
    from ftui.runs.failures import Diagnosis
    from ftui.targets.resume import Fix


@dataclass(frozen=True)
class Ending:
    """What is known of a run that has ended."""

    weights: bool
    """Whether it left weights to talk with."""
    wrong: Diagnosis | None = None
    """What went wrong with it; None where nothing did."""
    fix: Fix | None = None
    """What to change in its config, where that mends it."""


@dataclass(frozen=True)
class Glance:
    """What one look at the run's files found."""

    state: RunState
    record: RunRecord
    lines: list[str]
    trips: Sequence[Trip] = ()
    """What is wrong with a run that still trains."""
    end: Ending | None = None

    @property
    def lost(self) -> bool:
        """Whether it is done, and what came of it is of no use."""
        wrong = self.end.wrong if self.end is not None else None
        return self.state is RunState.DONE and wrong is not None

    @property
    def resumable(self) -> bool:
        """Whether there is something left to train."""
        return self.state.ended and (self.state is not RunState.DONE or self.lost)


class Watcher:
    """Reads a run's files. Slow parts happen in `look`, which is called off the event loop."""

    def __init__(self, run: Run) -> None:
        self.history = History()
        self._run = run
        self._events = EventFollower(run)
        self._log = LogFollower(run, KEPT_LINES)
        self._lookout = Lookout(run)
        self._ended: tuple[RunState, Ending] | None = None

    def look(self) -> Glance:
        """Read what is new. Raises RunNotFound when run.json cannot be read, OSError."""
        record = read_record(self._run)
        events = self._events.poll()
        self.history.extend(events)
        standing = state(self._run, self.history)
        lines = self._log.poll()
        if not standing.ended:
            trips = self._lookout.look(self.history)
            return Glance(standing, record, lines, trips)
        if self._ended is None or events or lines or self._ended[0] is not standing:
            self._ended = (standing, self._ending(standing))
        return Glance(standing, record, lines, end=self._ended[1])

    def _ending(self, standing: RunState) -> Ending:
        """Found out once, and again when more is said: it reads the end of the log."""
        weights = has_weights(self._run)
        wrong = what_went_wrong(self._run, standing, self.history)
        if wrong is None or not wrong.changes:
            return Ending(weights, wrong)
        from ftui.targets.resume import fix_for

        with contextlib.suppress(FtuiError, OSError):  # its config is gone, or is none
            return Ending(weights, wrong, fix_for(self._run, wrong))
        return Ending(weights, wrong)
