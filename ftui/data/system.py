"""The column `system` of conversations: where one row has it, axolotl asks every row for it.

Measured with axolotl 0.19: a row without a value there stops it, unless its first turn is a system
prompt. Where no row has the column, nobody misses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftui.data.formats import Format
from ftui.data.judge import Reason
from ftui.data.row import Group
from ftui.data.watch import Notice

_COLUMN = "system"
_HINT = "give every row a system prompt, or none; or put it into the turns, with the role system"


class SystemPrompts:
    """Watches conversations."""

    def __init__(self, format: Format) -> None:
        self._turns, self._role = format.turns, format.turn_keys[0]
        self._seen = False
        self._before = 0
        self._first: tuple[int, str] | None = None
        """The line and the file of the first row."""

    def look(self, file: str, group: Group, columns: frozenset[str]) -> Iterator[Notice]:
        """Notice each row that has none, once another has one."""
        if not self._seen and _COLUMN not in columns:
            self._before += len(group.rows)
            self._first = self._first or next(((line, file) for line in group.lines), None)
            return
        if not self._seen and self._first is not None:
            line, before = self._first
            words = "system is missing here, and is there in later rows"
            yield Notice(Reason.UNREADABLE, line, _COLUMN, words, _HINT, self._before, before)
        self._seen = True
        for line, row in zip(group.lines, group.rows, strict=True):
            if row.get(_COLUMN) is None and not self._begins_with_one(row):
                words = "system is missing here, and is there in other rows"
                yield Notice(Reason.UNREADABLE, line, _COLUMN, words, _HINT)

    def _begins_with_one(self, row: Mapping[str, Any]) -> bool:
        turns = row.get(self._turns)
        first = turns[0] if type(turns) is list and turns else None
        return type(first) is dict and first.get(self._role) == _COLUMN

    def end(self) -> Iterator[Notice]:
        """Nothing more."""
        return iter(())
