"""What reading a dataset gives: rows, and faults where a row should be."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from ftui.text import printable, shorten

LARGEST_ROW = 1 << 26
"""Bytes of text. A longer row is a fault: it would have to be held in memory whole."""

HINT = (
    "A dataset has one JSON object on each line (JSONL), or is one JSON array of objects, "
    "or a table whose first line names the columns (CSV)."
)
NO_OBJECT = 'Each row is one object with named values, such as {"text": "…"}.'
_HALF = r"half of a character that takes two (\ud800 to \udfff) stands alone"


class Row(NamedTuple):
    """One example: the line where it begins (from 1), what it holds, and a hash of its content.

    In Parquet, Arrow and hub datasets the line is the number of the row.
    """

    line: int
    values: dict[str, Any]
    mark: int


class Fault(NamedTuple):
    """What stands where a row should be. `field` is empty where it is no single column's."""

    line: int
    field: str
    message: str
    hint: str


class Note(NamedTuple):
    """What is to be told of a row that is read all the same. Its line is the row's."""

    line: int
    field: str
    message: str
    hint: str


class Group(NamedTuple):
    """Some rows in a row, their lines, and a mark each; and the faults that stand among them.

    Many at a time: to make a Row of each costs more than to read it. Never more than a few dozen
    KiB of text, or one row.
    """

    lines: Sequence[int]
    rows: list[dict[str, Any]]
    marks: list[int]
    faults: list[Fault]
    size: int = 0
    """Bytes of text that it was read from, about."""
    notes: Sequence[Note] = ()


GROUP = 1 << 15
"""Bytes of text. What does not fit the processor's cache is slower to look at again."""


def gathered(items: Iterable[tuple[int, Row | Fault | Note]]) -> Iterator[Group]:
    """Groups of rows, faults and notes that come one by one, each with its size in bytes."""
    size, group = 0, _empty()
    for length, item in items:
        if isinstance(item, Row):
            group.lines.append(item.line)
            group.rows.append(item.values)
            group.marks.append(item.mark)
        elif isinstance(item, Note):
            group.notes.append(item)
        else:
            group.faults.append(item)
        size += length
        if size >= GROUP:
            yield group.closed(size)
            size, group = 0, _empty()
    if group.lines or group.faults:
        yield group.closed(size)


class _Growing(NamedTuple):
    lines: list[int]
    rows: list[dict[str, Any]]
    marks: list[int]
    faults: list[Fault]
    notes: list[Note]

    def closed(self, size: int) -> Group:
        """The group that it has become."""
        return Group(self.lines, self.rows, self.marks, self.faults, size, self.notes)


def _empty() -> _Growing:
    return _Growing([], [], [], [], [])


_row = partial(tuple.__new__, Row)


def one_by_one(groups: Iterable[Group]) -> Iterator[Row | Fault]:
    """The rows and faults of groups, in the order of their lines."""
    return chain.from_iterable(map(_in_order, groups))


def _in_order(group: Group) -> Iterator[Row | Fault]:
    rows: Iterator[Row] = map(_row, zip(group.lines, group.rows, group.marks, strict=True))
    return heapq.merge(rows, group.faults, key=itemgetter(0)) if group.faults else rows


class Broken(Exception):
    """Why a file cannot be read any further: the message and the hint of its last fault."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def fault(self, line: int) -> Fault:
        """The fault that says it."""
        return Fault(line, "", self.message, self.hint)


class Unfit(ValueError):
    """Values that JSON has words for, but no dataset can hold. Its text says which."""


def mark_of(values: dict[str, Any]) -> int:
    """A hash of the content. Raises Unfit for half a character, and for nesting without end."""
    import orjson

    try:
        return hash(orjson.dumps(values))
    except TypeError as error:
        if "surrogates" in str(error):
            raise Unfit(_HALF) from error
    try:
        return hash(repr(values))  # nested deeper than orjson writes, or an integer over 64 bits
    except RecursionError as error:
        raise Unfit("it is nested too deep") from error


def show(text: str | bytes) -> str:
    """The beginning of a text from a file, on one line and safe to show."""
    if isinstance(text, bytes):
        text = text[:400].decode("utf-8", "replace")
    return shorten(printable(text[:400]), 60)
