"""Rows of one dataset file of text, as they are read: it may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from ftui.data.layout import Layout
from ftui.data.row import HINT, Broken, Fault, Group, Row, one_by_one
from ftui.data.sniff import sniff
from ftui.data.source import Source
from ftui.errors import DatasetError

__all__ = ["Fault", "Group", "Row", "read_groups", "read_rows"]


def read_rows(path: Path) -> Iterator[Row | Fault]:
    """Every row of a JSONL, JSON, CSV or TSV file in order, and a Fault where one should be.

    A file may be packed with gzip or zstd. One that holds nothing gives a Fault too. The first
    step raises DatasetError where nothing can be read at all: no such file, a pipe, Parquet.
    """
    return one_by_one(read_groups(path))


def read_groups(path: Path) -> Iterator[Group]:
    """The same, some dozens of rows at a time, which is faster."""
    return chain.from_iterable(_opened(path))


def _opened(path: Path) -> Iterator[Iterable[Group]]:
    try:
        with Source(path) as source:
            yield _with_words(_groups(source))
    except Broken as error:
        yield (_only(error.fault(1)),)


def _groups(source: Source) -> Iterator[Group]:
    layout = sniff(source.head, source.path.name)
    if layout is Layout.JSON:
        from ftui.data import json_array

        return json_array.groups(source)
    if layout is Layout.JSONL:
        from ftui.data import jsonl

        return jsonl.groups(source)
    if layout in (Layout.CSV, Layout.TSV):
        from ftui.data import table

        return table.groups(source, "," if layout is Layout.CSV else "\t")
    raise DatasetError(
        f"this is a {layout} file, not text",
        where=str(source.path),
        hint="It is read through the train runtime: ftui setup train.",
    )


def _with_words(groups: Iterator[Group]) -> Iterator[Group]:
    """The same; a fault where there is nothing, or where all rows are inside of one object."""
    first = next(groups, None)
    if first is None:
        return iter((_only(Fault(1, "", "the file has no rows", HINT)),))
    fault = _holder(first.lines[0], first.rows[0]) if len(first.rows) == 1 else None
    second = next(groups, None) if fault is not None else None
    if second is not None:
        return chain((first, second), groups)
    if fault is not None:
        return iter((first._replace(lines=(), rows=[], marks=[], faults=[fault, *first.faults]),))
    return chain((first,), groups)


def _holder(line: int, values: dict[str, Any]) -> Fault | None:
    """The fault of the only row of a file, when it looks like all the rows of a dataset."""
    for key in ("data", "rows", "train", "examples", "instances", "items", "records"):
        held = values.get(key)
        if isinstance(held, list) and held and all(isinstance(item, dict) for item in held):
            hint = f"Write them as lines: `jq -c '.{key}[]' FILE > NEW.jsonl`."
            message = f"the file is one object that holds its rows under {key}"
            return Fault(line, key, message, hint)
    if values and all(isinstance(held, dict) and "0" in held for held in values.values()):
        message = "the file is one object that holds its columns, not its rows"
        hint = 'Write rows: in pandas to_json(FILE, orient="records", lines=True).'
        return Fault(line, next(iter(values)), message, hint)
    return None


def _only(fault: Fault) -> Group:
    return Group((), [], [], [fault])
