"""Changes in a YAML text that keep its comments, its order and every line they do not touch.

The meaning comes first: every change is also made to the plain data, and the new text is read back
and compared. Where they differ (anchors, merge keys, rare spellings) the top-level keys that came
out wrong are written anew, and where that does not help, the whole document is.

Why not ruamel.yaml: it writes a good many files differently though nothing was changed, it reads
YAML 1.2 where axolotl reads 1.1, and a comment above a key goes away with the key before it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ftui.config import yaml_text
from ftui.config.dump import dump
from ftui.config.edit import Drop, Edit, Put, Rename, changed, differences, key_of, same
from ftui.config.yaml_tree import Node, locate, tree
from ftui.plan.places import Place
from ftui.plan.yaml_source import YamlProblem, mapping

_BYTE_ORDER_MARK = "\ufeff"
_LEADING = re.compile(r"(?:[ \t]*(?:---[ \t]*)?(?:#[^\n]*)?\r?\n|%[^\n]*\n)*")


def apply_edits(text: str, edits: Sequence[Edit]) -> str:
    """The text after these edits, made one after the other. Raises YamlProblem."""
    mark, text = _without_mark(text)
    text, data, edits = _in_items(text, _load(text), edits)
    for edit in edits:
        after = changed(data, edit.place, edit)
        if not same(data, after):
            text = _edited(text, edit, data, after)
        data = after
    return mark + text


def rewrite(text: str, data: Mapping[str, Any]) -> str:
    """The text, changed as little as possible so that it reads as `data`. Raises YamlProblem."""
    mark, text = _without_mark(text)
    new = apply_edits(text, list(differences(_load(text), data, ())))
    return mark + (_made_right(new, data) or _document(new, data))


def _load(text: str) -> dict[Any, Any]:
    data: dict[Any, Any] = mapping(text).data
    return data


def _without_mark(text: str) -> tuple[str, str]:
    """The byte order mark, if there is one, and the rest, where offsets are easy to count."""
    rest = text.removeprefix(_BYTE_ORDER_MARK)
    return text[: len(text) - len(rest)], rest


# Inside the items of a list


def _in_items(
    text: str, data: dict[Any, Any], edits: Sequence[Edit]
) -> tuple[str, dict[Any, Any], Sequence[Edit]]:
    """The text and the data after all edits inside items such as `datasets.0`; the edits left.

    Each item is cut as a text of its own: to read a long list again for each of its many edits
    takes minutes. Where something else than the data comes out, all edits are left.
    """
    spans = {place: span for place, span in yaml_text.items(text).items() if place[0] in data}
    by_item = _by_item(edits, spans)
    new = data | {key: [*data[key]] for key in {place[0] for place in by_item}}
    parts, end = [], 0
    with suppress(YamlProblem):
        for (key, index), inner in by_item.items():
            start, after = spans[key, index]
            part, new[key][int(index)] = _item(text[start:after], data[key][int(index)], inner)
            parts += [text[end:start], part]
            end = after
        cut = "".join([*parts, text[end:]])
        if by_item and _reads_as(cut, new):
            return cut, new, [edit for edit in edits if edit.place[:2] not in by_item]
    return text, data, edits


def _by_item(edits: Sequence[Edit], spans: Collection[Place]) -> dict[Place, list[Edit]]:
    """The edits of each item, in the order of the text, in lists that no other edit is about."""
    others = {edit.place[0] for edit in edits if len(edit.place) < 3 or edit.place[:2] not in spans}
    others |= {edit.key for edit in edits if isinstance(edit, Rename)}
    by_item: dict[Place, list[Edit]] = {place: [] for place in spans}
    for edit in edits:
        if edit.place[0] not in others:
            by_item[edit.place[:2]].append(edit)
    return {place: inner for place, inner in by_item.items() if inner}


def _item(text: str, item: Any, edits: Sequence[Edit]) -> tuple[str, Any]:
    """The text of one item, and the item, after the edits in it; unchecked."""
    for edit in edits:
        here = replace(edit, place=("0", *edit.place[2:]))
        after = changed([item], here.place, here)
        if not same(item, after[0]):
            text, item = _cut(text, here, after), after[0]
    return text, item


# Anywhere


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


def _cut(text: str, edit: Edit, after: Any) -> str:
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
        data = data[min(int(name), len(data) - 1) if isinstance(data, list) else key_of(data, name)]
    return yaml_text.put(text, spot, data)


def _made_right(text: str, data: Mapping[str, Any]) -> str | None:
    """The text with its wrong top-level keys written anew; None when it still is wrong."""
    now = _load(text)
    if same(now, data):
        return text
    for key in [*now, *(key for key in data if key not in now)]:
        if key not in data:
            text = yaml_text.drop(text, (str(key),))
        elif key not in now or not same(now[key], data[key]):
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
        return same(_load(text), data)
    except YamlProblem:
        return False
