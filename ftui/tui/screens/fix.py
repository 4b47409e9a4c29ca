"""What to change in the config of a run that failed, shown before it is written."""

from __future__ import annotations

import difflib
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

from ftui.runs.resume import Resumption
from ftui.targets.resume import Fix
from ftui.text import printable

Choice = Literal["fix", "as it is"]

_STYLES = {"+": "$success", "-": "$error", "@": "$accent"}
_AROUND = 2
"""Lines of the config around each change."""


class FixScreen(ModalScreen[Choice | None]):
    """Returns what to go on with; None for not now."""

    CSS_PATH = "../styles/fix.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "dismiss('fix')", "fix and resume"),
        Binding("s", "dismiss('as it is')", "resume as it is"),
        Binding("escape", "dismiss(None)", "not now", key_display="esc"),
    ]

    def __init__(self, fix: Fix, going_on: Resumption | None = None) -> None:
        super().__init__()
        self._fix = fix
        self._going_on = going_on

    def compose(self) -> ComposeResult:
        """What it does, the lines that change, and from where it goes on."""
        found = self._fix.diagnosis
        with Vertical(classes="dialog"):
            yield Static(
                f"{found.cause.glyph} {found.cause.value}: {printable(found.reason)}",
                classes="dialog-title",
                markup=False,
            )
            with VerticalScroll(id="diff"):
                yield Static(diff(self._fix.before, self._fix.after), markup=False)
            where = (
                f"It {self._going_on.words}."
                if found.resumes and self._going_on is not None
                else "It begins again; what it has trained so far is kept in out.1 (or .2, …)."
            )
            yield Static(
                f"{where} The old config is kept as config.1.yml (or .2, …).", classes="quiet"
            )
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """The arrows scroll the change."""
        self.query_one("#diff").focus()


def diff(before: str, after: str) -> Content:
    """The lines that change, each with its sign, and a few around them."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=_AROUND)
    return Content("\n").join(
        Content.styled(printable(line), _STYLES.get(line[:1], "$secondary"))
        for line in list(lines)[2:]  # the names of the two texts
        if not line.startswith("@@")
    )
