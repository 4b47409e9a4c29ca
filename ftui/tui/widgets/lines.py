"""The first line of a screen, and the line that says what is wrong."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Static

from ftui.errors import FtuiError
from ftui.text import printable
from ftui.tui import theme


class TopLine(Widget):
    """`ftui · new fine-tune` on the left, what it runs on at the right."""

    DEFAULT_CSS = "TopLine { height: 1; padding: 0 2; color: $secondary; }"
    left: reactive[str] = reactive("")
    right: reactive[str] = reactive("")

    def __init__(self, left: str, right: str = "") -> None:
        super().__init__()
        self.set_reactive(TopLine.left, left)
        self.set_reactive(TopLine.right, right)

    def render(self) -> Content:
        """One line; the right part is the first to go when there is no room."""
        width = self.size.width
        gap = width - len(self.left) - len(self.right)
        right = " " * gap + self.right if gap >= 2 else ""
        return Content.assemble(("ftui", "bold $accent"), self.left.removeprefix("ftui"), right)


class Notice(Static):
    """What went wrong, where, why and what to do; or what went well. Else it takes no room."""

    DEFAULT_CSS = "Notice { height: auto; color: $error; } Notice.-none { display: none; }"

    def __init__(self, *, id: str) -> None:
        super().__init__("", id=id, markup=False, classes="-none")

    def show(self, error: FtuiError | None, more: str = "") -> None:
        """Show `error`, or nothing; `more` is what tells more about it."""
        self.set_class(error is None, "-none")
        if error is not None:
            told = [explain(error)]
            told += [Content.styled(f"  → {more}", "$foreground")] if more else []
            self.update(Content("\n").join(told))

    def say(self, what: str, hint: str) -> None:
        """Tell that something is done, and what can be done next."""
        self._tell(f"{theme.DONE} {what}", "$success", hint)

    def warn(self, what: str, hint: str) -> None:
        """Tell what the person may not expect, and what can be done about it."""
        self._tell(f"{theme.WARNING} {what}", "$warning", hint)

    def wait(self, what: str, hint: str) -> None:
        """Tell what is being waited for, and how to stop it."""
        self._tell(f"{theme.WAITING} {what} …", "$secondary", hint)

    def _tell(self, words: str, style: str, hint: str) -> None:
        self.set_class(False, "-none")
        self.update(
            Content.assemble((printable(words), style), (f"\n  → {printable(hint)}", "$foreground"))
        )


def explain(error: FtuiError) -> Content:
    """An error as lines: the glyph and what, then why, then what to do next."""
    where = f"{error.where}: " if error.where else ""
    lines = [Content.styled(f"{theme.FAILED} {printable(where + error.what)}", "$error")]
    if error.why:
        lines.append(Content.styled(f"  {printable(error.why)}", "$secondary"))
    if error.hint:
        lines.append(Content.styled(f"  → {printable(error.hint)}", "$foreground"))
    return Content("\n").join(lines)
