"""Changes in a YAML text that keep its comments, its order and every line they do not touch.

The meaning comes first: every change is also made to the plain data, and the new text is read back
and compared. Where they differ (anchors, merge keys, rare spellings) the top-level keys that came
out wrong are written anew, and where that does not help, the whole document is.

Why not ruamel.yaml: it writes a good many files differently though nothing was changed, it reads
YAML 1.2 where axolotl reads 1.1, and a comment above a key goes away with the key before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from ftui.config import yaml_text
from ftui.config.dump import dump
from ftui.config.yaml_tree import Node, Place, locate, tree
from ftui.plan.yaml_source import YamlProblem, read

_BYTE_ORDER_MARK = "\ufeff"
_LEADING = re.compile(r"(?:[ \t]*(?:---[ \t]*)?(?:#[^\n]*)?\r?\n|%[^\n]*\n)*")


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


def apply_edits(text: str, edits: Sequence[Edit]) -> str:
    """The text after these edits, made one after the other. Raises YamlProblem."""
    mark, text = _without_mark(text)
    _load(text)
    for edit in edits:
        before = _load(text)
        after = _changed(before, edit.place, edit)
        if not _same(before, after):
            text = _edited(text, edit, before, after)
    return mark + text


def rewrite(text: str, data: Mapping[str, Any]) -> str:
    """The text, changed as little as possible so that it reads as `data`. Raises YamlProblem."""
    mark, text = _without_mark(text)
    new = apply_edits(text, list(_differences(_load(text), data, ())))
    return mark + (_made_right(new, data) or _document(new, data))


# On the text


def _edited(text: str, edit: Edit, before: Mapping[Any, Any], after: Mapping[Any, Any]) -> str:
    """The text after one edit, reading as `after`."""
    for prepare in (_as_it_is, _without_aliases):
        with suppress(YamlProblem):
            new = _made_right(_cut(prepare(text, before), edit, after), after)
            if new is not None:
                return new
    return _document(text, after)


def _as_it_is(text: str, data: Mapping[Any, Any]) -> str:
    return text


def _without_aliases(text: str, data: Mapping[Any, Any]) -> str:
    """The text with every top-level value written out that has an alias inside."""
    root, _ = tree(text)
    for entry in root.entries:
        if _has_alias(entry.value) and entry.name in data:
            text = _say(text, (entry.name,), data)
    return text


def _has_alias(node: Node) -> bool:
    return node.kind == "alias" or any(_has_alias(entry.value) for entry in node.entries)


def _cut(text: str, edit: Edit, after: Mapping[Any, Any]) -> str:
    """The text after one edit, its meaning not checked yet."""
    if isinstance(edit, Put):
        return _say(text, edit.place, after)
    spot = locate(text, edit.place)
    if spot.place != edit.place and spot.entry and spot.entry.value.kind == "alias":
        return _say(text, edit.place, after)
    if isinstance(edit, Drop):
        return yaml_text.drop(text, edit.place)
    return yaml_text.rename(text, edit.place, edit.key)


def _say(text: str, place: Place, data: Any) -> str:
    """Let the text say at a place what the data says there, as deep as the text goes."""
    spot = locate(text, place)
    for name in spot.place:
        data = data[min(int(name), len(data) - 1) if isinstance(data, list) else _key(data, name)]
    return yaml_text.put(text, spot, data)


def _made_right(text: str, data: Mapping[str, Any]) -> str | None:
    """The text with its wrong top-level keys written anew; None when it still is wrong."""
    now = _load(text)
    for key in [*now, *(key for key in data if key not in now)]:
        if key not in data:
            text = yaml_text.drop(text, (str(key),))
        elif key not in now or not _same(now[key], data[key]):
            text = _say(text, (str(key),), data)
    return text if _reads_as(text, data) else None


def _document(text: str, data: Mapping[str, Any]) -> str:
    """The data as a new text below the comment that leads the old one."""
    leading = _LEADING.match(text)
    written = dump(data).replace("\n", "\r\n" if "\r\n" in text else "\n")
    new = (leading.group() if leading else "") + written
    return new if _reads_as(new, data) else written


def _reads_as(text: str, data: Mapping[str, Any]) -> bool:
    try:
        return _same(_load(text), data)
    except YamlProblem:
        return False


def _load(text: str) -> dict[Any, Any]:
    data = read(text).data
    if not isinstance(data, dict):
        raise YamlProblem("a config is a mapping: lines of `key: value`", 1)
    return data


def _without_mark(text: str) -> tuple[str, str]:
    """The byte order mark, if there is one, and the rest, where offsets are easy to count."""
    rest = text.removeprefix(_BYTE_ORDER_MARK)
    return text[: len(text) - len(rest)], rest


# On the data. The old data stays as it is: aliases make parts of it shared.


def _changed(data: Any, place: Place, edit: Edit) -> Any:
    """The data after an edit at this place in it."""
    name, inner = place[0], place[1:]
    if not inner:
        return _with(data, name, edit.value) if isinstance(edit, Put) else _less(data, name, edit)
    child = _child(data, name)
    if child is None and not isinstance(edit, Put):
        return data
    return _with(data, name, _changed(child, inner, edit))


def _with(data: Any, name: str, value: Any) -> Any:
    """The holder with a value set; a new mapping where the data is no holder for this name."""
    if isinstance(data, list) and name.isdecimal():
        index = int(name)
        return [*data[:index], value, *data[index + 1 :]]
    if isinstance(data, dict):
        return {**data, _key(data, name): value}
    return {name: value}


def _less(data: Any, name: str, edit: Drop | Rename) -> Any:
    """The holder without an entry, or with the entry below its new key."""
    if isinstance(data, list) and name.isdecimal() and isinstance(edit, Drop):
        return [item for index, item in enumerate(data) if index != int(name)]
    if not isinstance(data, dict) or _key(data, name) not in data:
        return data
    key = _key(data, name)
    if isinstance(edit, Drop):
        return {one: value for one, value in data.items() if one != key}
    kept = {one: value for one, value in data.items() if one == key or one != edit.key}
    return {edit.key if one == key else one: value for one, value in kept.items()}


def _child(data: Any, name: str) -> Any:
    if isinstance(data, list):
        return data[int(name)] if name.isdecimal() and int(name) < len(data) else None
    return data.get(_key(data, name)) if isinstance(data, dict) else None


def _key(mapping: Mapping[Any, Any], name: str) -> Any:
    """The key that is written so: places are text, keys may be numbers."""
    return name if name in mapping else next((key for key in mapping if str(key) == name), name)


def _differences(old: Any, new: Any, place: Place) -> Iterator[Edit]:
    """The edits from the old data to the new, in an order that leaves nothing empty on the way."""
    if _same(old, new):
        return
    if _both(Mapping, old, new) and (not place or (old and new)):
        for key, value in new.items():
            inner = (*place, str(key))
            yield from _differences(old[key], value, inner) if key in old else [Put(inner, value)]
        yield from (Drop((*place, str(key))) for key in old if key not in new)
    elif _both(list, old, new) and old and new:
        yield from _list_differences(old, new, place)
    else:
        yield Put(place, new)


def _list_differences(old: list[Any], new: list[Any], place: Place) -> Iterator[Edit]:
    """Item by item in a list as long as before; else the items that came or went in one place."""
    if len(old) == len(new):
        for index, (was, now) in enumerate(zip(old, new, strict=True)):
            yield from _differences(was, now, (*place, str(index)))
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
    return sum(1 for _ in takewhile(lambda pair: _same(*pair), pairs))


def _both(kind: type, old: Any, new: Any) -> bool:
    return isinstance(old, kind) and isinstance(new, kind)


def _same(one: Any, other: Any) -> bool:
    """Whether two values read the same: `1` is not `true` and not `1.0`; NaN is NaN."""
    if _both(Mapping, one, other):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other or (one != one and other != other))
