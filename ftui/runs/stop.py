"""Ending a local run: politely first, then for good."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from enum import Enum

from ftui.runs import events, process
from ftui.runs.lock import turn_or_not
from ftui.runs.members import members
from ftui.runs.model import Run
from ftui.runs.tail import read_history

_GRACE_SECONDS = 5.0
_AT_ONCE_SECONDS = 2.0
"""Two people who ask within this time ask for the same thing; later, the second means it."""
_ROUNDS = 3
"""A process that is being ended may have started another one meanwhile."""


class Answer(Enum):
    """What became of a request to stop."""

    ASKED = "it saves a checkpoint and its weights, then ends"
    LOADING = "it has trained nothing yet: there is nothing to save, it ends"
    ALREADY = "it was asked a moment ago: it saves a checkpoint and its weights, then ends"
    ENDED = "ended at once; what it had not saved is lost"
    UNDELIVERED = (
        "the stop has not reached {title} yet; it is passed on as soon as {title} answers. "
        "Again after that: at once, unsaved"
    )
    WAITS = (
        "it was asked already; the stop still waits for {title} to answer, and is passed on then. "
        "Again after that: at once, unsaved"
    )
    INTERRUPTED = (
        "its trainer could not be asked to save, and was interrupted; what it had not saved is lost"
    )
    OVER = "its training has ended already, and its results come home. Again: at once, without them"
    NOT_RUNNING = "it is not running"

    def words(self, title: str) -> str:
        """For people; `title` is the target's, `dstack`."""
        return self.value.format(title=title)

    @property
    def is_heard(self) -> bool:
        """Whether the run itself was told."""
        return self not in (Answer.UNDELIVERED, Answer.WAITS, Answer.INTERRUPTED)


def stop(run: Run, *, why: str = "", checkpoint: bool = True) -> Answer:
    """Ask the trainer to save a resumable checkpoint and end; asked again, end it at once.

    `why`: noted where it is not a person who asks. Without `checkpoint` it saves its weights alone,
    which take less room.

    The first call returns at once: the trainer looks for the request after each step. One that
    still loads has nothing to save and is interrupted. A later call returns when nothing of the
    trainer is left, after at most 15 s. Needs no supervisor. Raises RunNotFound, and OSError when
    the request cannot be written down; the trainer is then interrupted, and saves its weights
    alone.
    """
    with turn_or_not(run):  # or a new try would take for its own what the old one was asked
        return _stop(run, why, checkpoint) if members(run) else Answer.NOT_RUNNING


def _stop(run: Run, why: str, checkpoint: bool) -> Answer:
    try:
        os.close(os.open(run.stop_file, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return _again(run)
    except OSError:  # a full disk must not keep anyone from stopping
        process.send(members(run), signal.SIGINT)
        raise
    try:
        events.append(run.events_file, "stop_requested", **({"why": why} if why else {}))
    except OSError:  # an empty file still found room; a checkpoint would not
        process.send(members(run), signal.SIGINT)
        raise
    training = read_history(run).training
    if not checkpoint or not training:
        process.send(members(run), signal.SIGINT)
    return Answer.ASKED if training else Answer.LOADING


def _again(run: Run) -> Answer:
    """The second request: the first one's other half, or impatience."""
    with contextlib.suppress(FileNotFoundError):
        if 0 <= time.time() - run.stop_file.stat().st_mtime < _AT_ONCE_SECONDS:
            return Answer.ALREADY
    return Answer.ENDED if end(run) else Answer.NOT_RUNNING


def end(run: Run) -> bool:
    """End every process of the trainer, whatever it does; whether there was any."""
    found = False
    for _ in range(_ROUNDS):
        left = members(run)
        if not left:
            break
        found = True
        process.send(left, signal.SIGTERM)
        process.kill_after(left, _GRACE_SECONDS)
    return found
