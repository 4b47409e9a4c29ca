"""Looking at all runs for a screen: the list again and again, and what those in view take."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from ftui.runs.cleanup import usage
from ftui.runs.compare import Side
from ftui.runs.history import History
from ftui.runs.listing import Entry, Listing
from ftui.runs.model import Run
from ftui.runs.store import read_record, state_of
from ftui.runs.tail import EventFollower


class RunsWatcher:
    """Both parts block for a while and are called off the event loop."""

    def __init__(self) -> None:
        self._listing = Listing()
        self._looking = threading.Lock()
        """A look goes on in its thread when the screen waits for it no more and begins another."""
        self._measured: dict[str, tuple[Entry, int]] = {}

    def look(self) -> list[Entry]:
        """Every run, newest first. Raises OSError."""
        with self._looking:
            return self._listing.look()

    def measure(self, entries: Iterable[Entry]) -> dict[str, int]:
        """What these runs take on the disk, by name; measured again when they have changed."""
        sizes = {}
        for entry in entries:
            name = entry.run.name
            known = self._measured.get(name)
            if known is None or known[0] != entry:
                known = self._measured[name] = (entry, usage(entry.run).total)
            sizes[name] = known[1]
        return sizes

    def forget(self, run: Run) -> None:
        """Its size is another one now."""
        self._measured.pop(run.name, None)


class SidesWatcher:
    """Follows several runs side by side."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._followed = [(run, EventFollower(run), History()) for run in runs]

    def look(self) -> list[Side]:
        """All that their files say by now. Raises RunNotFound, OSError."""
        sides = []
        for run, follower, history in self._followed:
            history.extend(follower.poll())
            record = read_record(run)
            sides.append(Side(run, record, state_of(run, record, history), history))
        return sides
