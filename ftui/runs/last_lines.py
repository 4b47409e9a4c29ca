"""What the last lines of a run's events tell, where they decide how it ended.

A list of thousands of runs cannot read all that each of them ever said.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from io import RawIOBase

from ftui.runs.events import Event, parse
from ftui.runs.history import History
from ftui.runs.model import Run
from ftui.runs.numbers import TRAINED
from ftui.runs.store import has_weights

_TAILS = (4 * 1024, 64 * 1024)
"""Bytes of an events file that are read first: the end of a run takes about 1,500."""
_TELLING = re.compile(rb'"(?:loss|launched|train_begin|stop_requested|train_end|saved|exit)"')
"""What a line says that is about more than the step."""
_OUTLIVING = (b'"stop_requested"', b'"train_end"', b'"saved"')
"""The events that count until the next launch, however long ago they were written."""


def read_end(run: Run) -> History | None:
    """What the last events of a run that has ended add up to; None when they don't decide it.

    State, step, steps in all and the newest loss are then those of all events.
    """
    try:
        file = run.events_file.open("rb", buffering=0)
    except FileNotFoundError:
        return None
    with file:
        size = os.fstat(file.fileno()).st_size
        for tail in _TAILS:
            start = max(size - tail, 0)
            file.seek(start)
            history, read_from = _backwards(file.read(size - start), whole=not start)
            if history.exit_code is None:
                return None
            if _has_figures(history):
                return history if _decides(run, history, file, start + read_from) else None
    return None


def _backwards(data: bytes, *, whole: bool) -> tuple[History, int]:
    """The history of as few of the last lines as tell the figures, and where they begin.

    Unless the data is the whole file, its first line lacks its beginning. Steps only grow in a
    try, so that once the newest is known a line that says nothing else is passed over unread.
    """
    first = 0 if whole else data.find(b"\n") + 1
    start = data.rfind(b"\n") + 1
    events: list[Event] = []
    stepped = False
    while start > first:
        end, start = start, max(data.rfind(b"\n", first, start - 1) + 1, first)
        if stepped and not _TELLING.search(data, start, end):
            continue
        event = parse(data[start:end].decode("utf-8", errors="replace"))
        if event is None:
            continue
        events.append(event)
        stepped = stepped or bool(event.step and event.max_steps)
        if "loss" in event.values:
            history = _added_up(events)
            if _has_figures(history):
                return history, start
    return _added_up(events), start


def _added_up(backwards: Sequence[Event]) -> History:
    history = History()
    history.extend(reversed(backwards))
    return history


def _has_figures(history: History) -> bool:
    return bool(history.step and history.max_steps and history.series.get("loss"))


def _decides(run: Run, history: History, file: RawIOBase, before: int) -> bool:
    """Whether nothing in the bytes before could change the state.

    Either it is done whatever was said; or a search, far quicker than reading, finds nothing there
    that would still count.
    """
    unseen = [name for name in TRAINED if not history.series.get(name)]
    newest = [history.series[name][-1].value for name in TRAINED if name not in unseen]
    if not all(map(math.isfinite, newest)):
        return False  # how many of them are no numbers?
    finished = history.saved or (history.train_ended and history.exit_code == 0)
    done = finished and history.step >= history.max_steps and has_weights(run)
    if done and not unseen:
        return True
    file.seek(0)
    earlier = file.read(before) or b""
    words = [f'"{name}"'.encode() for name in unseen] + ([] if done else [*_OUTLIVING])
    return not any(word in earlier for word in words)
