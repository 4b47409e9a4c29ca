"""Runs inside the train runtime: counts of tokens, from the columns of tokenized rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-not-found]

IGNORED = -100
"""The label of a token that is not learnt."""
_ROWS_AT_ONCE = 5_000
_BUCKETS = 20
_PERCENTILES = (50, 90, 95, 99)
_STEP = 64
"""Sequence lengths are told in multiples of this."""
Array = Any
Step = Callable[[int], None]


class NotNumbers(TypeError):
    """A column that should hold one list of token numbers a row holds something else."""


@dataclass(frozen=True)
class Counts:
    """By row: its tokens, those that are learnt, and whether the last one of these is an end."""

    tokens: Array
    learnt: Array
    ended: Array

    @staticmethod
    def joined(parts: list[Counts]) -> Counts:
        """Of several tables, one after the other."""
        if not parts:
            return Counts(np.empty(0, int), np.empty(0, int), np.empty(0, bool))
        return Counts(
            np.concatenate([part.tokens for part in parts]),
            np.concatenate([part.learnt for part in parts]),
            np.concatenate([part.ended for part in parts]),
        )

    def of(self, rows: Array) -> Counts:
        """Of these rows."""
        return Counts(self.tokens[rows], self.learnt[rows], self.ended[rows])


@dataclass(frozen=True)
class Text:
    """One of the texts of a row: what it is called, and its columns of tokens and of labels."""

    name: str
    ids: str
    labels: str | None = None
    """None = nothing of it is learnt."""
    times: int = 1
    """How often the model reads it."""


def measured(dataset: Any, texts: Sequence[Text], ends: Array, step: Step) -> Counts:
    """The counts of a dataset's rows, over all of their texts; the first that is learnt ends it."""
    names = {name for text in texts for name in (text.ids, text.labels) if name}
    tables = dataset.select_columns(sorted(names)).with_format("arrow")
    parts = []
    for table in tables.iter(batch_size=_ROWS_AT_ONCE):
        parts.append(_measured(table, texts, ends))
        step(len(table))
    return Counts.joined(parts)


def _measured(table: Any, texts: Sequence[Text], ends: Array) -> Counts:
    tokens = np.zeros(len(table), dtype=np.int64)
    learnt, ended = np.zeros_like(tokens), np.zeros(len(table), dtype=bool)
    for text in texts:
        lengths, _ = flat(table.column(text.ids))
        tokens += lengths * text.times
        if text.labels:
            count, at_end = learnt_in(*flat(table.column(text.labels)), ends)
            ended = ended if learnt.any() else at_end
            learnt += count
    return Counts(tokens, learnt, ended)


def flat(column: Any) -> tuple[Array, Array]:
    """How long the lists of a column are, and what they hold, one after the other."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    kind = column.type
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not lists or not (pa.types.is_integer(kind.value_type) or not len(column.flatten())):
        raise NotNumbers("a value is a list or an object where axolotl needs text")
    lengths = pa.compute.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    values = column.flatten().to_numpy(zero_copy_only=False)
    return lengths.astype(np.int64), values


def learnt_in(lengths: Array, labels: Array, ends: Array) -> tuple[Array, Array]:
    """By row: how many labels are learnt, and whether the last of them is an end."""
    places = np.flatnonzero(labels != IGNORED)
    borders = np.concatenate([[0], np.cumsum(lengths)])
    until = np.searchsorted(places, borders)
    learnt = np.diff(until)
    ended = np.zeros(len(lengths), dtype=bool)
    some = learnt > 0
    ended[some] = np.isin(labels[places[until[1:][some] - 1]], ends)
    return learnt, ended


def told(lengths: Array, trained: Counts, limit: int) -> dict[str, Any]:
    """Figures of token counts: `lengths` before axolotl drops or cuts any row."""
    longest = int(lengths.max(initial=0))
    return {
        "total": int(trained.tokens.sum()),
        "supervised": int(trained.learnt.sum()),
        "longest": longest,
        "percentiles": {str(one): holding(lengths, one) for one in _PERCENTILES},
        "histogram": histogram(lengths, longest),
        "over_length": int((lengths > limit).sum()),
        "fitting_length": _STEP * math.ceil(holding(lengths, 99) / _STEP),
    }


def holding(lengths: Array, percent: int) -> int:
    """The length that so many percent of the rows don't exceed."""
    if not len(lengths):
        return 0
    return int(np.percentile(lengths, percent, method="inverted_cdf"))


def histogram(lengths: Array, longest: int) -> list[list[int]]:
    """Rows by length, in buckets with round upper bounds."""
    width = round_up(max(1.0, longest / _BUCKETS))
    buckets = np.bincount(np.maximum(lengths - 1, 0) // width) if len(lengths) else []
    return [[(number + 1) * width, int(rows)] for number, rows in enumerate(buckets)]


def round_up(least: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50, … that is not below."""
    power = 10 ** math.floor(math.log10(least))
    return next(int(digit * power) for digit in (1, 2, 5, 10) if digit * power >= least)
