"""Tripwires that may stop a run elsewhere (`--stop-on`)."""

from __future__ import annotations

import os

from ftui.runs import events, stop_on
from ftui.runs.history import History
from ftui.runs.lookout import Lookout
from ftui.runs.model import Run
from ftui.runs.store import read_record


class Wires:
    """Asks for a stop, once, where the run touches a tripwire that may do so."""

    def __init__(self, run: Run, through: str) -> None:
        """`through`: who passes a stop on to it, `dstack`."""
        self._run, self._through = run, through
        self._asked = stop_on.asked(read_record(run))
        self._lookout = Lookout(run)

    def look(self, history: History) -> None:
        """See whether one is touched. Raises OSError."""
        if not self._asked or self._run.stop_file.exists():
            return
        for trip in self._lookout.look(history):
            if trip.wire in self._asked:
                self._ask(f"{trip.wire.word}: {trip.what} (--stop-on {trip.wire})")
                return

    def _ask(self, why: str) -> None:
        os.close(os.open(self._run.stop_file, os.O_CREAT | os.O_WRONLY))
        events.append(self._run.events_file, "stop_requested", why=why, through=self._through)
