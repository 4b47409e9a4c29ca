"""Where everything stands in a YAML text: the parse tree, with the place of every character.

PyYAML's own tree puts an anchored value where its alias stands, so this one is made from the events
of the parser. Offsets count characters from 0, ends are exclusive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ftui.plan.places import Place, is_index
from ftui.plan.yaml_source import YamlProblem

if TYPE_CHECKING:
    import yaml

_TO_COLON = re.compile(r"\s*:")
_TO_DASH = re.compile(r"(?:\s|#[^\n]*+|[&!]\S*+)*+-")
_BLANK_END = re.compile(r"(?:\r?\n[ \t]*)+\Z")


@dataclass
class Node:
    """A value with its anchor and tag. A block ends with its last value, not at the next key."""

    kind: str
    """`scalar`, `alias`, `mapping` or `sequence`."""
    start: int
    end: int
    style: str = ""
    """`{` for `{}` and `[]`; `'`, `"`, `|` or `>` for a text written so; else nothing."""
    entries: list[Entry] = field(default_factory=list)

    @property
    def flow(self) -> bool:
        """Whether this is a `{}` or a `[]`."""
        return self.style == "{"

    @property
    def block(self) -> bool:
        """Whether this is a mapping or a list in lines of its own."""
        return self.kind in ("mapping", "sequence") and not self.flow

    @property
    def literal(self) -> bool:
        """Whether this is a text below a `|` or `>`."""
        return self.style in ("|", ">")


@dataclass
class Entry:
    """A key or a dash, with its value."""

    name: str
    start: int
    """Where the key, the dash, or the item of a `[]` begins."""
    after: int
    """Where the `:` or the `-` ends; in a `[]` the same as `start`."""
    value: Node
    key: Node | None = None

    @property
    def end(self) -> int:
        """Where the value ends, or the `:` or `-` of an empty one."""
        return max(self.after, self.value.end)


@dataclass(frozen=True)
class Spot:
    """How far into the text a place leads: through the holders to an entry."""

    place: Place
    """The part of the place that the text has, and one step more where a holder lacks the entry."""
    holders: tuple[Node, ...]
    entry: Entry | None
    """None where it is to be added to the last holder."""
    root: Node
    end: int
    """The end of the document: of the text, or where a closing `...` stands."""

    @property
    def in_flow(self) -> bool:
        """Whether this is inside a `{}` or a `[]`."""
        return any(holder.flow for holder in self.holders)


def locate(text: str, place: Place) -> Spot:
    """Follow a place into a text that is known to be readable, as far as it leads."""
    root, end = tree(text)
    holders: tuple[Node, ...] = ()
    entry: Entry | None = None
    node = root
    for depth, name in enumerate(place):
        if not node.entries or (node.kind == "sequence" and not is_index(name)):
            return Spot(place[:depth], holders, entry, root, end)
        holders = (*holders, node)
        # Of a key that is given twice, the last one counts.
        entry = next((one for one in reversed(node.entries) if one.name == name), None)
        if entry is None:
            return Spot(place[: depth + 1], holders, None, root, end)
        node = entry.value
    return Spot(place, holders, entry, root, end)


def tree(text: str) -> tuple[Node, int]:
    """The root of a readable text with one document, and where that document ends."""
    import yaml

    events = iter(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    root, end = Node("scalar", 0, 0), len(text)
    try:
        for event in events:
            if isinstance(event, yaml.NodeEvent):
                root = _node(text, event, events)
            elif isinstance(event, yaml.DocumentEndEvent) and event.explicit:
                end, _ = _span(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise YamlProblem(error.problem or str(error), mark.line + 1 if mark else 1) from error
    return root, end


def _span(event: yaml.Event) -> tuple[int, int]:
    """Where an event begins and ends. Both of PyYAML's parsers count characters, not bytes."""
    assert event.start_mark is not None
    assert event.end_mark is not None
    return event.start_mark.index, event.end_mark.index


def _node(text: str, event: yaml.Event, events: Iterator[yaml.Event]) -> Node:
    import yaml

    if isinstance(event, yaml.MappingStartEvent):
        return _mapping(text, event, events)
    if isinstance(event, yaml.SequenceStartEvent):
        return _sequence(text, event, events)
    start, end = _span(event)
    if not isinstance(event, yaml.ScalarEvent):
        return Node("alias", start, end)
    style = event.style or ""
    if style in ("|", ">"):
        end = start + len(_written_text(text[start:end]))
    return Node("scalar", start, end, style)


def _written_text(text: str) -> str:
    """A `|` or `>` text without the line ends that are no part of it."""
    header = text.partition("\n")[0].partition("#")[0]
    if "+" in header:
        return text.removesuffix("\n").removesuffix("\r")
    return _BLANK_END.sub("", text)


def _mapping(text: str, opening: yaml.MappingStartEvent, events: Iterator[yaml.Event]) -> Node:
    import yaml

    entries: list[Entry] = []
    for event in events:
        if isinstance(event, yaml.MappingEndEvent):
            return _holder("mapping", opening, entries, event)
        key = _node(text, event, events)
        name = event.value if isinstance(event, yaml.ScalarEvent) else ""
        value = _node(text, next(events), events)
        colon = _TO_COLON.match(text, key.end, max(value.start, key.end))
        after = colon.end() if colon else key.end
        entries.append(Entry(name, key.start, after, value, key))
    raise AssertionError("a mapping has an end")


def _sequence(text: str, opening: yaml.SequenceStartEvent, events: Iterator[yaml.Event]) -> Node:
    import yaml

    entries: list[Entry] = []
    for event in events:
        if isinstance(event, yaml.SequenceEndEvent):
            return _holder("sequence", opening, entries, event)
        value = _node(text, event, events)
        start = after = value.start
        if not opening.flow_style:
            before = entries[-1].end if entries else _span(opening)[0]
            dash = _TO_DASH.match(text, before)
            after = dash.end() if dash else value.start
            start = after - 1
        entries.append(Entry(str(len(entries)), start, after, value))
    raise AssertionError("a list has an end")


def _holder(
    kind: str, opening: yaml.CollectionStartEvent, entries: list[Entry], closing: yaml.Event
) -> Node:
    start, end = _span(opening)[0], _span(closing)[1]
    if not opening.flow_style and entries:
        end = entries[-1].end
    return Node(kind, start, end, "{" if opening.flow_style else "", entries)
