"""The table of runs. Only the rows in view are drawn, so that thousands cost no more than ten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ftui.runs.listing import Entry
from ftui.runs.model import Run
from ftui.tui.widgets.run_rows import Layout, Piece, letter


class RunTable(ScrollView, can_focus=True):
    """A row a run under one line of titles. The cursor stays on its run whatever else moves."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "runs--plain",
        "runs--quiet",
        "runs--going",
        "runs--done",
        "runs--warned",
        "runs--wrong",
        "runs--marked",
        "runs--cursor",
    }
    DEFAULT_CSS = """
    RunTable {
        height: 1fr;
        scrollbar-size: 0 1;
        .runs--plain { color: $foreground; }
        .runs--quiet { color: $secondary; }
        .runs--going { color: $accent; text-style: bold; }
        .runs--done { color: $success; }
        .runs--warned { color: $warning; }
        .runs--wrong { color: $error; }
        .runs--marked { color: $accent; text-style: bold; }
        .runs--cursor { background: $block-cursor-blurred-background; }
        &:focus .runs--cursor { background: $block-cursor-background; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open"),
        Binding("space", "mark", "mark", key_display="space"),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("home,g", "move(-1000000)", "first", show=False),
        Binding("end,G", "move(1000000)", "last", show=False),
    ]

    class Moved(Message):
        """Another run is under the cursor, or the marks are others."""

    class Opened(Message):
        """A run was chosen."""

        def __init__(self, run: Run) -> None:
            super().__init__()
            self.run = run

    cursor: reactive[int] = reactive(0)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.entries: Sequence[Entry] = ()
        self.sizes: Mapping[str, int] = {}
        self.marks: list[str] = []
        """Names, in the order in which they were marked."""
        self._layout_of_rows = Layout((), 80)

    def show(self, entries: Sequence[Entry]) -> None:
        """Show these runs in this order."""
        at = self.current
        self.entries = entries
        names = [entry.run.name for entry in entries]
        if at is not None and at.run.name in names:
            self.set_reactive(RunTable.cursor, names.index(at.run.name))
        else:
            self.set_reactive(RunTable.cursor, min(self.cursor, max(len(names) - 1, 0)))
        self._fit()
        self._keep_in_view()
        self.post_message(self.Moved())

    def keep_marks(self, names: Iterable[str]) -> None:
        """Forget the marks of runs that are no more."""
        there = set(names)
        self.marks = [name for name in self.marks if name in there]

    def unmark(self) -> None:
        """Take all marks away."""
        self.marks = []
        self.refresh()
        self.post_message(self.Moved())

    @property
    def current(self) -> Entry | None:
        """The run under the cursor."""
        return self.entries[self.cursor] if self.cursor < len(self.entries) else None

    @property
    def in_view(self) -> Sequence[Entry]:
        """The runs on the screen now."""
        top = round(self.scroll_y)
        return self.entries[top : top + self.size.height - 1]

    # ── Keys ─────────────────────────────────────────────────────────────────────────────────

    def action_open(self) -> None:
        """Choose the run under the cursor."""
        if self.current is not None:
            self.post_message(self.Opened(self.current.run))

    def action_mark(self) -> None:
        """Mark the run under the cursor, or take its mark away, and go on to the next."""
        if self.current is None:
            return
        name = self.current.run.name
        if name in self.marks:
            self.marks.remove(name)
        else:
            self.marks.append(name)
        self.action_move(1)
        self.refresh()
        self.post_message(self.Moved())

    def action_move(self, by: int) -> None:
        """Some rows down or up."""
        self.cursor = min(max(self.cursor + by, 0), max(len(self.entries) - 1, 0))

    def action_page(self, by: int) -> None:
        """As many rows as are in view."""
        self.action_move(by * max(self.size.height - 2, 1))

    def on_click(self, event: Click) -> None:
        """A click goes there; a second one opens it."""
        row = round(self.scroll_y) + event.y - 1
        if event.y < 1 or row >= len(self.entries):
            return
        self.cursor = row
        if event.chain == 2:
            self.action_open()

    def watch_cursor(self) -> None:
        """Bring the run under the cursor into view."""
        self._keep_in_view()
        self.refresh()
        self.post_message(self.Moved())

    # ── Drawing ──────────────────────────────────────────────────────────────────────────────

    def on_resize(self, event: Resize) -> None:
        """Other columns fit."""
        self._fit()
        self._keep_in_view()

    def _fit(self) -> None:
        self._layout_of_rows = Layout(self.entries, max(self.size.width, 1))
        self.virtual_size = Size(0, len(self.entries) + 1)
        self.refresh()

    def _keep_in_view(self) -> None:
        rows = max(self.size.height - 1, 1)
        top = round(self.scroll_y)
        wanted = min(max(top, self.cursor - rows + 1), self.cursor)
        if wanted != top:
            self.scroll_to(y=wanted, animate=False, immediate=True)

    def render_line(self, y: int) -> Strip:
        """Textual's call: line `y` of the visible part; the first one stays."""
        width = self.size.width
        if y == 0:
            return self._strip(self._layout_of_rows.head() if self.entries else [], width)
        row = round(self.scroll_y) + y - 1
        if row >= len(self.entries):
            return Strip.blank(width, self.rich_style)
        entry = self.entries[row]
        name = entry.run.name
        mark = letter(self.marks.index(name)) if name in self.marks else ""
        here = row == self.cursor
        pieces = self._layout_of_rows.row(entry, self.sizes.get(name), mark, here=here)
        return self._strip(pieces, width, here=here)

    def _strip(self, pieces: Sequence[Piece], width: int, *, here: bool = False) -> Strip:
        cursor = self.get_component_rich_style("runs--cursor")  # blended with what it lies on
        under = Style(bgcolor=cursor.bgcolor) if here else None
        segments = []
        for text, name in pieces:
            style = self.get_component_rich_style(f"runs--{name}")
            segments.append(Segment(text, style + under if under else style))
        blank = self.rich_style + under if under else self.rich_style
        return Strip(segments).adjust_cell_length(width, blank)
