"""A dataset: where it is, how its rows are laid out, and which of axolotl's types reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ftui.data.files import files_of, layout_of
from ftui.data.formats import Format, columns_of_your_own
from ftui.data.guess import Guess, guess, kinds, pick, text_columns
from ftui.data.layout import Layout
from ftui.data.row import Group
from ftui.data.rows import read_groups
from ftui.errors import DatasetError
from ftui.text import printable, shorten

_SAMPLE = 200
"""Rows that decide what a dataset is."""

Groups = Iterator[tuple[str, Group]]
Reader = Callable[[str], Groups]
"""The rows of a source, each group with the name of its file. Raises DatasetError."""


@dataclass(frozen=True)
class Dataset:
    """A dataset as it was found."""

    source: str
    """A path, or a hub id."""
    layout: Layout
    guess: Guess

    @property
    def format(self) -> Format:
        """How its rows are read."""
        return self.guess.format

    @property
    def entry(self) -> dict[str, Any]:
        """The item of axolotl's `datasets` that reads it."""
        ds_type = {"ds_type": self.layout.ds_type} if self.layout.ds_type else {}
        return {"path": self.source, **ds_type, **self.format.keys}


def read_files(source: str) -> Groups:
    """The rows of a file of text, or of a folder of them."""
    for file in files_of(Path(source)):
        for group in read_groups(file):
            yield str(file), group


def open_dataset(
    source: str,
    read: Reader = read_files,
    *,
    training: str = "",
    family: str = "chatml",
    type_name: str = "",
    columns: tuple[str, ...] = (),
) -> Dataset:
    """Look at the first rows of a dataset and find out what it is.

    `training` is the config's `rl`, and `family` the chat template of the types that name one.
    `type_name` is what the rows are to be read as, `columns` (a question, an answer, and perhaps a
    context) those that a person chose. Raises DatasetError.
    """
    layout = layout_of(source)
    sample = _first_rows(source, read)
    if columns:
        found: Guess | None = Guess(_chosen(columns, sample, source), "certain", "as you chose")
    elif type_name:
        found = Guess(_named(type_name, family), "certain", "as you said")
    else:
        found = guess(sample, training=training, family=family)
    if found is None:
        raise _other(source, sample, training) or _unknown(source, sample, training)
    return Dataset(source, layout, found)


def _first_rows(source: str, read: Reader) -> list[dict[str, Any]]:
    """The first rows; a dataset without any is an error."""
    rows: list[dict[str, Any]] = []
    faults = []
    for file, group in islice(read(source), _SAMPLE):
        rows += group.rows
        faults += [(file, fault) for fault in group.faults]
        if len(rows) >= _SAMPLE:
            break
    if rows:
        return rows[:_SAMPLE]
    if faults:
        file, fault = faults[0]
        raise DatasetError(fault.message, where=f"{file}:{fault.line}", hint=fault.hint)
    raise DatasetError("has no rows", where=source)


def _chosen(columns: tuple[str, ...], sample: list[dict[str, Any]], source: str) -> Format:
    known = text_columns(sample)
    for column in columns:
        if column not in known:
            raise DatasetError(
                f"there is no column of text {column!r}",
                where=source,
                hint=f"It has {_listed(known)}.",
            )
    return columns_of_your_own(*columns)


def _named(name: str, family: str) -> Format:
    found = pick(name, family=family)
    if found is None:
        raise DatasetError(f"there is no dataset type {name!r}", hint="For example alpaca.")
    return found


def _other(source: str, sample: list[dict[str, Any]], training: str) -> DatasetError | None:
    """The error for rows that are good for another kind of training."""
    found = guess(sample) if training else None
    if found is None:
        return None
    if found.format.training == "sft":
        what, why = "these rows are no preferences", f"{found.format.words}: one answer, not two"
        hint = "start from a preset without rl, or name the dataset in the YAML (e)"
    else:
        what, why = "these rows are preferences, not examples", found.format.words
        hint = f"start from a preset with `rl: {found.format.training}`"
    return DatasetError(what, where=source, why=why, hint=hint)


def _unknown(source: str, sample: list[dict[str, Any]], training: str) -> DatasetError:
    columns = kinds(sample)
    held = ", ".join(f"{name} ({kind})" for name, kind in columns.items())
    wanted = f" for `rl: {training}`" if training else ""
    return DatasetError(
        f"no dataset type of axolotl reads these rows{wanted}: found {_shown(held)}",
        where=source,
        hint=_how_to_choose(text_columns(sample)),
    )


def _how_to_choose(texts: tuple[str, ...]) -> str:
    if len(texts) < 2:
        return "A row needs text to learn: messages, instruction and output, or text."
    question, answer = texts[0], texts[-1]
    return f"Choose columns: ftui data FILE --columns {question},{answer} (asked, then answered)."


def _listed(names: tuple[str, ...]) -> str:
    return _shown(", ".join(names)) or "no column of text"


def _shown(text: str) -> str:
    return shorten(printable(text), 200)
