"""The line over a config: how many errors and notes it has, and what is going on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from ftui.tui import theme

if TYPE_CHECKING:
    from ftui.config.issue import Issue


class Verdict(Static):
    """`config.yml   ✗ 1 error   ▲ 2 notes   axolotl agrees`."""

    def __init__(self, *, id: str) -> None:
        super().__init__("writing the config …", id=id, markup=False)

    def show(self, name: str, issues: Sequence[Issue], doing: str) -> None:
        """Judge the config called `name`; `doing` is what is being waited for, or its end."""
        errors = error_count(issues)
        notes = len(issues) - errors
        parts = [Content(name)]
        if errors:
            parts.append(Content.styled(f"{theme.FAILED} {counted(errors, 'error')}", "$error"))
        else:
            parts.append(Content.styled(f"{theme.DONE} no errors", "$success"))
        if notes:
            parts.append(Content.styled(f"{theme.WARNING} {counted(notes, 'note')}", "$warning"))
        parts.append(Content.styled(doing, "$secondary"))
        self.update(Content("   ").join(parts))


def error_count(issues: Sequence[Issue]) -> int:
    """How many of the issues are errors."""
    return sum(issue.severity == "error" for issue in issues)


def counted(number: int, word: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{number} {word}{'s' if number != 1 else ''}"
