"""Waiting for a trainer's end, and stopping it where a person asked for that on a tripwire."""

from __future__ import annotations

import contextlib
import math
import os
import time

from ftui.errors import RunNotFound
from ftui.runs import stop_on
from ftui.runs.history import History
from ftui.runs.lookout import Lookout
from ftui.runs.model import Run
from ftui.runs.stop import end, stop
from ftui.runs.store import read_record
from ftui.runs.tail import EventFollower
from ftui.runs.tripwires import Trip, Tripwire

_GRACE_SECONDS = 60.0
"""A trainer that makes no step looks for no request: after this time it is ended for good. One that
woke up may be saving, which takes as long as it takes."""


def wait(run: Run, pid: int, poll_seconds: float) -> None:
    """Return when the process has ended; it is left to be reaped. Without tripwires it only waits.

    Whatever cannot be read or written on the way, the trainer is still waited for.
    """
    guard = Guard(run)
    while guard.wires:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
            return
        time.sleep(poll_seconds)
        with contextlib.suppress(OSError):
            guard.look()
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


class Guard:
    """Stops a run that touches one of its tripwires: once, and for good where it does not heed."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._history = History()
        self._events = EventFollower(run)
        self._lookout = Lookout(run)
        self._kill_at = math.inf
        self.wires = _wires(run)
        """The tripwires to look out for; none once there is nothing more to do."""

    def look(self) -> None:
        """See what is new, and act on it. Raises OSError."""
        if time.monotonic() >= self._kill_at:
            self.wires = ()
            if not self._woke_up():
                end(self._run)
        if self._kill_at < math.inf or self._run.stop_file.exists():
            return  # asked already: a second request would end it at once
        self._history.extend(self._events.poll())
        for trip in self._lookout.look(self._history):
            if trip.wire in self.wires:
                self._stop(trip)
                return

    def _woke_up(self) -> bool:
        """Whether it gave a sign of life since it was asked to stop: it heeds that, or did."""
        before = self._history.last_sign
        self._history.extend(self._events.poll())
        return self._history.last_sign != before

    def _stop(self, trip: Trip) -> None:
        if trip.wire is Tripwire.STALL:
            self._kill_at = time.monotonic() + _GRACE_SECONDS
        else:
            self.wires = ()
        why = f"{trip.wire.word}: {trip.what} (--stop-on {trip.wire})"
        stop(self._run, why=why, checkpoint=trip.wire is not Tripwire.DISK)


def _wires(run: Run) -> tuple[Tripwire, ...]:
    try:
        return stop_on.asked(read_record(run))
    except RunNotFound:
        return ()
