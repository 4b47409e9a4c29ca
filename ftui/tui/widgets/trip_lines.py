"""What is wrong with a run that still trains: a quiet line or two each, and else no room taken."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from ftui.runs.tripwires import GLYPH, Trip
from ftui.text import printable


class TripLines(Static):
    """`▲ no step   nothing happened for 4 min after step 212; …  → see the end of its log`."""

    DEFAULT_CSS = "TripLines { height: auto; max-height: 4; } TripLines.-none { display: none; }"

    def __init__(self, *, id: str) -> None:
        super().__init__("", id=id, markup=False, classes="-none")
        self._trips: tuple[Trip, ...] = ()

    def show(self, trips: Sequence[Trip]) -> None:
        """Show these tripwires."""
        if tuple(trips) == self._trips:
            return
        self._trips = tuple(trips)
        self.set_class(not trips, "-none")
        self.update(Content("\n").join(_line(trip) for trip in trips))


def _line(trip: Trip) -> Content:
    return Content.assemble(
        (f"{GLYPH} {trip.wire.word}", "$warning"),
        f"   {printable(trip.what)}",
        (f"  → {printable(trip.hint)}", "$secondary"),
    )
