"""All runs at a glance.

A listing must not take longer because of what lies in the folders: of a run that has ended only the
last lines are read where they decide everything, the processes are looked at once for all, and a
`Listing` that is asked again reads only what has changed.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ftui.errors import RunNotFound
from ftui.runs import endpoints
from ftui.runs.endpoints import Served
from ftui.runs.history import History
from ftui.runs.last_lines import read_end
from ftui.runs.members import Living, living
from ftui.runs.model import Run, RunRecord, RunState
from ftui.runs.store import folders, read_record, state_of
from ftui.runs.tail import EventFollower
from ftui.text import duration

FIRST_RUN = "ftui --preset nano-sql-lora"
"""What makes a run where there is none: it needs no GPU and no download."""
UNREADABLE = "unreadable"
"""The word of a run whose run.json cannot be read, and its glyph."""
UNREADABLE_GLYPH = "▲"

_DAY = 24 * 3600


@dataclass(frozen=True)
class Entry:
    """One run as a listing shows it."""

    run: Run
    state: RunState | None
    """None: its record cannot be read, and `problem` says why."""
    preset: str = ""
    target: str = ""
    step: int = 0
    max_steps: int = 0
    loss: float | None = None
    """The newest one; NaN and infinity are kept, for they are what went wrong."""
    started: float = 0.0
    """When its newest try was launched; until there is one, when it was made."""
    problem: str = ""
    left: tuple[Served, ...] = ()
    """Endpoints that stay until somebody ends them."""

    @property
    def word(self) -> str:
        """The state in a word."""
        return UNREADABLE if self.state is None else self.state.value

    @property
    def glyph(self) -> str:
        """The state in a character."""
        return UNREADABLE_GLYPH if self.state is None else self.state.glyph

    @property
    def running(self) -> bool:
        """Whether something of it may still be at work."""
        return self.state in (RunState.STARTING, RunState.TRAINING, RunState.STOPPING)

    @property
    def endpoint(self) -> str:
        """What was left in place: `◆ modal until 14:05`; nothing where nothing was."""
        return ", ".join(f"{endpoints.GLYPH} {one.words}" for one in self.left)

    def contains(self, words: Sequence[str]) -> bool:
        """Whether every word is part of its name, preset, target or state."""
        served = " ".join(f"endpoint {one.target}" for one in self.left)
        text = f"{self.run.name} {self.preset} {self.target} {self.word} {served}".lower()
        return all(word.lower() in text for word in words)


# ── Order ────────────────────────────────────────────────────────────────────────────────────

_STATES = (
    RunState.TRAINING,
    RunState.STOPPING,
    RunState.STARTING,
    RunState.CREATED,
    RunState.FAILED,
    RunState.INTERRUPTED,
    RunState.NUMBERS_LOST,
    RunState.STOPPED,
    RunState.DONE,
    None,
)
"""What is going on first, then what may want help, then what is done."""


def _by_loss(entry: Entry) -> tuple[bool, float]:
    usable = entry.loss is not None and math.isfinite(entry.loss)
    return (not usable, entry.loss if usable and entry.loss is not None else 0.0)


SORTS: Mapping[str, Callable[[Entry], Any]] = {
    "newest": lambda entry: -entry.started,
    "name": lambda entry: entry.run.name,
    "loss": _by_loss,
    "state": lambda entry: _STATES.index(entry.state),
}


def chosen(
    entries: Sequence[Entry], sort: str = "newest", words: Sequence[str] = ()
) -> list[Entry]:
    """Those that contain the words, sorted; what is equal in that stays newest first."""
    newest = sorted(entries, key=SORTS["newest"])
    return sorted((each for each in newest if each.contains(words)), key=SORTS[sort])


def ago(moment: float, now: float | None = None) -> str:
    """How long ago, as roughly as people say it: `just now`, `12 min ago`, `3 days ago`."""
    seconds = max((time.time() if now is None else now) - moment, 0.0)
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{duration(seconds // 60 * 60)} ago"
    if seconds < _DAY:
        return f"{duration(seconds // 3600 * 3600)} ago"
    days = int(seconds // _DAY)
    return "1 day ago" if days == 1 else f"{days:,} days ago"


# ── Looking ──────────────────────────────────────────────────────────────────────────────────

_Signature = tuple[int, int, int]
"""When run.json was written, the size of events.jsonl, and when that was written."""


class Listing:
    """Looks at all runs, and again at what may have changed."""

    def __init__(self) -> None:
        self._ended: dict[str, tuple[_Signature, Entry]] = {}
        self._open: dict[str, tuple[EventFollower, History]] = {}
        """Runs whose end is not written down: their events are followed."""

    def look(self) -> list[Entry]:
        """Every run, newest first, with those whose record cannot be read. Raises OSError."""
        processes = _Processes()
        entries: dict[str, Entry] = {}
        for run in folders():
            try:
                entry = self._entry(run, processes)
                entries[run.name] = replace(entry, left=endpoints.left(run))
            except (FileNotFoundError, NotADirectoryError):  # it is no run, or no more
                continue
            except OSError as error:
                entries[run.name] = _unreadable(run, (error.strerror or str(error)).lower())
        for known in (self._ended, self._open):
            for name in known.keys() - entries.keys():
                del known[name]
        return sorted(entries.values(), key=SORTS["newest"])

    def _entry(self, run: Run, processes: _Processes) -> Entry:
        signature = _signature(run)
        known = self._ended.get(run.name)
        if known is not None and known[0] == signature:
            return known[1]
        try:
            record = read_record(run)
        except RunNotFound as error:
            return _unreadable(run, error.what)
        history = self._history(run)
        standing = state_of(
            run, record, history, processes.found if history.exit_code is None else {}
        )
        entry = _shown(run, record, standing, history)
        if history.exit_code is not None:
            self._ended[run.name] = (signature, entry)
        return entry

    def _history(self, run: Run) -> History:
        """The end of a run that has one; else all of it, and from then on what is new."""
        if run.name not in self._open:
            history = read_end(run)
            if history is not None:
                return history
            self._open[run.name] = (EventFollower(run), History())
        follower, history = self._open[run.name]
        history.extend(follower.poll())
        if history.exit_code is not None:
            del self._open[run.name]
        return history


class _Processes:
    """The processes of all runs, looked at only when some run needs it."""

    @cached_property
    def found(self) -> Living:
        return living()


def _signature(run: Run) -> _Signature:
    """Raises FileNotFoundError when the folder holds no run."""
    written = run.record_file.stat().st_mtime_ns
    try:
        events = run.events_file.stat()
    except FileNotFoundError:
        return (written, 0, 0)
    return (written, events.st_size, events.st_mtime_ns)


def _unreadable(run: Run, why: str) -> Entry:
    started = 0.0
    with contextlib.suppress(OSError):  # it was removed at this moment
        started = run.folder.lstat().st_mtime
    return Entry(run, None, started=started, problem=why)


def _shown(run: Run, record: RunRecord, state: RunState, history: History) -> Entry:
    return Entry(
        run,
        state,
        preset=record.preset,
        target=record.target,
        step=history.step,
        max_steps=history.max_steps,
        loss=history.latest("loss"),
        started=record.begun,
    )
