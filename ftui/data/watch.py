"""What can only be told of many rows together: how axolotl's reader settles what a column holds.

A watch looks at the groups of a dataset in their order. What it notices is a Notice.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from ftui.data.judge import Reason
from ftui.data.row import Group

FIRST_BLOCK = 10 << 20
"""Bytes of the first file of JSONL from which `datasets` 4.8 settles what each column holds
(packaged_modules/json: chunksize). What follows has to fit."""


class Notice(NamedTuple):
    """Something about a column, told at the row where it shows. `line` counts from 1."""

    reason: Reason
    line: int
    field: str
    message: str
    hint: str
    rows: int = 1
    """How many rows it is true of."""
    file: str = ""
    """Where the line is; nothing = in the file at hand."""


class Watch(Protocol):
    """Looks at every group in its order."""

    def look(self, file: str, group: Group, columns: frozenset[str]) -> Iterable[Notice]:
        """What is noticed now. `columns` are those of the group's rows."""

    def end(self) -> Iterable[Notice]:
        """What is known after the last row."""


class FirstBlock:
    """Whether the rows at hand are among those that `datasets` settles the columns from."""

    def __init__(self) -> None:
        self._file = ""
        self._size = 0

    def holds(self, file: str, group: Group) -> bool:
        """Whether this group does. A group at the border counts as inside."""
        self._file = self._file or file
        inside = file == self._file and self._size < FIRST_BLOCK
        self._size += group.size
        return inside
