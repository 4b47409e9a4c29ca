"""One after the other: who launches a run, stops it or cleans it up does so in a turn of its own.

Two files in the run's folder are locked (flock), and nothing is written into them:
`turn` by who changes what the run does, for that moment: what was found out about it stays true
until it is done. `lock` by who works with it, for as long as that takes: the launcher hands it to
the supervisor, and that one to the trainer, without a moment in between.
The system lets go of both when their holders end, however they do.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ftui.errors import RunNotFound, UsageError
from ftui.runs.members import members
from ftui.runs.model import Run

PATIENCE_SECONDS = 5.0
"""How long one waits for its turn. A launch takes less than one second of it."""
_POLL_SECONDS = 0.02


class Busy(UsageError):
    """Somebody else is at the run; in a moment it may be otherwise."""


@dataclass(frozen=True)
class Claim:
    """A run that is not at work, and that nobody else launches, stops or cleans up meanwhile.

    Both are handles of files; a process that inherits them has the claim as well.
    """

    lock: int
    turn: int


@contextlib.contextmanager
def turn(run: Run) -> Iterator[int]:
    """Wait until nobody else changes what the run does, and keep it so; the handle of `turn`.

    Raises UsageError when somebody else takes too long, RunNotFound when the run is gone, OSError.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while (handle := _locked(run, run.turn_file)) is None:
        if time.monotonic() >= end:
            raise _busy(run)
        time.sleep(_POLL_SECONDS)
    try:
        yield handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def turn_or_not(run: Run) -> Iterator[None]:
    """The same for what must be done in any case: nobody who hangs keeps one from it, and no full
    disk. Raises RunNotFound."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(UsageError, OSError):
            stack.enter_context(turn(run))
        yield


@contextlib.contextmanager
def claimed(run: Run) -> Iterator[Claim]:
    """Keep the run to oneself, which is not at work. What was known of it before is to be looked
    up again: it may have been launched, and have ended, since.

    Raises UsageError when it is at work or somebody else is at it, RunNotFound, OSError.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        with turn(run) as mine:
            handle = _locked(run, run.lock_file)
            try:
                if members(run):  # or were started by hand, or their launcher was killed
                    raise _running(run)
                if handle is not None:
                    yield Claim(handle, mine)
                    return
            finally:
                if handle is not None:
                    os.close(handle)
        # A supervisor that has noted the end of its trainer is gone soon; it may need the turn.
        if time.monotonic() >= end:
            raise _busy(run)
        time.sleep(_POLL_SECONDS)


def _locked(run: Run, path: Path) -> int | None:
    """The handle of a file that is locked now; None where somebody else has locked it."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    except FileNotFoundError as error:
        raise RunNotFound(f"there is no run {run.name!r} any more") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if isinstance(error, BlockingIOError):
            return None
        raise
    if _is_still(handle, path):
        return handle
    os.close(handle)
    return None


def _is_still(handle: int, path: Path) -> bool:
    """Whether that file is still there: its folder may have been removed since it was opened."""
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except OSError:
        return False


def _running(run: Run) -> Busy:
    hint = f"watch it: ftui watch {run.name}; end it: ftui stop {run.name}"
    return Busy(f"{run.name} is running", hint=hint)


def _busy(run: Run) -> Busy:
    why = "another ftui launches it, stops it or cleans it up just now"
    return Busy(f"{run.name} is busy", why=why, hint="try it again in a moment")
