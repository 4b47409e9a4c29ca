"""The curves of several runs in one chart, told apart by letter and line as well as by colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from rich.segment import Segment
from textual.geometry import Size
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from ftui.runs.events import Point
from ftui.tui.widgets import ticks
from ftui.tui.widgets.buckets import Buckets, Column
from ftui.tui.widgets.canvas import Canvas, Glyphs
from ftui.tui.widgets.chart import SMOOTHINGS
from ftui.tui.widgets.plot import Curves, Plot, Row
from ftui.tui.widgets.run_rows import letter

MOST = 6
"""Curves that can be told apart."""
Series = Literal["loss", "eval_loss"]

_LINES = (("━━━", 1, 1), ("━ ━", 3, 5), ("···", 1, 2))
"""The kinds of line: in the legend, and of how many cells so many are drawn."""
_ASCII_LINES = ("---", "- -", "...")
_COLOURS = ("first", "second", "third")
_MARGIN = 3
"""Columns at the right for the letters of curves that reach so far."""


@dataclass
class Curve:
    """One run's series."""

    name: str
    points: Sequence[Point] = ()
    buckets: Buckets = field(default_factory=Buckets)
    seen: int = 0

    def take(self, points: Sequence[Point]) -> bool:
        """Take in what is new, or all of it when it was begun anew; whether there was any."""
        if points is not self.points:
            self.points, self.buckets, self.seen = points, Buckets(), 0
        new = points[self.seen :]
        for point in new:
            self.buckets.add(point.step, point.value)
        self.seen = len(points)
        return bool(new)


class DashedCanvas(Canvas):
    """A canvas that leaves out some of its columns of cells."""

    def __init__(self, columns: int, rows: int, glyphs: Glyphs, lit: int, period: int) -> None:
        super().__init__(columns, rows, glyphs)
        self._lit, self._period = lit, period

    def column(self, x: int, top: int, bottom: int) -> None:
        """Set the dots of one dot column, unless it is left out."""
        if (x // self.across) % self._period < self._lit:
            super().column(x, top, bottom)


class Overlay(Widget):
    """Loss, or eval loss, of several runs over their optimizer steps."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "chart--first",
        "chart--second",
        "chart--third",
        "chart--mark",
        "chart--label",
        "chart--gap",
    }
    DEFAULT_CSS = """
    Overlay {
        height: 1fr;
        .chart--first { color: $accent; text-style: bold; }
        .chart--second { color: $foreground; }
        .chart--third { color: $secondary; }
        .chart--mark { color: $foreground; }
        .chart--label { color: $secondary; }
        .chart--gap { color: $error; text-style: bold; }
    }
    """

    smoothing: reactive[int] = reactive(2)
    """Index into SMOOTHINGS."""
    series: reactive[Series] = reactive("loss")

    def __init__(self, names: Sequence[str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs: Glyphs = "braille"
        self._curves = {series: [Curve(name) for name in names] for series in ("loss", "eval_loss")}
        self._strips: list[Strip] | None = None

    def show(self, series: Series, points: Sequence[Sequence[Point]]) -> None:
        """Draw what is new of a series; one list of points for each run."""
        new = [curve.take(own) for curve, own in zip(self._curves[series], points, strict=True)]
        if any(new):
            self.redraw()

    def redraw(self) -> None:
        """Forget what was drawn."""
        self._strips = None
        self.refresh()

    def _watch_smoothing(self) -> None:
        self.redraw()

    def _watch_series(self) -> None:
        self.redraw()

    def notify_style_update(self) -> None:
        """Textual's call when the theme changes."""
        self._strips = None
        super().notify_style_update()

    def change_smoothing(self, by: int) -> None:
        """Smoother curves (+1) or rougher ones (-1)."""
        self.smoothing = min(max(self.smoothing + by, 0), len(SMOOTHINGS) - 1)

    def render_line(self, y: int) -> Strip:
        """Textual's call: line `y` of the widget."""
        fits = self._strips and self._strips[0].cell_length == self.size.width
        if self._strips is None or not fits or len(self._strips) != self.size.height:
            self._strips = self._draw(self.size)
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width)

    # ── Drawing ──────────────────────────────────────────────────────────────────────────────

    @property
    def _shown(self) -> list[Curve]:
        return self._curves[self.series]

    @property
    def _factor(self) -> float:
        """Evaluations are few: each of them is shown as it is."""
        return SMOOTHINGS[self.smoothing] if self.series == "loss" else 0.0

    def _draw(self, size: Size) -> list[Strip]:
        legend = self._legend(size.width)
        rows = size.height - len(legend) - 2
        if size.width < 30 or rows < 3:
            return [Strip.blank(size.width) for _ in range(size.height)]
        end = max((curve.buckets.last_step for curve in self._shown), default=0)
        if end < 1:
            words: Row = [("  nothing of this is logged yet", "label")]
            lines = [*legend, words, *([[]] * (rows + 1))]
            return [self._strip(line, size.width) for line in lines]
        low, high = self._values(end, size.width * 2)
        marks = ticks.nice(low, high, max(rows // 3, 2))
        words_of = ticks.labels(marks)
        gutter = max(map(len, words_of)) + 2
        nothing = Curves(Buckets(), (), (), 0.0, log_y=False, glyphs=self.glyphs)
        plot = Plot(nothing, size.width - gutter - _MARGIN, rows, (0, end), (low, high))
        beside = {plot.row_of(mark): word for mark, word in zip(marks, words_of, strict=True)}
        drawn = [*self._lines(plot, end), plot.axis(), plot.step_labels()]
        lines = legend + [
            [((beside.get(y) or "").rjust(gutter - 1) + " ", "label"), *line]
            for y, line in enumerate(drawn)
        ]
        return [self._strip(line, size.width) for line in lines]

    def _values(self, end: int, width: int) -> tuple[float, float]:
        """The lowest and highest value of all curves, with a little air."""
        found = [
            column.smooth
            for curve in self._shown
            for column in curve.buckets.columns(0, end, width, self._factor)
            if not column.is_gap
        ]
        if not found:
            return 0.0, 1.0
        low, high = min(found), max(found)
        air = (high - low) * 0.04 or abs(high) * 0.1 or 1.0
        return (0.0 if 0 <= low < high * 0.3 else low - air), high + air

    def _lines(self, plot: Plot, end: int) -> list[Row]:
        """The rows of the plot: the curves, the last on top, and a letter at each one's end."""
        blank = (" ", "label")
        lines: list[Row] = [[blank] * (plot.columns + _MARGIN - 1) for _ in range(plot.rows)]
        dots = [[0] * plot.columns for _ in range(plot.rows)]
        letters: list[tuple[int, int, str, str]] = []
        for number, curve in enumerate(self._shown):
            style, (_, lit, period) = _style(number), _LINES[number % len(_LINES)]
            canvas = DashedCanvas(plot.columns, plot.rows, self.glyphs, lit, period)
            columns = curve.buckets.columns(0, end, canvas.width, self._factor)
            last = _trace(canvas, columns, plot)
            for y, cells in enumerate(canvas.cells):
                for x, bits in enumerate(cells):
                    if bits:
                        dots[y][x] |= bits  # a curve below stays whole
                        lines[y][x] = (canvas.character(dots[y][x]), style)
            for column in columns:
                if column.broken:
                    lines[-1][column.x // canvas.across] = (plot.curves.marks.gap, "gap")
            if last is not None:
                letters.append((*last, letter(number), style))
        _put_letters(lines, letters)
        return lines

    def _legend(self, width: int) -> list[Row]:
        """What is drawn, and each run's letter, kind of line and name; in as few rows as fit."""
        title = "eval loss" if self.series == "eval_loss" else "loss"
        smoothed = f"   smoothed {self._factor:g}" if self._factor else ""
        rows: list[Row] = [[(title, "mark"), (smoothed, "label")]]
        for number, curve in enumerate(self._shown):
            line, style = _LINES[number % len(_LINES)][0], _style(number)
            line = _ASCII_LINES[number % len(_LINES)] if self.glyphs == "ascii" else line
            item: Row = [(f"   {letter(number)} {line} ", style), (curve.name, "label")]
            used = sum(len(text) for text, _ in rows[-1])
            if used + sum(len(text) for text, _ in item) > width:
                item[0] = (item[0][0][3:], style)
                rows.append(item)
            else:
                rows[-1] += item
        return rows

    def _strip(self, row: Row, width: int) -> Strip:
        segments = [
            Segment(text, self.get_component_rich_style(f"chart--{style}")) for text, style in row
        ]
        return Strip(segments).adjust_cell_length(width, self.rich_style).simplify()


def _style(number: int) -> str:
    """With the kinds of line, no two of MOST look the same."""
    return _COLOURS[(number + number // len(_LINES)) % len(_COLOURS)]


def _trace(canvas: Canvas, columns: Sequence[Column], plot: Plot) -> tuple[int, int] | None:
    """Draw one curve; the row and cell of its end."""
    before: tuple[int, int] | None = None
    last: tuple[int, int] | None = None
    for column in columns:
        if column.is_gap:
            before = None
            continue
        share = (plot.high - max(column.smooth, plot.low)) / (plot.high - plot.low)
        at = (column.x, round(share * (canvas.height - 1)))
        canvas.line(*(before or at), *at)
        if before is None:
            canvas.column(at[0], at[1], at[1])
        before = at
        last = (at[1] // canvas.down, at[0] // canvas.across)
    return last


def _put_letters(lines: list[Row], letters: Sequence[tuple[int, int, str, str]]) -> None:
    """Each letter behind the end of its curve, or as near to it as there is room."""
    taken: set[tuple[int, int]] = set()
    for row, cell, mark, style in letters:
        places = sorted(
            ((y, x) for y in range(len(lines)) for x in (cell + 1, cell + 2) if x < len(lines[y])),
            key=lambda place: (abs(place[0] - row), place[1]),
        )
        place = next((each for each in places if each not in taken), None)
        if place is not None:
            taken.add(place)
            lines[place[0]][place[1]] = (mark, style)
