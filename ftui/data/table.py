"""Rows of CSV and TSV: a line of column names, then one record a row; every value is text.

Stricter than pandas, which reads these files for axolotl: where a record does not fit it moves
values into other columns, or mends quotes, without a word.
"""

from __future__ import annotations

import csv
from collections import Counter, deque
from collections.abc import Iterator
from io import BufferedReader
from typing import Any

from ftui.data.row import LARGEST_ROW, Broken, Fault, Group, Row, gathered, mark_of, show
from ftui.data.source import Source
from ftui.text import counted

_LARGEST_CELL = 1 << 24
"""Characters. As much is held in memory to find where a quote is closed."""
_BOM = b"\xef\xbb\xbf"
_QUOTES = 'A cell with a quote in it is written "…""…". Write it with a CSV library.'
_ENDS = "Write line ends as \\n: `tr '\\r' '\\n' < FILE > NEW`."
_UTF8 = "Save the file as UTF-8, e.g. `iconv -f LATIN1 -t UTF-8 FILE > NEW` if it is Latin-1."
_ROWS = "Write a row on each line below it."
_NAMES = "Give each column its own name in the first line (in pandas: to_csv(index=False))."


def groups(source: Source, separator: str) -> Iterator[Group]:
    """Every record in order, and the faults between them."""
    if source.head.startswith(_BOM):
        source.reader.read(len(_BOM))
    return gathered(_sized(source, _Table(source.by_line(), separator), separator))


def _sized(source: Source, table: _Table, separator: str) -> Iterator[tuple[int, Row | Fault]]:
    """Each with its size."""
    header: list[str] | None = None
    alone = False
    try:
        for item in table.records():
            if isinstance(item, Fault):
                alone = False
                yield 0, item
            elif header is None:
                header, alone = _named(item[1]), True
                yield from ((0, fault) for fault in _check_header(*item))
                if (fault := _separated_otherwise(*item, separator)) is not None:
                    yield 0, fault
                    return
            else:
                alone = False
                yield table.size, _row(*item, header)
        if alone and source.failure is None:
            yield 0, Fault(1, "", "the file has no rows, only its header", _ROWS)
        if source.failure is not None:
            yield 0, source.failure.fault(table.line + 1)
    except Broken as error:
        yield 0, error.fault(table.line + 1)


def _row(line: int, cells: list[str], header: list[str]) -> Row | Fault:
    if len(cells) == len(header):
        values = dict(zip(header, cells, strict=True))
        return Row(line, values, mark_of(values))
    more = len(cells) > len(header)
    return Fault(
        line,
        "",
        f"{counted(len(cells), 'cell')} here, {counted(len(header), 'column')} in the first line",
        f"Put quotes around a cell with a separator in it. {_QUOTES}"
        if more
        else "Add the cells that are missing, empty ones too.",
    )


def _named(cells: list[str]) -> list[str]:
    """The names of the columns, made different from each other as pandas does."""
    seen: Counter[str] = Counter()
    names = []
    for index, cell in enumerate(cells):
        name = cell or f"Unnamed: {index}"
        names.append(f"{name}.{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return names


def _check_header(line: int, cells: list[str]) -> Iterator[Fault]:
    for name, times in Counter(cells).items():
        if not name:
            yield Fault(line, "", "a column has no name", _NAMES)
        elif times > 1:
            yield Fault(line, name, f"the column {show(name)} is there {times} times", _NAMES)


def _separated_otherwise(line: int, cells: list[str], separator: str) -> Fault | None:
    other = next((char for char in (";", "\t", "|", ",") if char in cells[0]), separator)
    if len(cells) > 1 or other == separator:
        return None
    message = f"the cells are separated by {other!r}, not by {separator!r}"
    return Fault(line, "", message, "Save the file with commas, and with a name in .csv.")


class _Table:
    """Records out of lines. After a fault, reading goes on with the line that follows its first."""

    def __init__(self, lines: BufferedReader[Any], separator: str) -> None:
        self._lines = lines
        self._again: deque[bytes] = deque()
        self._taken: list[bytes] = []
        self._flaw: tuple[str, str] | None = None
        self._reader = csv.reader(self, delimiter=separator, strict=True)
        self.line = 0
        """The lines that are done."""

    def records(self) -> Iterator[tuple[int, list[str]] | Fault]:
        """Each record with the line where it begins. Blank lines are none."""
        csv.field_size_limit(_LARGEST_CELL)
        while True:
            start = self.line + 1
            self._taken, self._flaw = [], None
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Fault(start, "", *self._why(error))
                self._go_back()
                continue
            if self._flaw is not None:
                yield Fault(start, "", *self._flaw)
            elif cells:
                yield start, cells

    def __iter__(self) -> Iterator[str]:
        """What csv.reader asks for."""
        return self

    def __next__(self) -> str:
        """The next line as text."""
        raw = self._again.popleft() if self._again else self._lines.readline()
        if not raw.endswith(b"\n"):  # the end, or cut off by a failure, which is told then
            raise StopIteration
        if len(raw) > LARGEST_ROW:
            self._flaw = (
                f"this line is longer than {LARGEST_ROW >> 20} MiB",
                "Split or remove it.",
            )
            raw = b" \n"
        self.line += 1
        self._taken.append(raw)
        return self._decoded(raw)

    @property
    def size(self) -> int:
        """The bytes of the record that came last."""
        return sum(map(len, self._taken))

    def _decoded(self, raw: bytes) -> str:
        if b"\0" in raw:
            hint = "The file was damaged when it was written: write it again."
            self._flaw = ("this line holds a NUL byte, where axolotl's reader cuts the cell", hint)
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            byte = f"byte 0x{raw[error.start]:02x} at column {error.start + 1}"
            self._flaw = (f"this line is not UTF-8 text: {byte}", _UTF8)
            return raw.decode(errors="replace")

    def _why(self, error: csv.Error) -> tuple[str, str]:
        text = str(error)
        if "unexpected end" in text or "field limit" in text:
            return "a quote is opened here and not closed", _QUOTES
        if "new-line character" in text:
            return "this line holds carriage returns, which end no line here", _ENDS
        return f"a quote is closed before its cell ends: {show(self._taken[-1])}", _QUOTES

    def _go_back(self) -> None:
        again = self._taken[1:]
        self._again.extendleft(reversed(again))
        self.line -= len(again)
