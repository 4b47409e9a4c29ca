"""Runs as rows in aligned columns: what each cell says, and which columns there is room for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ftui.runs.cleanup import size_words
from ftui.runs.endpoints import GLYPH
from ftui.runs.listing import Entry, ago
from ftui.runs.model import RunState
from ftui.text import printable, shorten
from ftui.tui import theme
from ftui.tui.widgets.ticks import short

Piece = tuple[str, str]
"""A text and the name of its style."""

ROOMY = 100
"""From this width on there is room for target and size."""
_LEAST_NAME = 12
_FIXED = {"state": 14, "size": 9}
_STYLES = {
    RunState.TRAINING: "going",
    RunState.STARTING: "going",
    RunState.STOPPING: "warned",
    RunState.DONE: "done",
    RunState.STOPPED: "warned",
    RunState.NUMBERS_LOST: "wrong",
    RunState.FAILED: "wrong",
    RunState.INTERRUPTED: "wrong",
    None: "warned",
}


@dataclass(frozen=True)
class Column:
    """A title, what it says of a run, and how."""

    title: str
    words: Callable[[Entry, int | None], str]
    style: str = "plain"
    right: bool = False


def letter(number: int) -> str:
    """The mark of the first, second, … run that was marked."""
    return chr(ord("A") + number) if number < 26 else "+"


def _steps(entry: Entry, size: int | None) -> str:
    return f"{entry.step:,} / {entry.max_steps:,}" if entry.max_steps else ""


def _loss(entry: Entry, size: int | None) -> str:
    return "" if entry.loss is None else short(entry.loss).replace("not a number", "NaN")


def _size(entry: Entry, size: int | None) -> str:
    return "" if size is None else size_words(size)


_NAME = Column("name", lambda entry, size: printable(entry.run.name))
_STATE = Column("state", lambda entry, size: f"{entry.glyph} {entry.word}", "state")
_ENDPOINT = Column("endpoint", lambda entry, size: printable(entry.endpoint), "going")
_MARK = Column(GLYPH, lambda entry, size: GLYPH if entry.left else "", "going")
"""What there is of that column where there is no room for words."""
_ALL = (
    _STATE,
    _NAME,
    Column("target", lambda entry, size: printable(entry.target), "quiet"),
    Column("steps", _steps, right=True),
    Column("loss", _loss, right=True),
    Column("started", lambda entry, size: ago(entry.started), "quiet"),
    Column("size", _size, "quiet", right=True),
)
_FEW = (
    _STATE,
    _NAME,
    Column("steps", lambda entry, size: _steps(entry, size).replace(" ", ""), right=True),
    *(column for column in _ALL if column.title in ("loss", "started")),
)


class Layout:
    """The columns of some rows, and how wide each of them is."""

    def __init__(self, entries: Sequence[Entry], width: int) -> None:
        usual, self._gap = (_ALL, " " * 3) if width >= ROOMY else (_FEW, " " * 2)
        if not any(entry.left for entry in entries):
            self._choose(usual, entries, width)
        elif width < ROOMY or not self._choose((*usual, _ENDPOINT), entries, width):
            self._choose((*usual, _MARK), entries, width)

    def _choose(self, columns: Sequence[Column], entries: Sequence[Entry], width: int) -> bool:
        """Take these columns; whether there is room for them, and enough of it for the names."""
        self.columns = tuple(columns)
        self.widths = [self._width(column, entries) for column in self.columns]
        name = self.columns.index(_NAME)
        others = sum(self.widths) - self.widths[name]
        room = width - _LEFT - others - len(self._gap) * (len(self.columns) - 1)
        enough = room >= min(self.widths[name], _LEAST_NAME)
        self.widths[name] = max(min(self.widths[name], room), min(self.widths[name], _LEAST_NAME))
        return enough

    @staticmethod
    def _width(column: Column, entries: Sequence[Entry]) -> int:
        """Those that change as one looks have room for anything from the start."""
        if column.title in _FIXED:
            return _FIXED[column.title]
        words = (column.words(each, None) for each in entries if not each.problem)
        return max(map(len, (column.title, *words)))

    def head(self) -> list[Piece]:
        """The titles."""
        pieces: list[Piece] = [(" " * _LEFT, "quiet")]
        for column, width in zip(self.columns, self.widths, strict=True):
            pieces += [(_fitted(column.title, width, column.right), "quiet"), (self._gap, "quiet")]
        return pieces[:-1]

    def row(self, entry: Entry, size: int | None, mark: str, *, here: bool) -> list[Piece]:
        """One run. `mark` is its letter, or nothing."""
        pieces: list[Piece] = [
            (theme.HERE if here else " ", "going"),
            (" ", "plain"),
            (mark or " ", "marked"),
            (" ", "plain"),
        ]
        for column, width in zip(self.columns, self.widths, strict=True):
            words = column.words(entry, size)
            words = ending(words, width) if column is _NAME else words
            words = _fitted(words, width, column.right)
            style = _STYLES.get(entry.state, "plain") if column is _STATE else column.style
            pieces += [(words, style), (self._gap, "plain")]
        return pieces[:-1] if not entry.problem else [*pieces[:_UP_TO_NAME], *_problem(entry)]


_LEFT = 4
"""The pointer and the mark, each with a blank."""
_UP_TO_NAME = 4 + 2 * 2
"""Pieces before what is said instead of figures."""


def _problem(entry: Entry) -> Iterable[Piece]:
    return [(shorten(printable(entry.problem), 60), "quiet")]


def ending(name: str, width: int) -> str:
    """A name in that many characters: they begin alike and differ at their end."""
    return name if len(name) <= width else "…" + name[len(name) - width + 1 :]


def _fitted(words: str, width: int, right: bool) -> str:
    words = shorten(words, width) if len(words) > width else words
    return words.rjust(width) if right else words.ljust(width)
