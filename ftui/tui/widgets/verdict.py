"""The line over a config: how many errors and warnings it has, and what is going on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from ftui.text import counted
from ftui.tui import theme

if TYPE_CHECKING:
    from ftui.config.issue import Issue


class Verdict(Static):
    """`config.yml   ✗ 1 error   ▲ 2 warnings   axolotl agrees`."""

    def __init__(self, *, id: str) -> None:
        super().__init__("writing the config …", id=id, markup=False)

    def show(self, name: str, issues: Sequence[Issue], doing: str) -> None:
        """Judge the config called `name`; `doing` is what is being waited for, or its end."""
        errors = error_count(issues)
        warnings = len(issues) - errors
        parts = [Content(name)]
        if errors:
            parts.append(Content.styled(f"{theme.FAILED} {counted(errors, 'error')}", "$error"))
        else:
            parts.append(Content.styled(f"{theme.DONE} no errors", "$success"))
        if warnings:
            words = f"{theme.WARNING} {counted(warnings, 'warning')}"
            parts.append(Content.styled(words, "$warning"))
        parts.append(Content.styled(doing, "$secondary"))
        self.update(Content("   ").join(parts))


def error_count(issues: Sequence[Issue]) -> int:
    """How many of the issues are errors."""
    return sum(issue.severity == "error" for issue in issues)
