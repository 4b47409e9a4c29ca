"""The head of the monitor: what run this is, where it stands, and a thin line of progress."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from ftui.runs.history import History
from ftui.runs.model import Run, RunState
from ftui.tui.widgets import run_words


class RunHead(Widget):
    """One line where there is room, else two, over a rule that fills as the steps go by."""

    DEFAULT_CSS = "RunHead { height: auto; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title = Content("")
        self._standing = Content("")
        self._done = 0.0

    def show(self, run: Run, target: str, state: RunState, history: History) -> None:
        """Show where the run stands."""
        self._title, self._standing = run_words.headline(run, target, state, history)
        self._done = min(history.step / history.max_steps, 1.0) if history.max_steps else 0.0
        self.refresh(layout=True)

    def render(self) -> Content:
        """The words, then the rule."""
        width = self.size.width
        gap = width - self._title.cell_length - self._standing.cell_length
        words = (
            self._title + Content(" " * gap) + self._standing
            if gap >= 3 or not self._standing.plain
            else Content("\n").join([self._title, self._standing])
        )
        filled = round(self._done * width)
        rule = Content.assemble(("━" * filled, "$accent"), ("─" * (width - filled), "$panel"))
        return Content("\n").join([words, rule])
