"""What enter does on the review: where, with which command, and what stands in the way."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from ftui.text import printable
from ftui.tui import theme
from ftui.tui.widgets.memory_note import MemoryNote
from ftui.tui.widgets.receipt import ReceiptNote

if TYPE_CHECKING:
    from ftui.targets.base import Problem
    from ftui.tui.services import Facts


class LaunchFacts(VerticalScroll):
    """Stands beside the config, or under it where there is little room."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)

    def compose(self) -> ComposeResult:
        """Empty until the facts are known."""
        yield Static("", id="blockers", markup=False)
        yield ReceiptNote(id="receipt")
        yield MemoryNote(id="memory")
        yield Static("", id="facts-text", markup=False)

    def fill(self, facts: Facts) -> None:
        """Show the facts; what stands in the way comes first."""
        command = shlex.join(facts.command)
        blockers = self.query_one("#blockers", Static)
        blockers.display = bool(facts.problems)
        if facts.problems:
            told = "\n".join(map(_blocker, facts.problems))
            blockers.update(_section("It cannot run here", told, "$error"))
            parts = [_section("The command, in the run's own folder", command)]
            if facts.limits:
                parts.append(_section("It would end at the latest after", facts.limits))
        else:
            ends = f"\nending at the latest after {facts.limits}" if facts.limits else ""
            parts = [
                _section(
                    "Enter launches this on",
                    f"{facts.place} · {facts.hardware.words}{ends}",
                    between=" " if self.screen.has_class("-narrow") else "\n",
                ),
                _section("with, in the run's own folder,", command),
                Content.styled("The run goes on when ftui is closed.", "$secondary"),
            ]
        if facts.changes:
            parts.append(_section("Changed by your answers", ", ".join(facts.changes)))
        self.query_one("#facts-text", Static).update(Content("\n\n").join(parts))


def _blocker(problem: Problem) -> str:
    hint = problem.key_hint or problem.hint
    return f"{theme.FAILED} {problem.what}" + (f"\n  → {hint}" if hint else "")


def _section(title: str, text: str, style: str = "$foreground", *, between: str = "\n") -> Content:
    return Content.assemble((title, "$secondary"), between, (printable(text), style))
