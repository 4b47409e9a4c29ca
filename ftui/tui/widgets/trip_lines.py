"""What is wrong with a run that is at work: a quiet line or two each, and else no room taken."""

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
        self._shown: tuple[tuple[Trip, ...], tuple[str, ...]] = ((), ())

    def show(self, trips: Sequence[Trip], notices: Sequence[str] = ()) -> None:
        """Show these tripwires, below what keeps word from a run elsewhere (History.notices)."""
        if self._shown == (tuple(trips), tuple(notices)):
            return
        self._shown = tuple(trips), tuple(notices)
        self.set_class(not trips and not notices, "-none")
        lines = [Content.styled(f"{GLYPH} {printable(each)}", "$warning") for each in notices]
        self.update(Content("\n").join([*lines, *map(_line, trips)]))


def _line(trip: Trip) -> Content:
    return Content.assemble(
        (f"{GLYPH} {trip.wire.word}", "$warning"),
        f"   {printable(trip.what)}",
        (f"  → {printable(trip.hint)}", "$secondary"),
    )
