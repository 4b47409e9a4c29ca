"""A file that is held out of the training: `test_datasets`, read as the first dataset is."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftui import paths
from ftui.data.convert import targets
from ftui.data.dataset import open_dataset
from ftui.data.doctor import examine
from ftui.data.entries import format_of
from ftui.data.files import files_of, layout_of
from ftui.data.formats import Format
from ftui.data.layout import Layout
from ftui.data.report import Report
from ftui.errors import DatasetError
from ftui.plan.plan import Plan
from ftui.plan.reading import first_fault, whole_path
from ftui.plan.step import World

_OF_THE_ROWS = (
    "path",
    "ds_type",
    "split",
    "data_files",
    "name",
    "revision",
    "shards",
    "shards_idx",
    "preprocess_shards",
    "trust_remote_code",
)
"""Keys of a dataset that say where its rows are, and not how they are read."""


def listed_in(plan: Plan, key: str) -> list[dict[str, Any]]:
    """The items of `datasets` or `test_datasets`."""
    listed = plan.get(key)
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def is_put_off(entry: Mapping[str, Any]) -> bool:
    """Whether a person is still to say what the rows are. Some have no `type` at all."""
    return entry.get("type", "") is None


def entry_of(plan: Plan, text: str, *, hint: str) -> dict[str, Any]:
    """The item of `test_datasets` that reads a file as the first dataset is read.

    It is only seen whether it is there. Raises DatasetError.
    """
    found = paths.existing(text)
    if found is None:
        raise DatasetError("there is no such file to hold out", where=text, hint=hint)
    first = plan.get("datasets.0")
    if not isinstance(first, dict) or is_put_off(first):
        raise DatasetError(
            "it is not known yet what the rows to train on are",
            hint="Say that first: the file is read as they are.",
        )
    keys = {key: value for key, value in first.items() if key not in _OF_THE_ROWS}
    # axolotl looks for a split `test`, which a file has not.
    return {"path": whole_path(str(found)), "split": "train", **copy.deepcopy(keys)}


def looked_at(plan: Plan, world: World) -> Plan:
    """The plan once every row of the file that it holds out was read.

    Raises DatasetError where that is what is trained on, of another type, or broken.
    """
    entry, *others = listed_in(plan, "test_datasets")
    source = str(entry["path"])
    _refuse_what_is_trained_on(plan, source)
    layout, format = layout_of(source), format_of(plan.get("datasets.0"), str(plan.get("rl") or ""))
    if format is not None:
        report = examine(world.read(source), format)
        if not report.kept and report.rows:
            raise _of_another_type(source, format, world) or _fault(source, report)
        if not report.ok:
            raise _fault(source, report)
    ds_type = {"ds_type": layout.ds_type} if layout.ds_type else {}
    settled = {"path": source, **ds_type, **entry}
    return plan.with_settings(test_datasets=[settled, *others])


def _refuse_what_is_trained_on(plan: Plan, source: str) -> None:
    """Raise DatasetError where a file of it is one of a dataset's too."""
    here = {file.resolve() for file in files_of(Path(source))}
    for entry in listed_in(plan, "datasets"):
        found = paths.existing(str(entry.get("path", "")), plan.preset.path.parent)
        if found is None or layout_of(found) is Layout.HUB:
            continue
        if here & {file.resolve() for file in files_of(found)}:
            raise DatasetError(
                "this is what is trained on",
                where=source,
                why="what it measures then is memory",
                hint="Name another file, or a share: 5 % keeps rows back that are not trained on.",
            )


def _of_another_type(source: str, wanted: Format, world: World) -> DatasetError | None:
    """The error for rows that fit another type; None where they fit none, or cannot be read."""
    with contextlib.suppress(DatasetError):
        found = open_dataset(source, world.read).format
        if found.name == wanted.name:
            return None
        hint = f"What it is read as: {wanted.words}."
        if wanted.name in targets(found) and wanted.keys.keys() == {"type"}:
            hint = f"ftui data {source} --convert {wanted.name} -o NEW.jsonl writes them anew."
        return DatasetError(
            f"these rows are {_named(found)}, and those that are trained on are {_named(wanted)}",
            where=source,
            why="what is held out is read as the first dataset is",
            hint=hint,
        )
    return None


def _named(format: Format) -> str:
    return "columns of your own" if format.name == "user_defined" else format.name


def _fault(source: str, report: Report) -> DatasetError:
    what, where, why, hint = first_fault(source, report)
    return DatasetError(what, where=where, why=why, hint=hint)
