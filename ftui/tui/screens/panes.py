"""What the keys of the monitor do to its curve and its log."""

from __future__ import annotations

from typing import Literal

from textual.screen import Screen

from ftui.tui.widgets.chart import Chart
from ftui.tui.widgets.log_pane import LogPane


class Panes(Screen[None]):
    """A screen with a curve and a log."""

    def __init__(self) -> None:
        super().__init__()
        # Kept, not queried: a look may come back when the screen is being taken down.
        self._chart = Chart(id="curve")
        self._log = LogPane(id="log")

    def action_follow(self) -> None:
        """Follow the log's end, or stop following."""
        self._log.toggle_follow()

    def action_search(self) -> None:
        """Search the log."""
        self._log.ask("search")

    def action_find(self, direction: int) -> None:
        """The next or previous match."""
        self._log.find(direction)

    def action_filter(self) -> None:
        """Show only some of the log's lines."""
        self._log.ask("filter")

    def action_wrap(self) -> None:
        """Wrap long log lines."""
        self._log.toggle_wrap()

    def action_copy(self) -> None:
        """Copy the log lines in view."""
        self._log.copy()

    def action_smooth(self, by: Literal[1, -1]) -> None:
        """Smooth the curve more or less."""
        self._chart.change_smoothing(by)

    def action_zoom(self, by: Literal[1, 0, -1]) -> None:
        """Show fewer steps, more, or all (0)."""
        if by:
            self._chart.change_zoom(by)
        else:
            self._chart.zoom = 0

    def action_log_y(self) -> None:
        """A logarithmic loss axis, or a linear one."""
        self._chart.log_y = not self._chart.log_y
