"""Where a question of the wizard stands: the rail, the question itself, and what it means."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from ftui.tui.widgets.fields import Line, PathSuggester
from ftui.tui.widgets.lines import Notice
from ftui.tui.widgets.options import Options
from ftui.tui.widgets.rail import Rail


class StepBody(Horizontal):
    """Rail, question, meaning."""

    def compose(self) -> ComposeResult:
        """Empty as yet: the screen fills it with the step at hand."""
        yield Rail(id="rail")
        with Vertical(id="question-side"):
            yield Static("", id="question", markup=False)
            yield Line(id="filter", placeholder="part of a name")
            yield Options(id="options")
            with Horizontal(id="own", classes="field"):
                yield Static("Or type it", classes="field-label", markup=False)
                yield Line(id="text", suggester=PathSuggester())
            yield Vertical(id="fields")
            yield Static("", id="note", classes="quiet", markup=False)
            yield Notice(id="problem")
            yield Static("", id="meaning-below", markup=False)
        with Vertical(id="meaning-side"):
            yield Static("", id="meaning-title", markup=False)
            yield Static("", id="meaning", markup=False)
