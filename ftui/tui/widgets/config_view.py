"""An axolotl config with line numbers, quiet colours, and each problem under its line."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from ftui.text import printable
from ftui.tui import theme

if TYPE_CHECKING:
    from ftui.config.issue import Issue

_KEY = re.compile(
    r"(?P<indent>\s*(?:- )*)(?P<key>[^\s#'\"\[{][^:#]*)(?P<colon>:)(?P<rest>(?:\s.*)?)$"
)
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_GUTTER = 5


class ConfigView(VerticalScroll):
    """Scrolls with the arrows, j and k."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "down", show=False),
        Binding("k", "scroll_up", "up", show=False),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__(Static("", markup=False), id=id)
        self._text = ""
        self._issues: tuple[Issue, ...] = ()

    def fill(self, text: str, issues: Sequence[Issue]) -> None:
        """Show `text` with `issues`, and the first error in sight, or else the first warning."""
        moved = (text, tuple(issues)) != (self._text, self._issues)
        self._text, self._issues = text, tuple(issues)
        self._draw()
        if moved and issues:
            first = min(issues, key=lambda issue: (issue.severity != "error", issue.line))
            above = sum(1 for issue in issues if issue.line < first.line)
            self.scroll_to(y=max(first.line + above - 4, 0), animate=False)

    def on_resize(self) -> None:
        """Wrap the problems anew."""
        self._draw()

    def _draw(self) -> None:
        width = max(self.scrollable_content_region.width - 1, 20)
        lines: list[Content] = []
        for issue in self._issues:
            if not issue.line:
                lines += _words(issue, width)
        text = self._text.splitlines()
        for number, line in enumerate(text, start=1):
            here = [issue for issue in self._issues if issue.line == number]
            lines.append(_numbered(number, line, here).truncate(width, ellipsis=True))
            for issue in here:
                lines += _words(issue, width)
        for issue in self._issues:
            if issue.line > len(text):  # what is missing at the very end
                lines += _words(issue, width)
        self.query_one(Static).update(Content("\n").join(lines))


def _style(issue: Issue) -> str:
    return "$error" if issue.severity == "error" else "$warning"


def _glyph(issue: Issue) -> str:
    return theme.FAILED if issue.severity == "error" else theme.WARNING


def _numbered(number: int, line: str, issues: Sequence[Issue]) -> Content:
    gutter = (f"{number:{_GUTTER - 2}}  ", _style(issues[0]) if issues else "$secondary 60%")
    return Content.assemble(gutter, highlighted(printable(line)))


def _words(issue: Issue, width: int) -> list[Content]:
    """The problem in as many lines as it needs, under the line that it is about."""
    text = f"{_glyph(issue)} {issue.message}" + (f" → {issue.hint}" if issue.hint else "")
    indent = " " * _GUTTER
    wrapped = textwrap.wrap(
        printable(text), width, initial_indent=indent, subsequent_indent=indent + "  "
    )
    return [Content.styled(line, _style(issue)) for line in wrapped]


def highlighted(line: str) -> Content:
    """One line of YAML: keys plain, values in the accent colour, comments dim."""
    if line.startswith("#"):
        return Content.styled(line, "bold $secondary")
    comment = _COMMENT.search(line)
    code, remark = (line[: comment.start()], comment.group()) if comment else (line, "")
    match = _KEY.match(code)
    if match is None:
        return Content.assemble((code, "$accent"), (remark, "$secondary"))
    return Content.assemble(
        (match["indent"], "$secondary"),
        match["key"],
        (match["colon"], "$secondary"),
        (match["rest"], "$accent"),
        (remark, "$secondary"),
    )
