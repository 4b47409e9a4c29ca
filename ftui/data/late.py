"""Columns and kinds of values that come too late: after what `datasets` settled the columns from.

Measured with datasets 4.8: after the first 10 MB of JSONL a new column, a new key in an object that
always had the same keys, and a value where there was none before end the reading with an error.
Text takes every value; where the first block mixes kinds, so does the column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any

from ftui.data import parts
from ftui.data.formats import Format
from ftui.data.judge import Reason
from ftui.data.row import Group
from ftui.data.watch import FirstBlock, Notice

_HINT = (
    "axolotl's reader settles the columns from the first 10 MB of the first file: put a row that "
    "has this there, or convert the file to Parquet"
)
_NUMBERS = (int, float)
_EVERY = 8


@dataclass
class Kind:
    """What a place in the rows holds."""

    types: set[type] = field(default_factory=set)
    """Without that of None."""
    items: Kind | None = None
    """Of a list."""
    keys: dict[str, Kind] = field(default_factory=dict)
    """Of an object."""
    key_sets: set[frozenset[str]] = field(default_factory=set)

    def add(self, values: Sequence[Any]) -> None:
        """Take in these values."""
        types = set(map(type, values)) - {type(None)}
        self.types |= types
        if list in types:
            self.items = self.items or Kind()
            lists = (value for value in values if type(value) is list)
            self.items.add(list(chain.from_iterable(lists)))
        if dict in types:
            self._add_objects([value for value in values if type(value) is dict])

    def _add_objects(self, objects: Sequence[Mapping[str, Any]]) -> None:
        self.key_sets.update(frozenset(keys) for keys in set(map(tuple, objects)))
        if self.takes_all:
            return
        for key in frozenset(chain.from_iterable(objects)):
            self.keys.setdefault(key, Kind()).add([one[key] for one in objects if key in one])

    @property
    def takes_all(self) -> bool:
        """Whether anything may come here: text does, and so does a mixture, kept as JSON."""
        mixed = len(self.types) > 1 and not self.types <= set(_NUMBERS)
        loose = len(self.key_sets) > 1 or frozenset() in self.key_sets
        return mixed or loose or self.types == {str}

    @cached_property
    def _settled(self) -> bool:
        """`takes_all`, once no more values are taken in."""
        return self.takes_all

    def refuses(self, values: Sequence[Any]) -> tuple[str, Any] | None:
        """The place inside and the first of these values that may not come here any more.

        `add` is not to be called any more after that.
        """
        if self._settled:
            return None
        if not {*map(type, values)} <= {*self.types, type(None)}:
            odd = next((one for one in values if one is not None and not self._fits(one)), None)
            if odd is not None:
                return "", odd
        if self.items is not None:
            items = [*chain.from_iterable(filter(None, values))]
            return self.items.refuses(items) if items else None
        return self._inside([*filter(None, values)]) if self.keys else None

    def _fits(self, value: Any) -> bool:
        kind = type(value)
        if kind is int and float in self.types:
            return True
        if self.types == {int} and kind in (float, str):
            return _is_whole(value)
        return kind in self.types

    def _inside(self, objects: Sequence[Any]) -> tuple[str, Any] | None:
        new = {*chain.from_iterable(objects)} - self.keys.keys()
        if new:
            key = min(new)
            return key, next(one for one in objects if key in one)
        for key, kind in self.keys.items():
            if not kind._settled:
                found = kind.refuses([one.get(key) for one in objects])
                if found is not None:
                    return f"{key}.{found[0]}".rstrip("."), found[1]
        return None


def _is_whole(value: float | str) -> bool:
    """Whether a value of this kind is read as a whole number all the same."""
    try:
        return float(value).is_integer()
    except (ValueError, OverflowError):
        return False


class LateColumns:
    """Watches JSONL for what comes too late."""

    def __init__(self, format: Format) -> None:
        self._block = FirstBlock()
        self._kinds: dict[str, Kind] = {}
        self._strict: dict[str, tuple[Kind, int]] | None = None
        """Columns in which not everything may come, each with its kind, and of how many groups one
        is looked at."""
        self._turns = format.turns
        self._groups = 0

    def look(self, file: str, group: Group, columns: frozenset[str]) -> Iterator[Notice]:
        """Notice a new column, and a value that does not fit, each once a column."""
        if self._block.holds(file, group):
            for column in columns:
                kind = self._kinds.setdefault(column, Kind())
                kind.add([row[column] for row in group.rows if column in row])
            return
        if self._strict is None:
            self._strict = dict(self._checks())
        for column in columns - self._kinds.keys():
            self._kinds[column] = Kind({str})
            line = next(line for line, row in _lines(group) if column in row)
            yield Notice(Reason.LATE, line, column, f"{column} is a new column here", _HINT)
        self._groups += 1
        for column, (kind, every) in [*self._strict.items()]:
            if self._groups % every == 0:
                found = kind.refuses([row.get(column) for row in group.rows])
                if found is not None:
                    del self._strict[column]
                    yield _told(column, kind, group)

    def end(self) -> Iterator[Notice]:
        """Nothing more."""
        return iter(())

    def _checks(self) -> Iterator[tuple[str, tuple[Kind, int]]]:
        """Turns that hold text alone are looked at now and then: to look at every key of every turn
        takes a fourth of the time of reading them. What is new in turns comes with many rows, and
        a turn without its role or content is told anyway."""
        for name, kind in self._kinds.items():
            if not kind.takes_all:
                plain = kind.items and all(inner.takes_all for inner in kind.items.keys.values())
                yield name, (kind, _EVERY if plain and name == self._turns else 1)


def _told(column: str, kind: Kind, group: Group) -> Notice:
    """The first row of a group that holds what may not come in a column."""
    looked_at = ((line, kind.refuses([row.get(column)])) for line, row in _lines(group))
    line, (inside, value) = next((line, found) for line, found in looked_at if found is not None)
    place = f"{column}.{inside}".rstrip(".")
    if type(value) is dict and inside in value:
        words = f"{place} is a new key here"
    else:
        words = f"{place} is {parts.kind(value)} here, as it was not before"
    return Notice(Reason.LATE, line, place, words, _HINT)


def _lines(group: Group) -> Iterator[tuple[int, Mapping[str, Any]]]:
    return zip(group.lines, group.rows, strict=True)
