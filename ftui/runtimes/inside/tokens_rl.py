"""Runs inside the train runtime: axolotl's own loading of preference data, with every row noted.

axolotl maps the rows to texts and drops those that are too long; TRL makes tokens of them when
its trainer is made. A row stays one row all the way, so that it has its ID from the start.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import axolotl.utils.data.rl as rl_data
import axolotl.utils.data.utils as data_utils
import datasets  # type: ignore[import-not-found]
import numpy as np
from axolotl.utils.schemas.enums import RLType
from tokens_counts import IGNORED, Counts, Text, measured  # type: ignore[import-not-found]
from tokens_ledger import (  # type: ignore[import-not-found]
    ID,
    NUMBER,
    Ledger,
    Unusable,
    attempt,
    ids_of,
    marks,
)
from tokens_progress import COUNTING, READING, TOKENIZING, Progress  # type: ignore[import-not-found]
from tokens_sft import Around, Deduplicated, Real, Row  # type: ignore[import-not-found]
from tokens_words import words  # type: ignore[import-not-found]
from trl import (  # type: ignore[import-not-found]
    DPOTrainer,
    KTOTrainer,
    maybe_apply_chat_template,
    maybe_extract_prompt,
)
from trl.experimental.cpo import CPOTrainer  # type: ignore[import-not-found]
from trl.experimental.orpo import ORPOTrainer  # type: ignore[import-not-found]

_PAIR = (
    Text("prompt", "prompt_ids", times=2),
    Text("chosen", "chosen_ids", "chosen_ids"),
    Text("rejected", "rejected_ids", "rejected_ids"),
)
_ANSWER = (Text("prompt", "prompt_ids"), Text("completion", "completion_ids", "completion_ids"))
_MASKED = (
    Text("chosen", "chosen_input_ids", "chosen_labels"),
    Text("rejected", "rejected_input_ids", "rejected_labels"),
)
LAYOUT = {
    RLType.DPO: _PAIR,
    RLType.IPO: _PAIR,
    RLType.KTO: _ANSWER,
    RLType.ORPO: _MASKED,
    RLType.SIMPO: _MASKED,
}
"""The columns that TRL makes."""
COUNTABLE = tuple(LAYOUT)
"""The other methods let the model write the answers: there is nothing to count."""
Array = Any


class Preferences:
    """The functions that stand around axolotl's own while it loads preference data."""

    def __init__(
        self, config: Any, tokenizer: Any, ends: Array, ledger: Ledger, progress: Progress
    ) -> None:
        self._config = config
        self._tokenizer = tokenizer
        self.ledger = ledger
        self._progress = progress
        self._ends = ends
        self._lengths: dict[int, int] = {}
        self._loaded: list[Array] = []
        self.tables: list[Any] = []
        """The rows of every dataset as texts, before any is dropped or cut."""

    @property
    def lengths(self) -> Array:
        """By ID: the tokens of the prompt and its longer answer, as axolotl counts them."""
        return np.array([self._lengths.get(one, 0) for one in range(len(self.ledger.origins))])

    def handed(self, dataset: Any) -> Any:
        """The rows as the trainer gets them: TRL makes tokens of the texts."""
        return tokenized(self._config, self._tokenizer, dataset)

    def trained(self, dataset: Any) -> Counts:
        """The counts of rows that the trainer gets."""
        if not len(dataset):
            return Counts.joined([])
        self._progress.phase(COUNTING, len(dataset))
        return measured(dataset, LAYOUT[self._config.rl], self._ends, self._progress.step)

    def parts(self, row: Row) -> list[tuple[str, list[int], list[int]]]:
        """The texts of a row: name, tokens and labels."""
        if self._config.rl in (RLType.ORPO, RLType.SIMPO):
            return _split(row)
        return [
            (
                text.name,
                row[text.ids],
                row[text.labels] if text.labels else [IGNORED] * len(row[text.ids]),
            )
            for text in LAYOUT[self._config.rl]
        ]

    def around(self) -> list[Around]:
        """Which function stands around which of axolotl's."""
        return [
            (rl_data, "load_dataset_with_config", self._load),
            (rl_data, "_map_dataset", self._map),
            (rl_data, "_truncate_long_sequences_rl", self._truncate),
            (rl_data, "_drop_long_sequences", self._fits),
            (rl_data, "merge_datasets", self._merge),
            (data_utils, "_deduplicate_dataset", Deduplicated(self.ledger, self._progress)),
        ]

    def _load(self, real: Real, config: Any, *args: Any, **kwargs: Any) -> Any:
        self.ledger.at("dataset", str(config.path))
        self._progress.phase(READING)
        dataset = real(config, *args, **kwargs)
        if isinstance(dataset, datasets.DatasetDict):
            dataset = dataset["train"]
        raw = marks(config[NUMBER], len(dataset))
        self.ledger.give(raw)
        ids = self.ledger.number(raw)
        self._loaded.append(ids)
        dataset = dataset.add_column(ID, ids)
        self.tables.append(dataset)
        self.ledger.at("template")
        return dataset

    def _map(
        self, real: Real, config: Any, dataset: Any, function: Real, tokenizer: Any, **kwargs: Any
    ) -> Any:
        if "remove_columns" in kwargs:
            kwargs["remove_columns"] = [name for name in kwargs["remove_columns"] if name != ID]
        if "tokenizer" in inspect.signature(function).parameters:
            function = functools.partial(function, tokenizer=tokenizer)
        usable = self._usable(dataset, function)
        made = real(config, usable, function, tokenizer, **kwargs)
        self.tables = [made if table is dataset else table for table in self.tables]
        return made

    def _usable(self, dataset: Any, function: Callable[[Row], Row]) -> Any:
        """The rows at which axolotl would not stop."""
        self._progress.phase(TOKENIZING, len(dataset))
        errors: dict[int, Exception] = {}
        for place, row in enumerate(dataset.remove_columns(ID)):
            _, error = attempt(lambda row=row: function(row))
            if error is not None:
                errors[place] = error
            self._progress.step()
        if errors and len(errors) == len(dataset):
            first = errors[0]
            raise Unusable("template", f"no row can be used: {words(first)}", first)
        if not errors:
            return dataset
        ids = ids_of(dataset)
        for place, error in errors.items():
            self._fail(ids[place], error)
        return dataset.select(np.setdiff1d(np.arange(len(dataset)), list(errors)))

    def _fail(self, number: int, error: Exception) -> None:
        self.ledger.fail(self.ledger.origins[number], words(error))
        self.ledger.lose(np.array([number]), "failed")

    def _fits(self, real: Real, sample: Row, rl: Any, tokenizer: Any, sequence_len: int) -> bool:
        """Whether axolotl keeps a row; it counts the tokens of its texts one after the other."""
        counted: list[int] = []

        def counting(*args: Any, **kwargs: Any) -> Any:
            made = tokenizer(*args, **kwargs)
            counted.append(len(made["input_ids"]))
            return made

        kept, error = attempt(lambda: real(sample, rl, counting, sequence_len))
        if error is not None:
            self._fail(sample[ID], error)
            return False
        prompt, *answers = counted
        self._lengths.setdefault(sample[ID], prompt + max(answers))
        return bool(kept)

    def _truncate(self, real: Real, sample: Row, *args: Any, **kwargs: Any) -> Row:
        cut, error = attempt(lambda: real(sample, *args, **kwargs))
        return sample if error is not None or cut is None else cut

    def _merge(self, real: Real, loaded: list[Any], config: Any) -> Any:
        kept = np.concatenate([ids_of(dataset) for dataset in loaded])
        self.ledger.lose(np.setdiff1d(np.concatenate(self._loaded), kept), "too_long")
        self._loaded.clear()
        return real(loaded, config)


def _split(row: Row) -> list[tuple[str, list[int], list[int]]]:
    """The texts of a row whose prompt is the masked beginning of both answers."""
    made = []
    for text in _MASKED:
        ids, labels = row[text.ids], row[text.labels or ""]
        begins = next((place for place, one in enumerate(labels) if one != IGNORED), len(labels))
        made.append((text.name, ids[begins:], labels[begins:]))
        if not made[1:]:
            made.insert(0, ("prompt", ids[:begins], labels[:begins]))
    return made


def tokenized(config: Any, tokenizer: Any, dataset: Any) -> Any:
    """The rows as TRL's trainer has them: its own functions, run as when it is made."""
    if not len(dataset):
        return dataset
    if config.rl in (RLType.ORPO, RLType.SIMPO):
        trainer = ORPOTrainer if config.rl is RLType.ORPO else CPOTrainer
        return _tokenized_pairs(trainer, config, tokenizer, dataset)
    args = SimpleNamespace(
        dataset_num_proc=None,
        max_length=config.sequence_len,
        truncation_mode="keep_start",
        per_device_train_batch_size=config.micro_batch_size,
    )
    trainer = KTOTrainer if config.rl is RLType.KTO else DPOTrainer
    itself = SimpleNamespace(
        _tokenizer=tokenizer,
        calculate_KL=True,
        desirable_weight=config.kto_desirable_weight or 1.0,
        undesirable_weight=config.kto_undesirable_weight or 1.0,
    )
    return trainer._prepare_dataset(itself, dataset, tokenizer, args, "train")


def _tokenized_pairs(trainer: Any, config: Any, tokenizer: Any, dataset: Any) -> Any:
    itself = SimpleNamespace(
        processing_class=tokenizer, is_encoder_decoder=False, max_length=config.sequence_len
    )
    itself.build_tokenized_answer = functools.partial(trainer.build_tokenized_answer, itself)
    dataset = dataset.map(maybe_extract_prompt)
    dataset = dataset.map(maybe_apply_chat_template, fn_kwargs={"processing_class": tokenizer})
    return dataset.map(functools.partial(trainer.tokenize_row, itself))
