"""Looking at a run: everything a viewer knows comes from the run's files."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ftui.errors import FtuiError
from ftui.runs.failure import what_went_wrong
from ftui.runs.history import History
from ftui.runs.lookout import Lookout
from ftui.runs.model import Run, RunRecord, RunState
from ftui.runs.peak_memory import peak_memory
from ftui.runs.resume import Resumption, resumption
from ftui.runs.store import has_weights, read_record, state
from ftui.runs.tail import EventFollower, LogFollower
from ftui.runs.tripwires import Trip
from ftui.targets.take_up import Rescue
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
    going_on: Resumption | None = None
    """Where it would go on; None where there is nothing left to train."""
    memory: str = ""
    """The most memory that it was seen to hold, beside what was estimated, in words."""


@dataclass(frozen=True)
class Glance:
    """What one look at the run's files found."""

    state: RunState
    record: RunRecord
    lines: list[str]
    trips: Sequence[Trip] = ()
    """What is wrong with a run that still trains."""
    end: Ending | None = None


class Watcher:
    """Reads a run's files. Slow parts happen in `look`, which is called off the event loop."""

    def __init__(self, run: Run) -> None:
        self.history = History()
        self._run = run
        self._events = EventFollower(run)
        self._log = LogFollower(run, KEPT_LINES)
        self._lookout = Lookout(run)
        self._rescue = Rescue(run)
        self._ended: tuple[tuple[RunState, int], Ending] | None = None

    def look(self) -> Glance:
        """Read what is new. Raises RunNotFound when run.json cannot be read, OSError."""
        record = read_record(self._run)
        events = self._events.poll()
        self.history.extend(events)
        standing = state(self._run, self.history)
        if self._rescue.look(standing):
            record, standing = read_record(self._run), state(self._run, self.history)
        lines = self._log.poll()
        if not standing.ended:
            trips = self._lookout.look(self.history)
            return Glance(standing, record, lines, trips)
        seen = (standing, _written(self._run.output_dir))
        if self._ended is None or events or lines or self._ended[0] != seen:
            self._ended = (seen, self._ending(standing, record))
        return Glance(standing, record, lines, end=self._ended[1])

    def forget(self) -> None:
        """Find out anew how it ended: something was not as it seemed."""
        self._ended = None

    def _ending(self, standing: RunState, record: RunRecord) -> Ending:
        """Found out once, and again when there is something new: it reads the end of the log."""
        wrong = what_went_wrong(self._run, standing, self.history)
        fix = self._fix(wrong) if wrong is not None and wrong.changes else None
        memory = self._memory(record)
        return Ending(has_weights(self._run), wrong, fix, self._going_on(), memory)

    def _memory(self, record: RunRecord) -> str:
        from ftui.estimate.estimate import estimate
        from ftui.runtimes.model_shape import find_shape

        peak = peak_memory(self.history)
        if peak is None:
            return ""
        told = f"{peak.gib:.1f} GiB at most"
        if not peak.on_gpu:
            return told
        with contextlib.suppress(FtuiError):  # nobody can say
            model = find_shape(str(record.settings.get("base_model")), self._run.folder, hub=False)
            gpus = record.gpus * record.machines
            estimated = estimate(record.settings, model, gpus).memory.allocated
            return f"{told}; {estimated:.1f} estimated, without torch's cache"
        return told

    def _fix(self, wrong: Diagnosis) -> Fix | None:
        from ftui.targets.resume import fix_for

        with contextlib.suppress(FtuiError, OSError):  # its config is gone, or is none
            return fix_for(self._run, wrong)
        return None

    def _going_on(self) -> Resumption | None:
        with contextlib.suppress(FtuiError, OSError):  # it is done
            return resumption(self._run, self.history)
        return None


def _written(folder: Path) -> int:
    """When something in a folder was made or removed; 0 where there is none."""
    with contextlib.suppress(OSError):
        return folder.stat().st_mtime_ns
    return 0
