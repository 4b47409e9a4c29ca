"""The table under the curves: a column a run, what it came to, and the settings that differ."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from ftui.runs.compare import Comparison, facts
from ftui.text import printable, shorten
from ftui.tui.widgets.run_rows import ending, letter

_GAP = 2
_WIDEST_LABEL = 34


class SideBySide(Widget):
    """The table, as wide as there is room."""

    DEFAULT_CSS = "SideBySide { height: auto; }"
    comparison: reactive[Comparison | None] = reactive(None, layout=True)

    def render(self) -> Content:
        """Nothing before there is anything to compare."""
        return Content("") if self.comparison is None else table(self.comparison, self.size.width)


def table(comparison: Comparison, width: int) -> Content:
    """As many characters wide as there is room; long values are cut."""
    outcomes = {label: values for label, values in facts(comparison) if label != "run"}
    places = {each.place: each.words for each in comparison.differences}
    labels = [*outcomes, *places, "settings that differ"]
    label_width = min(max(map(len, labels)), _WIDEST_LABEL, width // 3)
    count = len(comparison.outcomes)
    rows = [*outcomes.values(), *places.values()]
    longest = max((len(value) for row in rows for value in row), default=0)
    names = [each.name for each in comparison.outcomes]
    room = (width - label_width) // count - _GAP
    column = max(min(max(longest, *(len(name) + 2 for name in names)), room), 8)

    def line(label: str, values: Sequence[str], style: str = "") -> Content:
        cells = [f"{'':{_GAP}}{_fitted(value, column)}" for value in values]
        return Content.assemble(
            (_fitted(label, label_width), "$secondary"), ("".join(cells).rstrip(), style)
        )

    heads = [f"{letter(n)} {ending(name, column - 2)}" for n, name in enumerate(names)]
    lines = [line("", heads, "bold")]
    lines += [line(label, values) for label, values in outcomes.items()]
    if not places:
        return Content("\n").join([*lines, Content(""), _quiet("Their settings are the same.")])
    lines += [Content(""), _quiet("settings that differ")]
    lines += [line(place, values) for place, values in places.items()]
    return Content("\n").join(lines)


def _quiet(words: str) -> Content:
    return Content.styled(words, "$secondary")


def _fitted(words: str, width: int) -> str:
    return shorten(printable(words), width).ljust(width)
