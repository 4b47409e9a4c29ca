"""YAML with its line numbers, so that every complaint can say where.

The reader is PyYAML, because that is what axolotl reads its config with: `1e-4` is text, `no` is
False. https://pyyaml.org/wiki/PyYAMLDocumentation
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from ftui.plan.places import Place

if TYPE_CHECKING:
    import yaml

_DEEPEST = 100
_MOST = 200_000
"""Values, those behind an alias counted each time. The largest published config has under 500."""
_LONG = 100_000
_LONGEST_INTEGER = 250
"""Characters. A hexadecimal one of a few more is beyond every float."""
_BYTE_ORDER_MARK = "\ufeff"
_TOO_DEEP = "this is nested too deeply"
_TOO_MANY = f"more than {_MOST:,} values, with those of an alias (`*name`) counted at each use"
_TEXT = "tag:yaml.org,2002:str"
_INTEGER = "tag:yaml.org,2002:int"
_MERGE = "tag:yaml.org,2002:merge"


class YamlProblem(Exception):
    """Text that is not YAML, or not YAML that can be written down once. `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True)
class Source:
    """The data of a YAML text, the line of every key and list item, and the keys given twice."""

    data: Any
    lines: Mapping[Place, int]
    duplicates: tuple[Place, ...]

    def line(self, place: Place) -> int:
        """The line of the value at `place`, or of the nearest thing around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def mapping(text: str) -> Source:
    """Read a config. Raises YamlProblem: no YAML, no mapping; its message then is a sentence."""
    try:
        source = read(text)
    except YamlProblem as problem:
        raise YamlProblem(f"this is not YAML: {problem.message}", problem.line) from problem
    if not isinstance(source.data, dict):
        raise YamlProblem("this is no mapping: a config is lines of `key: value`", 1)
    return source


def read(text: str) -> Source:
    """Read one YAML document, after a byte order mark or without. Raises YamlProblem."""
    import yaml

    text = text.removeprefix(_BYTE_ORDER_MARK)
    # libyaml's parser is eighty times as fast; not every build of PyYAML has it.
    loader_class: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    _check_characters(text)
    try:
        with _no_collector(len(text)):
            _check_size(text, loader_class)
            loader = loader_class(text)
            node = loader.get_single_node()
            return Source(None, {}, ()) if node is None else _source(node, loader)
    except yaml.MarkedYAMLError as error:
        raise _problem(error, text) from error
    except yaml.reader.ReaderError as error:
        line = text.encode()[: error.position].count(b"\n") + 1
        raise YamlProblem(_NO_CHARACTER, line) from error


_NO_CHARACTER = "there is a character that YAML does not allow"


def _check_characters(text: str) -> None:
    """Refuse half a surrogate pair, which no file can hold but a text in memory can."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise YamlProblem(_NO_CHARACTER, text.count("\n", 0, error.start) + 1) from error


@contextmanager
def _no_collector(length: int) -> Iterator[None]:
    """Reading a long text makes many objects and no garbage: looking for some doubles the time."""
    pause = length > _LONG and gc.isenabled()
    if pause:
        gc.disable()
    try:
        yield
    finally:
        if pause:
            gc.enable()


def _source(node: yaml.Node, loader: yaml.SafeLoader) -> Source:
    walk = _Walk(loader)
    walk.note(node, ())
    try:
        data = loader.construct_document(node)
    except _STUMBLES as error:
        line = _culprit(node, type(loader)("")) or 1
        raise YamlProblem(_unreadable(error), line) from error
    return Source(data, walk.lines, tuple(walk.duplicates))


_STUMBLES = (ValueError, TypeError, LookupError, AttributeError, OverflowError)
"""What PyYAML's constructors let through: the date 2024-99-99 is a ValueError, `!!timestamp x` an
AttributeError, a `1:1:1.5` of many parts an OverflowError."""


def _unreadable(error: Exception) -> str:
    return f"a value cannot be read{f': {error}' if isinstance(error, ValueError) else ''}"


def _culprit(node: yaml.Node, loader: yaml.SafeLoader) -> int:
    """The line of the value inside a node that cannot be read; 0 when all of them can."""
    import yaml

    if isinstance(node, yaml.ScalarNode):
        try:
            loader.construct_object(node)
        except _STUMBLES:
            return node.start_mark.line + 1
        return 0
    nested = isinstance(node, yaml.MappingNode)
    parts = chain.from_iterable(node.value) if nested else node.value
    return next((line for part in parts if (line := _culprit(part, loader))), 0)


def _problem(error: yaml.MarkedYAMLError, text: str) -> YamlProblem:
    """PyYAML's complaint in words for people."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return YamlProblem(error.problem or str(error), 1)
    problem = error.problem or str(error)
    rest = "\n".join(text.split("\n")[mark.line : mark.line + 1])[mark.column :]
    if "another document" in problem:
        problem = "a second document begins here; a config is one document"
    elif "undefined alias" in problem:
        name = rest[1:].split(maxsplit=1)[0].rstrip(",]}")
        problem = f"no anchor &{name} comes before *{name}, which stands for it"
    elif "nesting depth" in problem:
        problem = _TOO_DEEP
    elif "unhashable key" in problem:
        problem = "a key must be text, not a list or a mapping"
    elif "tab character" in problem or ("start any token" in problem and rest[:1] == "\t"):
        problem = "there is a tab; YAML is indented by spaces"
    elif "start any token" in problem:
        problem = f"a value cannot begin with {rest[:1]}; put it in quotes"
    last = text.rstrip("\n").count("\n") + 1  # where something is missing, the mark is behind it
    return YamlProblem(problem, min(mark.line + 1, last))


def _check_size(text: str, loader_class: type[yaml.SafeLoader]) -> None:
    """Refuse what is so deep that the parser's recursion could crash, or so much that it hangs."""
    import yaml

    depth = count = 0
    for event in yaml.parse(text, Loader=loader_class):
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            continue
        count += 1
        depth += isinstance(event, yaml.CollectionStartEvent)
        if depth > _DEEPEST:
            raise YamlProblem(_TOO_DEEP, _line(event))
        if count > _MOST:
            raise YamlProblem(_TOO_MANY, _line(event))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


class _Walk:
    """A walk through the parse tree that notes lines, as often through an alias as it is used."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self.lines: dict[Place, int] = {}
        self.duplicates: list[Place] = []
        self._loader = loader
        self._inside: set[int] = set()
        self._count = 0

    def note(self, node: yaml.Node, place: Place) -> None:
        """Note what is inside a node. Raises YamlProblem when that has no end, or no bound."""
        self._count += 1
        line = node.start_mark.line + 1
        if isinstance(node.value, str):
            if node.tag == _INTEGER and len(node.value) > _LONGEST_INTEGER:
                raise YamlProblem("this whole number is too long", line)
            return
        if id(node) in self._inside:
            raise YamlProblem("an anchor contains itself", line)
        if len(self._inside) > _DEEPEST:
            raise YamlProblem(_TOO_DEEP, line)
        if self._count > _MOST:
            raise YamlProblem(_TOO_MANY, line)
        self._inside.add(id(node))
        if _is_mapping(node):
            self._mapping(node, place, merged=False)
        else:
            for index, item in enumerate(node.value):
                inner = (*place, str(index))
                self.lines[inner] = item.start_mark.line + 1
                self.note(item, inner)
        self._inside.discard(id(node))

    def _mapping(self, node: yaml.Node, place: Place, *, merged: bool) -> None:
        """Note a mapping's keys; `merged` ones come from a `<<` and give way to those there."""
        merges: list[Any] = []
        for key, value in node.value:
            if key.tag == _MERGE:
                merges += [value] if _is_mapping(value) else value.value
                continue
            inner = (*place, self._name(key))
            if inner in self.lines:
                if merged:
                    continue
                self.duplicates.append(inner)
            self.lines[inner] = key.start_mark.line + 1
            self.note(value, inner)
        for source in merges:
            if _is_mapping(source) and id(source) not in self._inside:
                self._inside.add(id(source))
                self._mapping(source, place, merged=True)
                self._inside.discard(id(source))

    def _name(self, key: yaml.Node) -> str:
        """A key as `str` of the data's key gives it: `on` is True, `0x10` is 16."""
        if key.tag == _TEXT or not isinstance(key.value, str):
            return str(key.value)
        try:
            return str(self._loader.construct_object(key))
        except _STUMBLES as error:
            raise YamlProblem(_unreadable(error), key.start_mark.line + 1) from error


def _is_mapping(node: Any) -> bool:
    import yaml

    return isinstance(node, yaml.MappingNode)
