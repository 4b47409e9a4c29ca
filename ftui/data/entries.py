"""The datasets that a config names, looked at row by row."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ftui.data.dataset import Reader
from ftui.data.doctor import examine, examine_held_out
from ftui.data.files import layout_of
from ftui.data.formats import Format, chat, columns_of_your_own
from ftui.data.guess import formats_for, named, pick
from ftui.data.layout import Layout
from ftui.data.report import Report
from ftui.errors import DatasetError, FtuiError, RuntimeMissing, TimedOut

_PARTS_OF_HUB = ("data_files", "name", "revision", "shards", "split", "trust_remote_code")
"""Keys by which axolotl trains on other rows than those that are read here."""

_WHOLE = ("split", "train")
"""What a file has: all of its rows."""


@dataclass(frozen=True)
class Look:
    """What a look at every row of a dataset found, or why there was none."""

    source: str
    report: Report | None = None
    problem: FtuiError | None = None
    held_out: Report | None = None
    """What is asked in the first of `test_datasets`: `report.met` tells what comes here too."""


def look_at(
    entries: Iterable[Mapping[str, Any]],
    read: Reader,
    on_progress: Callable[[int], None],
    tests: Iterable[Mapping[str, Any]] = (),
    rl: str = "",
) -> Iterator[Look]:
    """Every row of every dataset of a config's `datasets`, then of its `test_datasets`.

    `on_progress` hears the number of rows read of the dataset at hand; what it raises ends the
    reading.
    """
    tests = list(tests)
    held_out = next((held for held in (_held_out(each, read, rl) for each in tests) if held), None)
    for entry in entries:
        yield _look(entry, read, on_progress, held_out, rl)
    for entry in tests:
        yield _look(entry, read, on_progress, None, rl)


def _held_out(entry: Mapping[str, Any], read: Reader, rl: str) -> Report | None:
    """What is asked in rows that are held out; None where they are not read here."""
    source = str(entry.get("path", ""))
    with contextlib.suppress(DatasetError, RuntimeMissing, TimedOut):
        format = _readable(entry, source, rl)
        with contextlib.closing(read(source)) as groups:
            return examine_held_out(groups, format)
    return None


def _look(
    entry: Mapping[str, Any],
    read: Reader,
    on_progress: Callable[[int], None],
    held_out: Report | None,
    rl: str,
) -> Look:
    source = str(entry.get("path", ""))
    try:
        format = _readable(entry, source, rl)
        with contextlib.closing(read(source)) as groups:
            report = examine(groups, format, on_progress=on_progress, held_out=held_out)
    except (DatasetError, RuntimeMissing, TimedOut) as error:
        return Look(source, problem=error)
    return Look(source, report, held_out=held_out)


def _readable(entry: Mapping[str, Any], source: str, rl: str) -> Format:
    """The format of a dataset that is read here. Raises DatasetError."""
    hint = "What axolotl makes of it is told here all the same."
    if layout_of(source) is Layout.HUB:
        why = "its rows are on the hub"
        hint = f"ftui data {source} reads each of them."
    elif any(entry.get(key) for key in _PARTS_OF_HUB if (key, entry.get(key)) != _WHOLE):
        why = "the config takes only a part of it"
    elif (format := format_of(entry, rl)) is None:
        why = f"ftui does not know the type {entry.get('type')}"
    else:
        return format
    raise DatasetError("not looked at row by row", why=why, hint=hint)


def format_of(entry: Any, rl: str = "") -> Format | None:
    """How an item of `datasets` reads its rows; None for a type that ftui does not know.

    `rl` is the config's: it tells types of one name apart.
    """
    if not isinstance(entry, Mapping):
        return None
    kind = entry.get("type")
    if isinstance(kind, Mapping):
        question, answer = kind.get("field_instruction"), kind.get("field_output")
        context = str(kind.get("field_input") or "")
        return columns_of_your_own(str(question or "instruction"), str(answer or "output"), context)
    if kind == "chat_template":
        return _chat(entry)
    found, column = _named(entry, rl), entry.get("field")
    if found is not None and kind == "completion" and column:
        only = found.parts[0]._replace(column=str(column))
        return dataclasses.replace(found, parts=(only,))
    return found


def _named(entry: Mapping[str, Any], rl: str) -> Format | None:
    """The type of that name with the most of its keys in the entry; some types have none."""
    kind = str(entry.get("type"))
    if "type" not in entry:
        return next((each for each in formats_for(rl or "sft") if not each.keys), None)
    fitting = [
        each
        for each in named(kind, rl) or named(kind)
        if all(entry.get(key) == value for key, value in each.keys.items())
    ]
    return max(fitting, key=lambda each: len(each.keys), default=None) or pick(kind)


def _chat(entry: Mapping[str, Any]) -> Format:
    names, roles = entry.get("message_property_mappings"), entry.get("roles")
    names = names if isinstance(names, Mapping) else {}
    roles = roles if isinstance(roles, Mapping) else {}
    return chat(
        str(entry.get("field_messages") or "messages"),
        str(names.get("role", "role")),
        str(names.get("content", "content")),
        {role: [*map(str, said)] for role, said in roles.items() if isinstance(said, list)},
    )
