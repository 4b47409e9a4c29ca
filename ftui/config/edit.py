"""Edits, and what each does to plain data.

The old data stays as it is: aliases make parts of it shared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from ftui.plan.places import Place, is_index


@dataclass(frozen=True)
class Put:
    """Set a value, or add the key.

    What is missing on the way is made as mappings. An index at or past the end of a list adds an
    item. A value on the way that can hold nothing is replaced.
    """

    place: Place
    value: Any


@dataclass(frozen=True)
class Drop:
    """Remove a key or a list item, with its value. Nothing happens when it is not there."""

    place: Place


@dataclass(frozen=True)
class Rename:
    """Another key for the same value, at the same position. Nothing happens when it is not there.

    A value that had the new key already goes away.
    """

    place: Place
    key: str


Edit = Put | Drop | Rename


def changed(data: Any, place: Place, edit: Edit) -> Any:
    """The data after an edit at this place in it."""
    name, inner = place[0], place[1:]
    if not inner:
        return _with(data, name, edit.value) if isinstance(edit, Put) else _less(data, name, edit)
    child = _child(data, name)
    if child is None and not isinstance(edit, Put):
        return data
    return _with(data, name, changed(child, inner, edit))


def _with(data: Any, name: str, value: Any) -> Any:
    """The holder with a value set; a new mapping where the data is no holder for this name."""
    if isinstance(data, list) and is_index(name):
        index = int(name)
        return [*data[:index], value, *data[index + 1 :]]
    if isinstance(data, dict):
        return {**data, key_of(data, name): value}
    return {name: value}


def _less(data: Any, name: str, edit: Drop | Rename) -> Any:
    """The holder without an entry, or with the entry below its new key."""
    if isinstance(data, list) and is_index(name) and isinstance(edit, Drop):
        return [item for index, item in enumerate(data) if index != int(name)]
    if not isinstance(data, dict) or key_of(data, name) not in data:
        return data
    key = key_of(data, name)
    if isinstance(edit, Drop):
        return {one: value for one, value in data.items() if one != key}
    kept = {one: value for one, value in data.items() if one == key or one != edit.key}
    return {edit.key if one == key else one: value for one, value in kept.items()}


def _child(data: Any, name: str) -> Any:
    if isinstance(data, list):
        return data[int(name)] if is_index(name) and int(name) < len(data) else None
    return data.get(key_of(data, name)) if isinstance(data, dict) else None


def key_of(mapping: Mapping[Any, Any], name: str) -> Any:
    """The key that is written so: places are text, keys may be numbers."""
    return name if name in mapping else next((key for key in mapping if str(key) == name), name)


def differences(old: Any, new: Any, place: Place) -> Iterator[Edit]:
    """The edits from the old data to the new, in an order that leaves nothing empty on the way."""
    if same(old, new):
        return
    if _both(Mapping, old, new) and (not place or (old and new)):
        for key, value in new.items():
            inner = (*place, str(key))
            yield from differences(old[key], value, inner) if key in old else [Put(inner, value)]
        yield from (Drop((*place, str(key))) for key in old if key not in new)
    elif _both(list, old, new) and old and new:
        yield from _list_differences(old, new, place)
    else:
        yield Put(place, new)


def _list_differences(old: list[Any], new: list[Any], place: Place) -> Iterator[Edit]:
    """Item by item in a list as long as before; else the items that came or went in one place."""
    if len(old) == len(new):
        for index, (was, now) in enumerate(zip(old, new, strict=True)):
            yield from differences(was, now, (*place, str(index)))
        return
    begin = _alike(old, new)
    end = _alike(old[begin:][::-1], new[begin:][::-1])
    if begin + end == len(new):
        yield from (Drop((*place, str(i))) for i in reversed(range(begin, len(old) - end)))
    elif begin == len(old):
        yield from (Put((*place, str(i)), new[i]) for i in range(begin, len(new)))
    else:
        yield Put(place, new)


def _alike(one: list[Any], other: list[Any]) -> int:
    """How many items are the same at the beginning."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: same(*pair), pairs))


def _both(kind: type, old: Any, new: Any) -> bool:
    return isinstance(old, kind) and isinstance(new, kind)


def same(one: Any, other: Any) -> bool:
    """Whether two values read the same: `1` is not `true` and not `1.0`; NaN is NaN."""
    if _both(Mapping, one, other):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other or (one != one and other != other))
