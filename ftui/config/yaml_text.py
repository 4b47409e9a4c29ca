"""Small cuts in a YAML text: one value or key is written, every other line stays as it is.

The cuts are made for YAML as people write it. Rarer spellings (`? key`, a lone carriage return) may
come out wrong; whoever calls reads the result again and compares.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import Any

from ftui.config.dump import dump, dump_inline
from ftui.config.yaml_tree import Entry, Node, Spot, locate, tree
from ftui.plan.places import Place

_WIDTH = 100
_TO_COMMA = re.compile(r"(?:\s|#[^\n]*+)*+,")


def put(text: str, spot: Spot, value: Any) -> str:
    """Write a value at a spot: in place of the one there, or as a new entry."""
    if not spot.holders:
        return _replace_root(text, spot.root, value)
    if spot.entry is None:
        return _add_in_flow(text, spot, value) if spot.in_flow else _add(text, spot, value)
    if spot.in_flow:
        return _swap(text, spot.entry, _inline(value, spot.entry.value))
    return _replace(text, spot.entry, value)


def drop(text: str, place: Place) -> str:
    """Take out a key, each time it is given, or a list item."""
    spot = locate(text, place)
    if spot.entry is None or spot.place != place:
        return text
    holder = spot.holders[-1]
    gone = [one for one in holder.entries if one.name == place[-1]]
    if len(gone) == len(holder.entries):
        return put(text, locate(text, place[:-1]), {} if holder.kind == "mapping" else [])
    return _without(text, holder, gone)


def rename(text: str, place: Place, name: str) -> str:
    """Give a value another key. An entry that had this key already goes away."""
    spot = locate(text, place)
    if spot.entry is None or spot.entry.key is None or spot.place != place:
        return text
    holder, names = spot.holders[-1], (place[-1], name)
    rivals = [one for one in holder.entries if one.name in names and one is not spot.entry]
    if rivals:
        return rename(_without(text, holder, rivals), place, name)
    key = spot.entry.key
    return text[: key.start] + _inline(name, key) + text[key.end :]


def items(text: str) -> dict[Place, tuple[int, int]]:
    """Where the lines of each item begin and end, in lists of several lines at the top level.

    Of a key that is given twice, the last one counts.
    """
    root, _ = tree(text)
    lists = {one.name: one.value for one in root.entries if one.value.kind == "sequence"}
    spans: dict[Place, tuple[int, int]] = {}
    for name, entries in ((name, each.entries) for name, each in lists.items() if each.block):
        starts = [_line_start(text, one.start) for one in entries]
        ends = [*starts[1:], _next_line(text, entries[-1].end)] if entries else []
        for one, start, end in zip(entries, starts, ends, strict=True):
            spans[name, one.name] = start, end
    return spans


# How a value is written


def _inline(value: Any, old: Node) -> str:
    """A value on one line, in the quotes of the text that it replaces."""
    return dump_inline(value, old.style if old.style in ("'", '"') else None)


def _lines(value: Any) -> tuple[str, list[str]]:
    """What follows on the line of a `key:`, and the lines below it."""
    first, *below = dump({"k": value}).removesuffix("\n").split("\n")
    return first.removeprefix("k:"), below


def _indented(lines: list[str], by: int) -> list[str]:
    """Lines of `_lines`, so that they stand `by` columns from the left."""
    return [line and " " * by + line[2:] for line in lines]


def _stays_flow(old: Node, value: Any, column: int) -> bool:
    """Whether a value that replaces a `[]` or `{}` is simple and short enough to be one too."""
    if not old.flow or not value or not isinstance(value, (dict, list, tuple)):
        return False
    inner = value.values() if isinstance(value, dict) else value
    if any(isinstance(item, (dict, list, tuple)) for item in inner):
        return False
    return column + len(dump_inline(value)) <= _WIDTH


# In block style


def _replace_root(text: str, root: Node, value: Any) -> str:
    end = _line_end(text, root.end) if root.block else root.end
    written = dump(value).removesuffix("\n").replace("\n", _newline(text))
    return text[: root.start] + written + text[end:]


def _replace(text: str, entry: Entry, value: Any) -> str:
    old = entry.value
    head, below = _lines(value)
    if not below or _stays_flow(old, value, _column(text, old.start)):
        head, below = " " + _inline(value, old), []
    if not below and not old.block and not old.literal:
        return _swap(text, entry, head[1:])
    remark, end = _remark(text, entry, own_line=bool(below))
    if head and below:
        # Below a `|` everything is text, comments too.
        remark = remark.partition("\n")[0].rstrip()
    column = _column(text, entry.start)
    below = _indented(below, column + (2 if head else _step(text, entry, value)))
    written = _joined(text, head + remark, below, dash=entry.key is None)
    return text[: entry.after] + written + text[end:]


def _swap(text: str, entry: Entry, written: str) -> str:
    """Put a value that fits on the line in the place of one that did."""
    start, end = entry.value.start, entry.value.end
    if start == end:
        start = end = entry.after
        written = " " + written
        if not text[end : _line_end(text, end)].strip():
            end = _line_end(text, end)
    return text[:start] + written + text[end:]


def _remark(text: str, entry: Entry, own_line: bool) -> tuple[str, int]:
    """The remark and comments between a key and what is left of it, and where its value ends.

    The remark behind a value is taken up only where the value goes to lines of its own.
    """
    old = entry.value
    before = text[entry.after : old.start].rstrip()
    line_end = _line_end(text, old.end)
    if old.block:
        return before, line_end
    if old.literal:
        header = text[old.start : old.end].partition("\n")[0].rstrip()
        mark = header.find(" #")
        return before + (" " + header[mark:] if mark >= 0 else ""), line_end
    if own_line:
        return before + text[old.end : line_end].rstrip(), line_end
    return before, old.end


def _step(text: str, entry: Entry, value: Any) -> int:
    """How far a person indents below this key; two where it cannot be seen, or will not do."""
    old = entry.value
    if not old.block or entry.key is None:
        return 2
    step = _column(text, old.entries[0].start) - _column(text, entry.start)
    return step if step > 0 or (step == 0 and isinstance(value, (list, tuple))) else 2


def _joined(text: str, first: str, below: list[str], dash: bool) -> str:
    """What follows a key or dash, as lines; the first of these goes next to a lone dash."""
    if dash and below and not first:
        first, below = " " + below[0].lstrip(), below[1:]
    return _newline(text).join([first, *below])


def _add(text: str, spot: Spot, value: Any) -> str:
    holder = spot.holders[-1]
    dash = holder.kind == "sequence"
    column = _column(text, holder.entries[0].start)
    end = holder.end
    if holder is spot.root:
        end = max(end, len(text[: spot.end].rstrip()))
    end = _line_end(text, end)
    head, below = _lines(value)
    opening = " " * column + ("-" if dash else dump_inline(spot.place[-1]) + ":")
    entry = opening + _joined(text, head, _indented(below, column + 2), dash)
    newline = _newline(text)
    return text[:end] + newline + entry + (text[end:] or newline)


def _without(text: str, holder: Node, gone: list[Entry]) -> str:
    """The text without some of a holder's entries, their whole values and their own remarks."""
    if holder.flow:
        return _without_in_flow(text, holder, gone)
    for entry in reversed(gone):  # what stands before an entry keeps its offsets
        text = _without_lines(text, entry)
    return text


def _without_lines(text: str, entry: Entry) -> str:
    line = _line_start(text, entry.start)
    rest = text[_next_line(text, entry.end) :]
    if text[line : entry.start].strip():
        # The first key of a list item stands on the line of its dash: the next moves up there.
        return text[: entry.start] + rest.lstrip()
    return text[:line] + rest


# Inside `{}` and `[]`


def _add_in_flow(text: str, spot: Spot, value: Any) -> str:
    holder = spot.holders[-1]
    last = holder.entries[-1]
    name = "" if holder.kind == "sequence" else dump_inline(spot.place[-1]) + ": "
    written = name + dump_inline(value)
    line = _line_start(text, last.start)
    indent = text[line : last.start]
    comma = _TO_COMMA.match(text, last.end)
    end = _line_end(text, comma.end() if comma else last.end)
    if indent.strip() or end >= holder.end:
        return text[: last.end] + ", " + written + text[last.end :]
    added = _newline(text) + indent + written
    if comma:
        return text[:end] + added + "," + text[end:]
    return text[: last.end] + "," + text[last.end : end] + added + text[end:]


def _without_in_flow(text: str, holder: Node, gone: list[Entry]) -> str:
    """Cut neighbours as one, so that what is left between two cuts is where the tree says."""
    ids = {id(entry) for entry in gone}
    numbered = groupby(enumerate(holder.entries), key=lambda pair: id(pair[1]) in ids)
    for run in reversed([[index for index, _ in run] for cut, run in numbered if cut]):
        text = _without_run(text, holder, run[0], run[-1])
    return text


def _without_run(text: str, holder: Node, first: int, last: int) -> str:
    entries, start, end = holder.entries, holder.entries[first].start, holder.entries[last].end
    before = entries[first - 1].end if first else holder.start
    rest = entries[last + 1 :]
    comma = _TO_COMMA.match(text, end)
    after = comma.end() if comma else end
    line, line_end = _line_start(text, start), _line_end(text, after)
    if not text[line:start].strip() and _only_remark(text[after:line_end]):
        kept = text[before:line]
        if not rest and not comma:
            kept = kept.replace(",", "", 1)
        return text[:before] + kept + text[_next_line(text, after) :]
    return text[:start] + text[rest[0].start :] if rest else text[:before] + text[end:]


def _only_remark(text: str) -> bool:
    return not text.strip() or text.lstrip().startswith("#")


# Lines and columns


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _line_end(text: str, at: int) -> int:
    """Where the line of an offset ends, before its line end."""
    end = text.find("\n", at)
    if end < 0:
        return len(text)
    return end - 1 if end > at and text[end - 1] == "\r" else end


def _next_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _column(text: str, at: int) -> int:
    return at - _line_start(text, at)
