"""Asks how much of some runs to remove, and says what that gives back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from ftui.runs.cleanup import Level, Usage, size_words, usage
from ftui.runs.listing import Entry
from ftui.runs.model import RunState
from ftui.text import counted, printable
from ftui.tui import theme
from ftui.tui.background import in_background

_LEVELS = tuple(Level)


class CleanScreen(ModalScreen[Level | None]):
    """Closes with how much is to go, or None for nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "remove", "remove"),
        Binding("tab", "other", "less or more"),
        Binding("down,j", "choose(1)", "more", show=False),
        Binding("up,k", "choose(0)", "less", show=False),
        Binding("escape,n", "dismiss", "keep it", key_display="esc"),
    ]

    def __init__(self, entries: Sequence[Entry], at_work: int = 0) -> None:
        """`at_work` others were marked too and are left alone."""
        super().__init__()
        self._entries = entries
        self._at_work = at_work
        self._usages: Sequence[Usage] = ()
        self._chosen = 0

    def compose(self) -> ComposeResult:
        """The question, the two answers, and what the one at hand means."""
        one = printable(self._entries[0].run.name) if len(self._entries) == 1 else ""
        question = f"Clean up {one or counted(len(self._entries), 'run')}?"
        with Vertical(classes="dialog"):
            yield Static(question, classes="dialog-title", markup=False)
            yield Static("", id="levels", markup=False)
            yield Static("", id="meaning", classes="quiet", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Measure first."""
        self.query_one("#levels", Static).update(f"{theme.WAITING} measuring …")
        self._measure()

    @work
    async def _measure(self) -> None:
        self._usages = await in_background(lambda: [usage(entry.run) for entry in self._entries])
        self._chosen = 0 if self._frees(Level.LEFTOVERS) else 1
        self._show()

    def _frees(self, level: Level) -> int:
        return sum(each.frees(level) for each in self._usages)

    def _show(self) -> None:
        lines = []
        for number, level in enumerate(_LEVELS):
            here = number == self._chosen
            words = f"{theme.HERE if here else ' '} {self._label(level):30}"
            size = size_words(self._frees(level))
            lines.append(Content.styled(f"{words} {size:>10}", "bold $accent" if here else ""))
        self.query_one("#levels", Static).update(Content("\n").join(lines))
        meaning = self._meaning(_LEVELS[self._chosen])
        if self._at_work:
            meaning += f"\n{theme.WARNING} {counted(self._at_work, 'run')} at work: left alone."
        self.query_one("#meaning", Static).update(f"\n{meaning}")

    def _label(self, level: Level) -> str:
        several = level is Level.EVERYTHING and len(self._entries) > 1
        return "the whole runs" if several else level.value

    def _meaning(self, level: Level) -> str:
        if level is Level.EVERYTHING:
            return "Weights, curves and log go too. There is no way back."
        if not self._frees(level):
            return "There are none."
        if all(entry.state is RunState.DONE for entry in self._entries):
            return "The final weights, the curves and the log stay."
        return "What is not done for good cannot be resumed then. Weights, curves, log stay."

    def action_choose(self, number: int) -> None:
        """The other answer."""
        if self._usages:
            self._chosen = number
            self._show()

    def action_other(self) -> None:
        """More than this, or less."""
        self.action_choose(1 - self._chosen)

    def action_remove(self) -> None:
        """Close with the answer at hand."""
        level = _LEVELS[self._chosen]
        if self._usages and self._frees(level):
            self.dismiss(level)
