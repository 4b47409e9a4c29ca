"""Runs inside the train runtime: which row of which dataset went where.

Two columns travel with the rows. MARK says which raw row it is: the number of its dataset and
its place in it. ID is the number of a tokenized row; a raw row may become none or several.
"""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

MARK = "__ftui_mark"
ID = "__ftui_id"
NUMBER = "ftui_number"
"""The key that tells an item of `datasets` its number."""
TRAIN, HELD_OUT, FAILED, NO_TOKENS = "train", "held_out", "failed", "no_tokens"
LEFT_OUT = "left_out"
"""Rows that axolotl drops for a reason that nobody noted, such as those of another shard."""
_SHIFT = 40
_TOLD = 20
"""So many dropped rows are told one by one."""
Array = Any
Result = TypeVar("Result")


class Unusable(Exception):
    """There is nothing to count: at which stage, and why in words."""

    def __init__(self, stage: str, message: str, cause: BaseException | None = None) -> None:
        super().__init__(message)
        self.stage = stage
        self.cause = cause


def attempt(call: Callable[[], Result]) -> tuple[Result | None, Exception | None]:
    """What a call gives, or what it raises: templates, strategies and plugins raise anything."""
    try:
        return call(), None
    except Exception as error:  # noqa: BLE001 - told to the person whose data it is
        return None, error


def marks(number: int, count: int) -> Array:
    """The marks of a dataset's rows."""
    return np.arange(count, dtype=np.int64) + (number << _SHIFT)


def place(mark: int) -> dict[str, int]:
    """The dataset and the row that a mark stands for."""
    return {"dataset": int(mark) >> _SHIFT, "row": int(mark) & ((1 << _SHIFT) - 1)}


def marked(dataset: Any, number: int) -> Any:
    """A dataset whose rows carry their marks."""
    return dataset.add_column(MARK, marks(number, len(dataset)))


def column(dataset: Any, name: str) -> Array:
    """A column of numbers."""
    if not len(dataset):
        return np.empty(0, dtype=np.int64)
    values = dataset.select_columns([name]).with_format("numpy")[:][name]
    return np.asarray(values, dtype=np.int64)


def ids_of(dataset: Any) -> Array:
    """The numbers of the rows that are left in a dataset."""
    return column(dataset, ID)


class Ledger:
    """What became of every row of one config."""

    def __init__(self) -> None:
        self.stage = "dataset"
        self.path = ""
        self.errors: dict[int, str] = {}
        """By mark: why axolotl would stop at a row."""
        self.tests = 0
        """The number of the first of `test_datasets`."""
        self._given: list[Array] = []
        self._origins: list[Array] = []
        self._joined: Array | None = None
        self._lost: list[tuple[Array, str]] = []
        self._count = 0

    def at(self, stage: str, path: str = "") -> None:
        """What is being done, in case it fails."""
        self.stage, self.path = stage, path or self.path

    def give(self, raw: Array) -> None:
        """Raw rows that are to be tokenized."""
        self._given.append(raw)

    def number(self, raw: Array) -> Array:
        """IDs for tokenized rows, made from these raw rows."""
        ids = np.arange(len(raw), dtype=np.int64) + self._count
        self._count += len(raw)
        self._origins.append(raw)
        self._joined = None
        return ids

    def lose(self, ids: Array, fate: str) -> None:
        """Tokenized rows that axolotl drops. The first word on a row counts."""
        self._lost.append((ids, fate))

    def fail(self, mark: int, message: str) -> None:
        """A raw row at which axolotl would stop."""
        self.errors[int(mark)] = message

    @property
    def origins(self) -> Array:
        """The marks by ID."""
        if self._joined is None:
            self._joined = np.concatenate([np.empty(0, dtype=np.int64), *self._origins])
        return self._joined

    @property
    def given(self) -> Array:
        """The marks of all raw rows."""
        return np.unique(np.concatenate(self._given)) if self._given else np.empty(0, np.int64)

    @property
    def counted(self) -> Array:
        """By ID: whether it is a row of `datasets` (else: of `test_datasets`)."""
        return (self.origins >> _SHIFT) < self.tests

    def fates(self, train: Array, held_out: Array) -> Array:
        """The fates by ID, of those that reached the end and of those that did not."""
        fates = np.full(self._count, LEFT_OUT, dtype=object)
        for ids, fate in reversed(self._lost):
            fates[ids] = fate
        fates[train] = TRAIN
        fates[held_out] = HELD_OUT
        return fates

    def rows(self, fates: Array) -> dict[str, Any]:
        """How many rows went where."""
        counts = collections.Counter(fates.tolist())
        unnumbered = self._unnumbered()
        counts.update(fate for _, fate in unnumbered)
        return {
            "read": len(self.given),
            "train": counts[TRAIN],
            "held_out": counts[HELD_OUT],
            "fates": dict(counts),
        }

    def dropped(self, fates: Array, lengths: Array) -> list[dict[str, Any]]:
        """The first rows that are neither trained on nor held out."""
        origins = self.origins
        gone = np.flatnonzero((fates != TRAIN) & (fates != HELD_OUT))
        gone = gone[np.argsort(origins[gone], kind="stable")][:_TOLD]
        rows = [(int(origins[one]), fates[one], int(lengths[one])) for one in gone]
        rows += [(mark, fate, 0) for mark, fate in self._unnumbered()]
        return [self._told(*row) for row in sorted(rows)[:_TOLD]]

    def _told(self, mark: int, fate: str, tokens: int) -> dict[str, Any]:
        told: dict[str, Any] = {**place(mark), "fate": fate, "tokens": tokens}
        if mark in self.errors:
            told["error"] = self.errors[mark]
        return told

    def _unnumbered(self) -> list[tuple[int, str]]:
        """The raw rows that became no tokenized row, by mark."""
        absent = np.setdiff1d(self.given, self.origins).tolist()
        return [(mark, FAILED if mark in self.errors else NO_TOKENS) for mark in absent]

    def first(self, show: int) -> Array:
        """The IDs of the first rows of every dataset."""
        origins = self.origins
        order = np.argsort(origins, kind="stable")
        numbers = origins[order] >> _SHIFT
        starts = np.flatnonzero(np.diff(numbers, prepend=-1))
        found = [order[start : start + show] for start in starts]
        wanted = [
            ids[(origins[ids] >> _SHIFT) == number]
            for ids, number in zip(found, numbers[starts], strict=True)
        ]
        return np.concatenate(wanted) if wanted else np.empty(0, dtype=np.int64)
