"""What a dataset file is: its format, found from its rows, and axolotl's entry for it.

Files are read row by row, so a dataset may be larger than memory.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ftui.data.rows import Fault, Row, read_rows
from ftui.errors import DatasetError
from ftui.text import printable, shorten

Format = Literal["alpaca", "chat_template", "completion"]
_SAMPLE = 5
_TURNS = ("messages", "conversations")
_PARTS = (("role", "content"), ("from", "value"))
_FORMATS = (
    "ftui reads alpaca (instruction, output and maybe input), chat_template (messages or "
    "conversations: a list of turns with role and content, or from and value) "
    "and completion (text)."
)


@dataclass(frozen=True)
class Shape:
    """How to read a row. For chat_template: the column of turns, and their two parts."""

    format: Format
    turns: str = ""
    role: str = ""
    content: str = ""

    @property
    def words(self) -> str:
        """What every row has."""
        if self.format == "alpaca":
            return "each row has an instruction and an output"
        if self.format == "completion":
            return "each row has a text"
        return f"each row has {self.turns}: turns with {self.role} and {self.content}"


@dataclass(frozen=True)
class Dataset:
    """A dataset file as it was found: how many rows, of which format and why, and the first few."""

    path: Path
    shape: Shape
    rows: int
    columns: tuple[str, ...]
    sample: tuple[Mapping[str, Any], ...]

    @property
    def format(self) -> Format:
        """axolotl's name of the format."""
        return self.shape.format

    @property
    def why(self) -> str:
        """Why it was taken for that format."""
        return self.shape.words


def inspect(path: Path) -> Dataset:
    """Read the whole file once. The first row decides the format, and every other must fit it.

    Raises DatasetError with `file:line`.
    """
    _check_file(path)
    shape: Shape | None = None
    columns: dict[str, None] = {}
    sample: list[Mapping[str, Any]] = []
    count = 0
    for row in read_rows(path):
        where = f"{path}:{row.line}"
        if isinstance(row, Fault):
            raise DatasetError(row.message, where=where, hint=row.hint)
        shape = shape or _first_shape(row, where)
        _check_row(row, shape, where)
        columns.update(dict.fromkeys(row.values))
        if count < _SAMPLE:
            sample.append(row.values)
        count += 1
    if shape is None:
        raise DatasetError("has no rows", where=str(path))
    return Dataset(path, shape, count, tuple(columns), tuple(sample))


def axolotl_entry(dataset: Dataset) -> dict[str, Any]:
    """The item of axolotl's `datasets` list that reads this file."""
    shape = dataset.shape
    entry: dict[str, Any] = {"path": str(dataset.path), "ds_type": "json", "type": shape.format}
    if shape.format == "chat_template" and shape.turns != "messages":
        entry["field_messages"] = shape.turns
    if shape.format == "chat_template" and shape.role != "role":
        entry["message_property_mappings"] = {"role": shape.role, "content": shape.content}
    return entry


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            hint = "Name the .jsonl or .json file in it."
            raise DatasetError("is a folder, not a file", where=str(path), hint=hint)
        if not path.exists():
            names = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
            near = difflib.get_close_matches(path.name, names, n=1)
            hint = f"Did you mean {near[0]}?" if near else "Name a .jsonl or .json file."
            raise DatasetError("there is no such file", where=str(path), hint=hint)
    except OSError as error:  # e.g. a name too long for any file
        why = (error.strerror or str(error)).lower()
        raise DatasetError("cannot be read", where=shorten(str(path), 200), why=why) from error


def _first_shape(row: Row, where: str) -> Shape:
    shape = _shape_of(row.values)
    if shape is None:
        columns = shorten(printable(", ".join(row.values)), 200) or "no columns"
        raise DatasetError(f"the format is not known: found {columns}", where=where, hint=_FORMATS)
    return shape


def _shape_of(values: Mapping[str, Any]) -> Shape | None:
    for turns in _TURNS:
        for role, content in _PARTS:
            shape = Shape("chat_template", turns, role, content)
            if _misfit(values, shape) is None:
                return shape
    if _misfit(values, Shape("alpaca")) is None:
        return Shape("alpaca")
    if _misfit(values, Shape("completion")) is None:
        return Shape("completion")
    return None


def _check_row(row: Row, shape: Shape, where: str) -> None:
    misfit = _misfit(row.values, shape)
    if misfit is not None:
        why = f"it is read as {shape.format}: {shape.words}"
        raise DatasetError(misfit, where=where, why=why)


def _misfit(values: Mapping[str, Any], shape: Shape) -> str | None:
    """What keeps a row from having this shape."""
    if shape.format != "chat_template":
        needed = ("instruction", "output") if shape.format == "alpaca" else ("text",)
        for name in needed:
            if not isinstance(values.get(name), str):
                return f"{name} is missing" if name not in values else f"{name} is not text"
        return None
    turns = values.get(shape.turns)
    if not isinstance(turns, list) or not turns:
        return f"{shape.turns} is not a list of turns"
    for number, turn in enumerate(turns, start=1):
        if not isinstance(turn, dict) or shape.content not in turn:
            return f"turn {number} has no {shape.content}"
        if not isinstance(turn.get(shape.role), str):
            return f"turn {number} has no {shape.role}"
    return None
