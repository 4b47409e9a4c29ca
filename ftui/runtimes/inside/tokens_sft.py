"""Runs inside the train runtime: axolotl's own loading of rows for SFT, with every row noted.

axolotl reads, tokenizes, masks, filters and splits. The functions here stand around its own and
write into a ledger what goes in and what comes out.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator
from typing import Any

import axolotl.utils.data.sft as sft
import axolotl.utils.data.utils as data_utils
import axolotl.utils.data.wrappers as wrappers
import datasets  # type: ignore[import-not-found]
import numpy as np
from tokens_counts import IGNORED, Counts, Text, measured  # type: ignore[import-not-found]
from tokens_ledger import (  # type: ignore[import-not-found]
    ID,
    MARK,
    NUMBER,
    Ledger,
    Unusable,
    attempt,
    column,
    ids_of,
    marked,
    marks,
    place,
)
from tokens_progress import COUNTING, READING, TOKENIZING, Progress  # type: ignore[import-not-found]
from tokens_words import words  # type: ignore[import-not-found]

Real = Callable[..., Any]
Around = tuple[Any, str, Callable[..., Any]]
Row = dict[str, Any]
Array = Any


class Carrier:
    """Stands in for a strategy: tokenizes row by row with it, and carries the marks through.

    A row at which axolotl would stop is noted and left out, so that the others can be seen.
    """

    supports_batched = True

    def __init__(self, strategy: Any, ledger: Ledger, progress: Progress) -> None:
        self.filter_rows = getattr(strategy, "filter_rows", None)
        self.failed = 0
        self.first_error: Exception | None = None
        self._strategy = strategy
        self._ledger = ledger
        self._progress = progress

    def tokenize_prompt(self, batch: Any) -> dict[str, list[Any]]:
        """The tokenized rows of a batch, each with the mark of the row that it came from."""
        made: dict[str, list[Any]] = collections.defaultdict(list, {MARK: []})
        names = [name for name in batch if name != MARK]
        columns = [batch[name] for name in names]
        for mark, *values in zip(batch[MARK], *columns, strict=True):
            for piece in self._tokenized(int(mark), dict(zip(names, values, strict=True))):
                for name, value in piece.items():
                    made[name].append(value)
                made[MARK].append(mark)
            self._progress.step()
        return dict(made)

    def _tokenized(self, mark: int, row: Row) -> list[Row]:
        pieces, error = attempt(lambda: list(self._pieces(row)))
        if error is None:
            return pieces or []
        self.failed += 1
        self.first_error = self.first_error or error
        self._ledger.fail(mark, words(error))
        return []

    def _pieces(self, row: Row) -> Iterator[Row]:
        """What a row becomes: one tokenized row, or as many as a long text is cut into."""
        if not self._strategy.supports_batched:
            yield dict(self._strategy.tokenize_prompt(row))
            return
        made = self._strategy.tokenize_prompt({name: [value] for name, value in row.items()})
        for values in zip(*made.values(), strict=True):
            if not all(isinstance(value, list) for value in values):
                raise ValueError("axolotl does not take this for one row")
            yield dict(zip(made, values, strict=True))


class Rows:
    """The functions that stand around axolotl's own while it loads the rows of one config."""

    def __init__(
        self, config: Any, tokenizer: Any, ends: Array, ledger: Ledger, progress: Progress
    ) -> None:
        del tokenizer  # axolotl's strategies have it
        self._config = config
        self.ledger = ledger
        self._progress = progress
        self._ends = ends
        self._counted: list[Counts] = []
        self.tables: list[Any] = []
        """The tokenized rows of every dataset, before any is dropped or cut."""

    @property
    def lengths(self) -> Array:
        """By ID: the tokens of a row before axolotl drops or cuts any."""
        return self._counts.tokens

    @property
    def _counts(self) -> Counts:
        return Counts.joined(self._counted)

    def handed(self, dataset: Any) -> Any:
        """The rows as the trainer gets them."""
        return dataset

    def trained(self, dataset: Any) -> Counts:
        """The counts of rows that the trainer gets."""
        texts = layout(dataset)
        if self._config.excess_length_strategy == "truncate" or len(texts) > 1:
            self._progress.phase(COUNTING, len(dataset))
            return measured(dataset, texts, self._ends, self._progress.step)
        return self._counts.of(ids_of(dataset))

    def parts(self, row: Row) -> list[tuple[str, list[int], list[int]]]:
        """The texts of a row: name, tokens and labels."""
        return [
            (
                text.name,
                row[text.ids],
                row[text.labels or ""] if text.labels else [IGNORED] * len(row[text.ids]),
            )
            for text in layout(row)
        ]

    def around(self) -> list[Around]:
        """Which function stands around which of axolotl's."""
        return [
            (sft, "load_dataset_with_config", self._load),
            (sft, "get_dataset_wrapper", self._wrap),
            (wrappers, "wrap_dataset_for_tokenized_prompt", self._tokenize),
            (wrappers, "TokenizedPromptDataset", self._tokenize),
            (sft, "handle_long_seq_in_dataset", self._limit),
            (sft, "process_datasets_for_packing", self._pack),
            (data_utils, "_deduplicate_dataset", Deduplicated(self.ledger, self._progress)),
        ]

    def _load(self, real: Real, config: Any, *args: Any, **kwargs: Any) -> Any:
        self.ledger.at("dataset", str(config.path))
        self._progress.phase(READING)
        dataset = real(config, *args, **kwargs)
        if isinstance(dataset, datasets.DatasetDict):
            return datasets.DatasetDict(
                {split: marked(one, config[NUMBER]) for split, one in dataset.items()}
            )
        return marked(dataset, config[NUMBER])

    def _wrap(self, real: Real, *args: Any, **kwargs: Any) -> Any:
        config = kwargs["dataset_config"]
        self.ledger.at("template", str(config.path))
        dataset, prompter = real(*args, **kwargs)
        dataset = self._numbered(dataset, self._raw(kwargs["dataset"], config))
        self.ledger.at("dataset")
        return dataset, prompter

    def _raw(self, dataset: Any, config: Any) -> Any:
        """The marks of the rows that are to be tokenized; made-up rows (_synthetic) have none."""
        if MARK not in dataset.column_names:
            return marks(config[NUMBER], len(dataset))
        raw = column(dataset, MARK)
        self.ledger.give(raw)
        return raw

    def _tokenize(self, real: Real, strategy: Any, dataset: Any, **kwargs: Any) -> Any:
        self._progress.phase(TOKENIZING, len(dataset))
        carrier = Carrier(strategy, self.ledger, self._progress)
        made, error = attempt(lambda: real(carrier, dataset, **kwargs))
        first = carrier.first_error
        if first is not None and carrier.failed == len(dataset):
            raise Unusable("template", f"no row can be used: {words(first)}", first)
        if error is not None:
            raise error
        return made

    def _numbered(self, dataset: Any, raw: Any) -> Any:
        """The tokenized rows with their IDs."""
        if type(dataset) is not datasets.Dataset:  # it drags its tokenizer along into every copy
            dataset = datasets.Dataset(dataset.data)
        if MARK in dataset.column_names:
            raw = column(dataset, MARK)
            dataset = dataset.remove_columns(MARK)
        elif len(raw) != len(dataset):
            raw = marks(place(raw[0])["dataset"], len(dataset))
            self.ledger.give(raw)
        dataset = dataset.add_column(ID, self.ledger.number(raw))
        self._progress.phase(COUNTING, len(dataset))
        self._counted.append(self._first_counts(dataset))
        self.tables.append(dataset)
        return dataset

    def _first_counts(self, dataset: Any) -> Counts:
        """What is said of the length of a row is said of the longest of its texts."""
        each = []
        for text in layout(dataset):
            counts, error = attempt(
                lambda text=text: measured(dataset, [text], self._ends, self._progress.step)
            )
            if counts is None:
                raise Unusable("template", f"{self._odd(dataset, text)}: {words(error)}", error)
            each.append(counts)
        return Counts(
            np.maximum.reduce([one.tokens for one in each]), each[0].learnt, each[0].ended
        )

    def _odd(self, dataset: Any, text: Text) -> str:
        """The first row whose tokens are no list of numbers."""
        rows = dataset.select_columns([text.ids, ID])
        odd = (row[ID] for row in rows if not all(type(one) is int for one in row[text.ids]))
        return "row {row}".format(**place(self.ledger.origins[next(odd)]))

    def _limit(self, real: Real, dataset: Any, length: int, config: Any) -> Any:
        before = ids_of(dataset)
        kept = real(dataset, length, config)
        gone = np.setdiff1d(before, ids_of(kept))
        long = self.lengths[gone] > length
        self.ledger.lose(gone[long], "too_long")
        self.ledger.lose(gone[~long], "too_short")
        return kept

    def _pack(self, real: Real, config: Any, dataset: Any, *args: Any) -> Any:
        kept = real(config, dataset, *args)
        self.ledger.lose(np.setdiff1d(ids_of(dataset), ids_of(kept[0])), "nothing_supervised")
        return kept


def layout(columns: Any) -> list[Text]:
    """The texts of a row: one, or for a reward model an answer and a worse one."""
    names = getattr(columns, "column_names", columns)
    if "input_ids" in names:
        return [Text("", "input_ids", "labels")]
    return [Text("chosen", "chosen_ids"), Text("rejected", "rejected_ids")]


class Deduplicated:
    """Stands around axolotl's search for duplicates, which compares whole rows."""

    def __init__(self, ledger: Ledger, progress: Progress) -> None:
        self._ledger = ledger
        self._progress = progress

    def __call__(self, real: Real, dataset: Any, *args: Any) -> Any:
        """What axolotl keeps."""
        self._progress.phase(COUNTING, len(dataset))
        kept = real(_Bare(dataset, self._progress), *args)
        self._ledger.lose(np.setdiff1d(ids_of(dataset), ids_of(kept[0])), "duplicate")
        return kept


class _Bare:
    """A dataset as axolotl compares its rows: without our column."""

    def __init__(self, dataset: Any, progress: Progress) -> None:
        self._dataset = dataset
        self._progress = progress

    def __iter__(self) -> Iterator[Row]:
        for row in self._dataset.remove_columns(ID):
            self._progress.step()
            yield row

    def select(self, indices: list[int]) -> Any:
        """These rows, with our column."""
        return self._dataset.select(indices)
