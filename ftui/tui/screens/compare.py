"""Runs side by side: their curves in one chart, what they came to, and the settings that differ."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar, Literal

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer

from ftui.errors import FtuiError
from ftui.runs.compare import Side, compare
from ftui.runs.model import Run
from ftui.tui.app import FtuiApp
from ftui.tui.background import in_background
from ftui.tui.runs_watcher import SidesWatcher
from ftui.tui.widgets.lines import Notice, TopLine
from ftui.tui.widgets.overlay import Overlay, Series
from ftui.tui.widgets.pane_tabs import PaneTabs
from ftui.tui.widgets.side_by_side import SideBySide

POLL_SECONDS = 1.0
_PANES = ("curves", "differences")
_SERIES: tuple[Series, ...] = ("loss", "eval_loss")
LOOK = Binding.Group("smoothing", compact=True)


class CompareScreen(Screen[None]):
    """Two to six runs; those at work go on growing."""

    CSS_PATH = "../styles/compare.tcss"
    HELP = (
        "The curves of the marked runs over their steps, each with its letter and its own kind of "
        "line, smoothed as on the monitor. Below: what each came to, and only the settings that "
        "are not the same in all of them."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "series", "eval loss"),
        Binding("tab", "next_pane", "next pane"),
        Binding("left_square_bracket", "smooth(-1)", "rougher", key_display="[", group=LOOK),
        Binding("right_square_bracket", "smooth(1)", "smoother", key_display="]", group=LOOK),
        Binding("escape", "back", "back"),
    ]
    app: FtuiApp

    def __init__(self, runs: Sequence[Run]) -> None:
        super().__init__()
        self._watcher = SidesWatcher(runs)
        self._tabs = PaneTabs(_PANES, id="tabs")
        self._chart = Overlay([run.name for run in runs], id="chart")
        self._table = SideBySide(id="table")
        self._problem = Notice(id="problem")

    def compose(self) -> ComposeResult:
        """The chart above the table, or beside it, or one at a time."""
        self._chart.glyphs = self.app.glyphs
        yield TopLine("ftui · runs side by side")
        yield self._tabs
        yield self._problem
        with Container(id="body"):
            yield self._chart
            with VerticalScroll(id="side"):
                yield self._table
        yield Footer()

    def on_mount(self) -> None:
        """Start looking."""
        self._show_pane("curves")
        self.query_one("#side").focus()
        self._watch()

    @work(exclusive=True)
    async def _watch(self) -> None:
        while True:
            try:
                sides = await in_background(self._watcher.look)
            except FtuiError as error:
                self._problem.show(error)
            except OSError as error:
                self._problem.show(FtuiError(str(error)))
            else:
                self._problem.show(None)
                self._show(sides)
                if all(side.state.ended for side in sides):
                    return
            await asyncio.sleep(POLL_SECONDS)

    def _show(self, sides: Sequence[Side]) -> None:
        for series in _SERIES:
            self._chart.show(series, [side.history.series.get(series, []) for side in sides])
        self._table.comparison = compare(sides)

    def _show_pane(self, name: str) -> None:
        self._tabs.chosen = name
        for pane in _PANES:
            self.set_class(pane == name, f"-pane-{pane}")
        self.refresh_bindings()

    @on(PaneTabs.Chosen)
    def _pane_chosen(self, event: PaneTabs.Chosen) -> None:
        self._show_pane(event.name)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Panes are for narrow terminals; evaluations are not smoothed."""
        narrow = self.has_class("-narrow")
        if action == "next_pane":
            return narrow
        if action in ("smooth", "series") and narrow and self._tabs.chosen != "curves":
            return False
        return action != "smooth" or self._chart.series == "loss"

    def action_series(self) -> None:
        """The other curves."""
        self._chart.series = "eval_loss" if self._chart.series == "loss" else "loss"
        self.refresh_bindings()

    def action_smooth(self, by: Literal[1, -1]) -> None:
        """Smooth the curves more or less."""
        self._chart.change_smoothing(by)

    def action_next_pane(self) -> None:
        """Go to the next pane of a narrow terminal."""
        self._tabs.next()

    async def action_back(self) -> None:
        """Back to the list."""
        await self.app.action_back()
