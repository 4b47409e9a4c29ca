"""A dataset: where it is, how its rows are laid out, and which of axolotl's types reads them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ftui.data.choosing import likely_columns, settling, way_out
from ftui.data.files import files_of, layout_of
from ftui.data.formats import Format, columns_of_your_own
from ftui.data.guess import Guess, formats_for, guess, kinds, pick, text_columns
from ftui.data.layout import Layout
from ftui.data.row import Group
from ftui.data.rows import read_groups
from ftui.errors import DatasetError
from ftui.text import printable, shorten

_SAMPLE = 200
"""Rows that decide what a dataset is."""

Groups = Generator[tuple[str, Group], None, None]
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


class Undecided(DatasetError):
    """What the rows are is for a person to say: nothing in them says it for certain."""

    def __init__(
        self,
        error: DatasetError,
        formats: tuple[Format, ...],
        columns: Mapping[str, str],
        likely: tuple[str, ...],
    ) -> None:
        super().__init__(error.what, where=error.where, why=error.why, hint=error.hint)
        self.formats = formats
        """What would read the rows, the likeliest first; none where only columns can be chosen."""
        self.columns = columns
        """The columns of text, two at least, each with what the first row has there."""
        self.likely = likely
        """Those of them that hold more than the numbers or codes that tell rows apart."""


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
    format: Format | None = None,
    ask: bool = False,
) -> Dataset:
    """Look at the first rows of a dataset and find out what it is.

    `training` is the config's `rl`, and `family` the chat template of the types that name one.
    What a person chose is `format`, or the `type_name` of one, or `columns`: a question, an answer,
    and perhaps a context. With `ask` a person is there to choose where it is not certain.

    Raises DatasetError, and Undecided where a choice is needed.
    """
    layout = layout_of(source)
    sample = _first_rows(source, read)
    if format is not None:
        found: Guess | None = Guess(format, "certain", "as you chose")
    elif columns:
        found = Guess(_chosen(columns, sample, source), "certain", "as you chose")
    elif type_name:
        found = Guess(_named(type_name, family), "certain", "as you said")
    else:
        found = guess(sample, training=training, family=family)
    if found is None:
        raise _other(source, sample, training) or _unknown(source, sample, training)
    if ask and found.surely == "unsure":
        raise _unsure(source, sample, found)
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
        hint = "They go with a preset, or a config, that has no `rl`."
    else:
        what, why = "these rows are preferences, not examples", found.format.words
        hint = f"They go with a preset, or a config, that has `rl: {found.format.training}`."
    return DatasetError(what, where=source, why=why, hint=hint)


def _unsure(source: str, sample: list[dict[str, Any]], found: Guess) -> Undecided:
    """What the rows may be is known; that they are meant so, a person has to say."""
    texts = _examples(sample)
    likely = likely_columns(sample, tuple(texts))
    hint = way_out(sample, likely)
    if found.format.name == "user_defined":
        hint = settling(shlex.quote(",".join(part.column for part in found.format.parts)))
    error = DatasetError(
        "it is not certain what these rows are", where=source, why=found.why, hint=hint
    )
    return Undecided(error, (found.format, *found.others), texts, likely)


def _unknown(source: str, sample: list[dict[str, Any]], training: str) -> DatasetError:
    held = ", ".join(f"{name} ({kind})" for name, kind in kinds(sample).items())
    texts, of_choice = _examples(sample), training in ("", "sft")
    if {"chosen", "rejected"} <= sample[0].keys():
        return DatasetError(
            f"the question is missing in these preferences: found {_shown(held)}",
            where=source,
            hint="Name the column of what is asked `prompt`, beside chosen and rejected.",
        )
    wanted = "" if of_choice else f" for `rl: {training}`"
    what = f"no dataset type of axolotl reads these rows{wanted}: found {_shown(held)}"
    if not of_choice:
        wished = next(formats_for(training), None)
        return DatasetError(
            what,
            where=source,
            hint=f"What it reads, for example: {wished.words}." if wished else "",
        )
    if len(texts) < 2:
        hint = "A row needs text to learn: messages, instruction and output, or text."
        if "a time" in kinds(sample).values():
            hint = "axolotl stops where a time stands for text: write the dates as text."
        return DatasetError(what, where=source, hint=hint)
    likely = likely_columns(sample, tuple(texts))
    hint = way_out(sample, likely)
    return Undecided(DatasetError(what, where=source, hint=hint), (), texts, likely)


def _examples(sample: list[dict[str, Any]]) -> dict[str, str]:
    """The columns of text, each with the first text in it that is not empty."""
    return {
        column: next((row[column] for row in sample if row[column].strip()), "")
        for column in text_columns(sample)
    }


def _listed(names: tuple[str, ...]) -> str:
    return _shown(", ".join(names)) or "no column of text"


def _shown(text: str) -> str:
    return shorten(printable(text), 200)
