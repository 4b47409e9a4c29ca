"""The loss curve: raw dim, smoothed bright, evaluations and checkpoints marked, in bounded memory.

Drawn through Textual's line API on buckets of steps, so a refresh costs the same few milliseconds
for a thousand points as for a million (tests/ui/test_chart.py holds the limit).
"""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual.geometry import Size
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from ftui.runs.events import Point
from ftui.runs.history import History
from ftui.tui.widgets import ticks
from ftui.tui.widgets.buckets import Buckets
from ftui.tui.widgets.canvas import Glyphs
from ftui.tui.widgets.plot import Curves, Plot, Row

SMOOTHINGS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
DEEPEST_ZOOM = 8


class Chart(Widget):
    """The loss of a run over its optimizer steps."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "chart--raw",
        "chart--smooth",
        "chart--eval",
        "chart--mark",
        "chart--label",
        "chart--gap",
    }
    DEFAULT_CSS = """
    Chart {
        height: 1fr;
        .chart--raw { color: $secondary 60%; }
        .chart--smooth { color: $accent; text-style: bold; }
        .chart--eval { color: $foreground; text-style: bold; }
        .chart--mark { color: $foreground; }
        .chart--label { color: $secondary; }
        .chart--gap { color: $error; text-style: bold; }
    }
    """

    smoothing: reactive[int] = reactive(2)
    """Index into SMOOTHINGS."""
    zoom: reactive[int] = reactive(0)
    """How often the window of steps was halved; it then follows the newest step."""
    log_y: reactive[bool] = reactive(False)

    def __init__(self, *, glyphs: Glyphs = "braille", id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs: Glyphs = glyphs
        self._loss = Buckets()
        self._evals: list[Point] = []
        self._checkpoints: list[int] = []
        self._max_steps = 0
        self._points: list[Point] = []
        self._seen = 0
        self._strips: list[Strip] | None = None

    def show(self, history: History) -> None:
        """Draw what is new in `history`, or all of it when it was begun anew (a resumed run)."""
        points = history.series.get("loss", [])
        if points is not self._points:
            self._points, self._loss, self._seen = points, Buckets(), 0
        for point in points[self._seen :]:
            self._loss.add(point.step, point.value)
        evals = history.series.get("eval_loss", [])
        before = (self._seen, len(self._evals), len(self._checkpoints), self._max_steps)
        self._seen = len(points)
        self._evals = list(evals)
        self._checkpoints = [point.step for point in history.checkpoints]
        self._max_steps = history.max_steps
        if before != (self._seen, len(evals), len(self._checkpoints), self._max_steps):
            self.redraw()

    def change_smoothing(self, by: int) -> None:
        """A smoother curve (+1) or a rougher one (-1)."""
        self.smoothing = min(max(self.smoothing + by, 0), len(SMOOTHINGS) - 1)

    def change_zoom(self, by: int) -> None:
        """Half the steps (+1) or twice as many (-1)."""
        self.zoom = min(max(self.zoom + by, 0), DEEPEST_ZOOM)

    def redraw(self) -> None:
        """Forget what was drawn."""
        self._strips = None
        self.refresh()

    def _watch_smoothing(self) -> None:
        self.redraw()

    def _watch_zoom(self) -> None:
        self.redraw()

    def _watch_log_y(self) -> None:
        self.redraw()

    def notify_style_update(self) -> None:
        """Textual's call when the theme changes."""
        self._strips = None
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        """Textual's call: line `y` of the widget."""
        if (
            self._strips is None
            or len(self._strips) != self.size.height
            or (self._strips and self._strips[0].cell_length != self.size.width)
        ):
            self._strips = self._draw(self.size)
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width)

    @property
    def window(self) -> tuple[float, float]:
        """The first and last step in view."""
        newest = max(self._loss.last_step, self._evals[-1].step if self._evals else 0, 1)
        whole = max(self._max_steps, newest)
        if not self.zoom:
            return (0, whole)
        span = max(whole / 2**self.zoom, 4)
        return (max(0.0, newest - span), max(newest, span))

    def _draw(self, size: Size) -> list[Strip]:
        if size.width < 24 or size.height < 6:
            return [Strip.blank(size.width) for _ in range(size.height)]
        curves, window, rows = self._curves(), self.window, size.height - 3
        low, high = curves.values(*window, size.width * 2)
        choose = ticks.nice_log if self.log_y else ticks.nice
        marks = choose(low, high, max(rows // 3, 2))
        words = ticks.labels(marks)
        gutter = max(map(len, words)) + 2
        plot = Plot(curves, size.width - gutter - 1, rows, window, (low, high))
        beside = {plot.row_of(mark): word for mark, word in zip(marks, words, strict=True)}
        lines = [self._legend(curves), *plot.lines(), plot.axis(), plot.step_labels()]
        return [
            self._strip(
                line if not y else [(self._label(beside.get(y - 1), gutter), "label"), *line],
                size.width,
            )
            for y, line in enumerate(lines)
        ]

    def _curves(self) -> Curves:
        return Curves(
            loss=self._loss,
            evals=self._evals,
            checkpoints=self._checkpoints,
            smoothing=SMOOTHINGS[self.smoothing],
            log_y=self.log_y,
            glyphs=self.glyphs,
        )

    @staticmethod
    def _label(word: str | None, gutter: int) -> str:
        return (word or "").rjust(gutter - 1) + " "

    def _legend(self, curves: Curves) -> Row:
        marks = curves.marks
        row: Row = [("loss", "mark"), ("   log scale" if self.log_y else "", "label")]
        row += [(f"   {marks.raw} ", "raw"), ("raw", "label")]
        row += [(f"   {marks.smooth} ", "smooth"), (f"smoothed {curves.smoothing:g}", "label")]
        if self._evals:
            row += [(f"   {marks.eval}", "eval"), (" eval", "label")]
        if self._checkpoints:
            row += [(f"   {marks.checkpoint}", "mark"), (" checkpoint", "label")]
        if self.zoom:
            row += [(f"   last {self.window[1] - self.window[0]:.0f} steps", "label")]
        return row

    def _strip(self, row: Row, width: int) -> Strip:
        """One line, neighbours of one style joined."""
        segments: list[Segment] = []
        text, style = "", ""
        for character, name in (*row, ("", "end")):
            if name == style:
                text += character
                continue
            if text:
                segments.append(Segment(text, self.get_component_rich_style(f"chart--{style}")))
            text, style = character, name
        return Strip(segments).adjust_cell_length(width, self.rich_style)
