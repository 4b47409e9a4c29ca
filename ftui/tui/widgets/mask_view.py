"""A row as the model sees it: its tokens, learnt or only read, told by a sign and by a tint.

Text is data here: control codes are taken out and nothing is ever read as markup. Only the lines
in view are drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ftui.data.mask import END, LEARNT, NEWLINE, READ, mask_lines, more_words
from ftui.text import counted, printable
from ftui.tui import theme

if TYPE_CHECKING:
    from ftui.data.tokens import Part, Shown

_TAB = "⇥"
"""Stands for a tab, whose width nobody could see."""
_GUTTER = 2
"""Columns of the sign before each line."""

Cell = tuple[str, str]
"""A piece of a line, and the component class that it looks like."""
Row = list[Cell]

LEGEND = f"{LEARNT} learnt   {READ} only read   {END} end of a turn   {NEWLINE} new line"


class MaskView(ScrollView, can_focus=True):
    """One row's tokens, wrapped; neighbouring tokens differ a little in their tint."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "mask--sign",
        "mask--learnt",
        "mask--learnt-next",
        "mask--quiet",
        "mask--read",
        "mask--read-next",
        "mask--part",
    }
    DEFAULT_CSS = """
    MaskView {
        height: 1fr;
        scrollbar-size: 0 1;
        .mask--sign { color: $accent; }
        .mask--quiet { color: $secondary; }
        .mask--learnt { color: $foreground; background: $accent 30%; }
        .mask--learnt-next { color: $foreground; background: $accent 18%; }
        .mask--read { color: $secondary; background: $secondary 16%; }
        .mask--read-next { color: $secondary; background: $secondary 8%; }
        .mask--part { color: $foreground; text-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", show=False),
        Binding("k", "scroll_up", show=False),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._row: Shown | None = None
        self._lines: list[Row] = []

    def show(self, row: Shown) -> None:
        """Show a row from its beginning."""
        self._row = row
        self._arrange()
        self.scroll_to(y=0, animate=False, immediate=True)

    def on_resize(self) -> None:
        """Wrap anew."""
        self._arrange()

    def _arrange(self) -> None:
        width = self.scrollable_content_region.width
        parts = self._row.parts if self._row else ()
        named = len(parts) > 1
        self._lines = [line for part in parts for line in _lines(part, width, named=named)]
        self.virtual_size = Size(width, len(self._lines))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Textual's call: line `y` of the visible part."""
        number, width = self.scroll_offset.y + y, self.size.width
        if number >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        line = self._lines[number]
        strip = Strip(Segment(text, self.get_component_rich_style(look)) for text, look in line)
        return strip.crop_extend(0, width, self.rich_style)


def _lines(part: Part, width: int, *, named: bool) -> Iterator[Row]:
    """A part's lines, each with its sign, under the name of the part where there are several."""
    if named:
        told = f"{part.name}  {part.learnt:,} of {counted(part.size, 'token')} learnt"
        yield [(printable(told), "mask--part")]
    number = 0
    for line in mask_lines(part.texts, part.labels, part.ends):
        kind = "learnt" if line.learnt else "read"
        tokens = []
        for token in line.tokens:
            look = f"mask--{kind}" if number % 2 else f"mask--{kind}-next"
            tokens.append((token.replace("\t", _TAB), look))
            number += 1
        sign = "mask--sign" if line.learnt else "mask--quiet"
        for row in _wrapped(tokens, max(width - _GUTTER, 1)):
            yield [(line.sign, sign), (" ", "mask--quiet"), *row]
    if part.more:
        yield [(more_words(part), "mask--quiet")]
    if named:
        yield []


def _wrapped(tokens: Iterable[Cell], width: int) -> Iterator[Row]:
    """The tokens in as many rows as they need, cut between words, or where a word fills a row."""
    row: Row = []
    room = width
    for word in _words(tokens):
        if row and room < sum(cell_len(text) for text, _ in word) <= width:
            yield row
            row, room = [], width
        for piece, look in ((piece, look) for text, look in word for piece in _cut(text, width)):
            if row and room < cell_len(piece):
                yield row
                row, room = [], width
            row.append((piece, look))
            room -= cell_len(piece)
    yield row


def _words(tokens: Iterable[Cell]) -> Iterator[Row]:
    """The tokens of each word; the space before a word belongs to it."""
    word: Row = []
    for text, look in tokens:
        if word and text[:1].isspace():
            yield word
            word = []
        word.append((text, look))
    yield word


def _cut(text: str, width: int) -> list[str]:
    return chop_cells(text, width) if cell_len(text) > width else [text]


_GLYPHS = {"train": (theme.DONE, "$success"), "held_out": (theme.WAITING, "$secondary")}


def head(row: Shown, place: str, source: str, error: str) -> Content:
    """Which row it is, what becomes of it and why, and how much of it is learnt."""
    from ftui.data.tokens import fate_words

    glyph, style = _GLYPHS.get(row.fate, (theme.WARNING, "$warning"))
    if row.fate == "failed":
        glyph, style = theme.FAILED, "$error"
    tokens = sum(part.size for part in row.parts)
    learnt = sum(part.learnt for part in row.parts)
    rated = {True: " · rated good", False: " · rated bad", None: ""}[row.label]
    why = f": {error}" if error else ""
    return Content.assemble(
        (place, "$secondary"),
        f"   row {row.row + 1:,} of {printable(source)}\n",
        (printable(f"{glyph} {fate_words(row.fate)}{why}"), style),
        (f" · {learnt:,} of {counted(tokens, 'token')} learnt{rated}", "$secondary"),
    )
