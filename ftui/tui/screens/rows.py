"""Asks what the rows of a dataset are, where nothing in them says it for certain."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static

from ftui.data.dataset import Undecided
from ftui.data.formats import Format
from ftui.data.mask import LEARNT, READ
from ftui.plan.rows_choice import Ask, following, shown_of
from ftui.text import printable
from ftui.tui import theme
from ftui.tui.widgets.lines import TopLine
from ftui.tui.widgets.options import Options


class RowsScreen(Screen[Format | None]):
    """One question after the other; returns what the rows are, or None for an answer put off."""

    CSS_PATH = "../styles/rows.tcss"
    HELP = (
        "A model learns to answer: it reads one column and learns to write another. Enter takes "
        "the highlighted one; below the list is what the first row would become."
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", "back")]

    def __init__(self, undecided: Undecided) -> None:
        super().__init__()
        self._undecided = undecided
        self._answers: list[str] = []
        self._asked: list[Ask] = []
        """The questions so far; the last is on the screen."""

    def compose(self) -> ComposeResult:
        """Why it is asked, the question, and what an answer would make of the first row."""
        yield TopLine(f"ftui · {printable(Path(self._undecided.where).name)}")
        with Vertical(id="page"):
            yield Static(self._why(), id="why", markup=False)
            yield Static("", id="question", markup=False)
            yield Options(id="options")
            yield Static("", id="preview", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Ask the first question."""
        self._go_on()

    def _why(self) -> Content:
        unsure = bool(self._undecided.formats)
        why = self._undecided.what if unsure else "nothing tells the question from the answer here"
        return Content.styled(f"{theme.WARNING} {why}", "$warning")

    def _go_on(self) -> None:
        """Ask what is to be asked next, or close with the result."""
        asked = following(self._undecided, self._answers)
        if not isinstance(asked, Ask):
            self.dismiss(asked)
            return
        self._asked.append(asked)
        self._show(asked.current)

    def _show(self, current: str) -> None:
        asked = self._asked[-1]
        said = [
            Content.assemble(
                (f"{theme.DONE} ", "$success"),
                (f"{each.title}  ", "$secondary"),
                next(option.label for option in each.options if option.value == answer),
            )
            for each, answer in zip(self._asked, self._answers, strict=False)
        ]
        question = Content.styled(asked.question, "bold")
        self.query_one("#question", Static).update(Content("\n").join([*said, question]))
        options = self.query_one(Options)
        options.fill(asked.options, current)
        options.focus()

    @on(Options.OptionHighlighted)
    def _preview(self) -> None:
        """What the highlighted answer would make of the first row."""
        option = self.query_one(Options).choice
        if option is None:
            return
        pieces = shown_of(self._undecided, [*self._answers, option.value])
        lines = [
            Content.assemble(
                (f"{LEARNT if learnt else READ} ", "$accent" if learnt else "$secondary"),
                (text, "$foreground" if learnt else "$secondary"),
            )
            for learnt, text in pieces
        ]
        title = Content.styled(f"The first row   {LEARNT} learnt   {READ} only read", "$secondary")
        self.query_one("#preview", Static).update(
            Content("\n").join([title, *lines]) if lines else ""
        )

    @on(Options.OptionSelected)
    def _choose(self, event: Options.OptionSelected) -> None:
        answer = event.option_id
        if any(option.value == answer for option in self._asked[-1].options):
            self._answers.append(str(answer))  # else it is a second enter on the list before
            self._go_on()

    def action_back(self) -> None:
        """To the question before; from the first one, back to the wizard."""
        if not self._answers:
            self.dismiss(None)
            return
        self._asked.pop()
        self._show(self._answers.pop())
