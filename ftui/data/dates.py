"""Columns of text in which every value is a date: `datasets` reads them as times.

Measured with datasets 4.8 and axolotl 0.19: text such as 2024-05-01 comes to a prompt as
2024-05-01 00:00:00, and where axolotl needs text it stops. One value that is no date keeps all of
them text; so do 2024/05/01 and 2024-05-01T10:00:00.5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from ftui.data.formats import Format
from ftui.data.judge import Reason
from ftui.data.row import Group
from ftui.data.watch import FirstBlock, Notice

_DATE = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d(?::\d\d(?::\d\d)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII
)
_HINT = "write one of them otherwise (2024/05/01): then all of them stay text"
Texts = Callable[[Mapping[str, Any]], Iterator[Any]]


class Dates:
    """Watches the columns of a format in JSON for texts that are all dates."""

    def __init__(self, format: Format, *, in_blocks: bool) -> None:
        """`in_blocks`: the first rows alone settle it, as in JSONL; not so in an array."""
        self._in_blocks = in_blocks
        self._block = FirstBlock()
        self._open: dict[str, tuple[Texts, bool]] = {
            part.column: (_of_column(part.column), part.lacking.takes_anything)
            for part in format.parts
            if part.holds("") is None
        }
        if format.is_chat:
            self._open = {format.turns: (_of_turns(format.turns, format.turn_keys[1]), False)}
        self._first: dict[str, tuple[int, str, str]] = {}
        """By column: the first date, with its line and its file."""
        self._rows = 0

    def look(self, file: str, group: Group, columns: frozenset[str]) -> Iterator[Notice]:
        """Notice a text that is no date after so many that a time is expected."""
        settled = self._in_blocks and not self._block.holds(file, group)
        self._rows += len(group.rows)
        for column, (texts, _) in [*self._open.items()]:
            for line, row in zip(group.lines, group.rows, strict=True):
                odd = next((value for value in texts(row) if not _is_date(value)), None)
                if odd is None:
                    self._note(column, line, file, texts(row))
                    continue
                del self._open[column]
                if settled and column in self._first and type(odd) is str:
                    words = f"{column} is no date here, after 10 MB of nothing else"
                    yield Notice(Reason.LATE, line, column, words, _HINT)
                break

    def _note(self, column: str, line: int, file: str, values: Iterator[Any]) -> None:
        if column not in self._first:
            value = next((value for value in values if value is not None), None)
            if value is not None:
                self._first[column] = (line, file, value)

    def end(self) -> Iterator[Notice]:
        """The columns that hold nothing but dates."""
        for column, (_, takes_anything) in self._open.items():
            if column not in self._first:
                continue
            line, file, value = self._first[column]
            words = f"{column} holds nothing but dates, which are read as times: "
            if takes_anything:
                reason = Reason.REWRITTEN
                words += f"{value} is written as {_as_written(value)}"
            else:
                reason = Reason.UNREADABLE
                words += "axolotl needs text and stops"
            yield Notice(reason, line, column, words, _HINT, self._rows, file)


def _of_column(column: str) -> Texts:
    return lambda row: iter((row.get(column),))


def _of_turns(column: str, content: str) -> Texts:
    def texts(row: Mapping[str, Any]) -> Iterator[Any]:
        turns = row.get(column)
        for turn in turns if type(turns) is list else (turns,):
            yield turn.get(content) if type(turn) is dict else ""

    return texts


def _is_date(value: Any) -> bool:
    """Whether a value is read as a time, or is none at all."""
    if value is None:
        return True
    return type(value) is str and _DATE.fullmatch(value) is not None and _time(value) is not None


def _time(value: str) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _as_written(value: str) -> str:
    """The text that a prompt has of it: without a zone, in the time of Greenwich."""
    moment = _time(value)
    assert moment is not None
    offset = moment.utcoffset()
    moment = moment.replace(tzinfo=None)
    return str(moment - offset if offset else moment)
