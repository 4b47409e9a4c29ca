"""The way through the wizard: which questions are answered, and with what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from ftui.text import shorten
from ftui.tui import theme


@dataclass(frozen=True)
class Stop:
    """One step on the way: its title, the answer in a few words, and what is known of that."""

    title: str
    summary: str = ""
    about: str = ""


class Rail(Widget):
    """One line a step; in a single row it becomes a breadcrumb of titles."""

    stops: reactive[tuple[Stop, ...]] = reactive(())
    here: reactive[int] = reactive(0)

    def render(self) -> Content:
        """The stops with a glyph each: ✓ answered, ▸ here, ◌ still to come."""
        if self.size.height == 1:
            return Content("  ").join(self._mark(index) for index in range(len(self.stops)))
        column = max((len(stop.title) for stop in self.stops), default=0) + 3
        return Content("\n").join(
            line for index in range(len(self.stops)) for line in self._lines(index, column)
        )

    def _lines(self, index: int, column: int) -> Iterator[Content]:
        """A stop and its answer beside each other; under the answer what is known of it."""
        stop, mark, room = self.stops[index], self._mark(index), self.size.width - column
        style = "$secondary" if index != self.here else "$foreground"
        answer = (shorten(stop.summary, room), style)
        yield Content.assemble(mark.pad_right(column - len(mark)), answer)
        if stop.about:
            yield Content.styled(" " * column + shorten(stop.about, room), "$secondary")

    def _mark(self, index: int) -> Content:
        title = self.stops[index].title
        if index == self.here:
            return Content.styled(f"{theme.HERE} {title}", "bold $accent")
        if index < self.here:
            return Content.assemble((theme.DONE, "$success"), f" {title}")
        return Content.styled(f"{theme.WAITING} {title}", "$secondary")
