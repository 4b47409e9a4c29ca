"""The datasets that a config names, looked at row by row."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ftui.data.dataset import Reader
from ftui.data.doctor import examine
from ftui.data.files import layout_of
from ftui.data.formats import Format, chat, columns_of_your_own
from ftui.data.guess import pick
from ftui.data.layout import Layout
from ftui.data.report import Report
from ftui.errors import DatasetError, FtuiError, RuntimeMissing, TimedOut

_PARTS_OF_HUB = ("data_files", "name", "revision", "shards", "split", "trust_remote_code")
"""Keys by which axolotl trains on other rows than those that are read here."""


@dataclass(frozen=True)
class Look:
    """What a look at every row of a dataset found, or why there was none."""

    source: str
    report: Report | None = None
    problem: FtuiError | None = None


def look_at(
    entries: Iterable[Mapping[str, Any]], read: Reader, on_progress: Callable[[int], None]
) -> Iterator[Look]:
    """Every row of every dataset of a config's `datasets`.

    `on_progress` hears the number of rows read of the dataset at hand; what it raises ends the
    reading.
    """
    for entry in entries:
        source = str(entry.get("path", ""))
        try:
            format = _readable(entry, source)
            with contextlib.closing(read(source)) as groups:
                yield Look(source, examine(groups, format, on_progress=on_progress))
        except (DatasetError, RuntimeMissing, TimedOut) as error:
            yield Look(source, problem=error)


def _readable(entry: Mapping[str, Any], source: str) -> Format:
    """The format of a dataset that is read here. Raises DatasetError."""
    hint = "What axolotl makes of it is told here all the same."
    if layout_of(source) is Layout.HUB:
        why = "its rows are on the hub"
        hint = f"ftui data {source} reads each of them."
    elif any(entry.get(key) for key in _PARTS_OF_HUB):
        why = "the config takes only a part of it"
    elif (format := format_of(entry)) is None:
        why = f"ftui does not know the type {entry.get('type')}"
    else:
        return format
    raise DatasetError("not looked at row by row", why=why, hint=hint)


def format_of(entry: Any) -> Format | None:
    """How an item of `datasets` reads its rows; None for a type that ftui does not know."""
    if not isinstance(entry, Mapping):
        return None
    kind = entry.get("type")
    if isinstance(kind, Mapping):
        question, answer = kind.get("field_instruction"), kind.get("field_output")
        context = str(kind.get("field_input") or "")
        return columns_of_your_own(str(question or "instruction"), str(answer or "output"), context)
    if kind == "chat_template":
        return _chat(entry)
    found, column = pick(str(kind)), entry.get("field")
    if found is not None and kind == "completion" and column:
        only = found.parts[0]._replace(column=str(column))
        return dataclasses.replace(found, parts=(only,))
    return found


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
