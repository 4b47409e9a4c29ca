"""Cells of CSV as pandas reads them for axolotl: words that mean no value, and columns of numbers.

Measured with datasets 4.8 and pandas 2.3: NA, null, None, nan and an empty cell are no value; a
column in which every cell is a number or True or False is no text (007 is 7). The first 10,000
rows settle it; what does not fit later ends the reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ftui.data.convert import targets
from ftui.data.formats import Format
from ftui.data.judge import Reason
from ftui.data.row import Group, show
from ftui.data.watch import Notice

_WORDS = """
#N/A #NA -1.#IND -1.#QNAN -NaN -nan 1.#IND 1.#QNAN <NA> N/A NA NULL NaN None n/a nan null
"""
NO_VALUE = frozenset((*_WORDS.split(), "", "#N/A N/A"))
"""pandas._libs.parsers.STR_NA_VALUES."""
_CHUNK = 10_000
"""Rows that `datasets` reads at a time (packaged_modules/csv: chunksize)."""
_INTEGER = re.compile(r"[ \t]*[+-]?\d{1,300}[ \t]*", re.ASCII)
"""Python's `int` refuses thousands of digits; `float` takes them for infinity."""
_NUMBER = re.compile(
    r"[ \t]*[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?)[ \t]*", re.ASCII | re.I
)
_FLAGS = frozenset(("True", "TRUE", "true", "False", "FALSE", "false"))
_LATE = "axolotl's reader settles the columns from the first 10,000 rows: write the rows as JSONL"

Place = tuple[int, str]
"""A line and its file."""


def as_jsonl(format: Format) -> str:
    """What to do about cells that are to stay text: the command, for rows that can be written."""
    written = "write the rows as JSONL, where they stay text"
    names = targets(format)
    return f"{written}: ftui data FILE --convert {names[0]} -o NEW.jsonl" if names else written


@dataclass
class _Column:
    """What the cells of a column may still be taken for, and where one would be written anew."""

    integers: bool = True
    numbers: bool = True
    flags: bool = True
    values: int = 0
    rows: int = 0
    first: Place | None = None
    """Of the first value."""
    anew: dict[type, tuple[Place, str, str]] = field(default_factory=dict)
    """By what the column becomes: the first cell that changes, with its place and its new text."""

    @property
    def is_text(self) -> bool:
        return not (self.numbers or self.flags)

    @property
    def kind(self) -> type:
        """What it becomes: a whole number where no cell is without a value."""
        if not self.values:
            return float
        if self.integers and self.values == self.rows:
            return int
        return float if self.numbers else bool if self.flags else str

    def fits(self, cell: str) -> bool:
        """Whether a cell of a later chunk can still be read."""
        kind = self.kind
        if kind is bool:
            return cell in _FLAGS
        return kind is str or (_is_number(cell) and (kind is float or _is_whole(cell)))

    def add(self, place: Place, cell: str) -> None:
        """Take in a cell of the first chunk that is a value."""
        self.first = self.first or place
        self.values += 1
        self.flags = self.flags and cell in _FLAGS
        self.integers = self.integers and _is_integer(cell)
        self.numbers = self.numbers and _is_number(cell)
        for kind, written in self._written(cell):
            if written != cell:
                self.anew.setdefault(kind, (place, cell, written))

    def _written(self, cell: str) -> Iterator[tuple[type, str]]:
        if self.integers:
            yield int, str(int(cell))
        if self.numbers:
            yield float, str(float(cell))
        if self.flags:
            yield bool, cell.capitalize()


def _is_integer(cell: str) -> bool:
    return _INTEGER.fullmatch(cell) is not None and -(2**63) <= int(cell) < 2**64


def _is_number(cell: str) -> bool:
    if _NUMBER.fullmatch(cell) is None:
        return False
    whole = _INTEGER.fullmatch(cell) is not None
    if whole:
        return _is_integer(cell)
    return "inf" in cell.lower() or abs(float(cell)) != float("inf")


def _is_whole(cell: str) -> bool:
    value = float(cell)
    return value.is_integer() and abs(value) < 2**63


class Cells:
    """Watches CSV."""

    def __init__(self, format: Format) -> None:
        self._columns: dict[str, _Column] = {}
        self._strict: dict[str, _Column] | None = None
        self._rows = 0
        self._hint = as_jsonl(format)
        self._takes = {part.column: part.lacking.takes_anything for part in format.parts}

    @staticmethod
    def read(group: Group) -> Group:
        """The rows with None where a cell is read as no value."""
        rows = [
            {name: None if cell in NO_VALUE else cell for name, cell in row.items()}
            for row in group.rows
        ]
        return group._replace(rows=rows)

    def look(self, file: str, group: Group, columns: frozenset[str]) -> Iterator[Notice]:
        """Notice a cell that does not fit what the first rows were."""
        for line, row in zip(group.lines, group.rows, strict=True):
            if self._strict is None:
                self._settle((line, file), row)
                continue
            for name, column in [*self._strict.items()]:
                cell = row.get(name)
                if cell is not None and not column.fits(cell):
                    del self._strict[name]
                    before = {int: "whole numbers", float: "numbers", bool: "True and False"}
                    held = before[column.kind] if column.values else "nothing"
                    words = f"{name} is {show(cell)} here, after 10,000 rows of {held}"
                    yield Notice(Reason.LATE, line, name, words, _LATE)

    def _settle(self, place: Place, row: dict[str, str | None]) -> None:
        self._rows += 1
        for name, cell in row.items():
            column = self._columns.setdefault(name, _Column())
            column.rows += 1
            if cell is not None and not column.is_text:
                column.add(place, cell)
        if self._rows == _CHUNK:
            self._strict = {
                name: column for name, column in self._columns.items() if not column.is_text
            }

    def end(self) -> Iterator[Notice]:
        """The columns of the type that are no text."""
        for name, takes_anything in self._takes.items():
            column = self._columns.get(name)
            if column is None or column.is_text or column.first is None:
                continue
            (line, file), count = column.first, column.values
            what = "True or False" if column.kind is bool else "a number"
            words = f"in {name} every cell is {what}, and is read as such: "
            if not takes_anything:
                words += "axolotl needs text and stops"
                yield Notice(Reason.UNREADABLE, line, name, words, self._hint, count, file)
            elif column.kind in column.anew:
                (line, file), cell, written = column.anew[column.kind]
                words += f"{show(cell)} is written as {written}"
                yield Notice(Reason.REWRITTEN, line, name, words, self._hint, count, file)
