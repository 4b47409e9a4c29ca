"""Runs inside the train runtime: the answer to one request, from what the ledger noted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import axolotl
import numpy as np
from tokens_counts import IGNORED, Counts, told  # type: ignore[import-not-found]
from tokens_ledger import (  # type: ignore[import-not-found]
    FAILED,
    ID,
    Ledger,
    attempt,
    ids_of,
    place,
)
from tokens_receipt import receipt  # type: ignore[import-not-found]
from tokens_template import template  # type: ignore[import-not-found]
from tokens_texts import piece  # type: ignore[import-not-found]

_ERRORS = 50
"""So many rows that would stop axolotl are told one by one."""
_TOKENS = 4_000
"""Tokens of each text of a row that is shown: a row may have millions, and nobody reads them."""
Array = Any
Answer = dict[str, Any]


def answer(
    request: Answer, config: Any, tokenizer: Any, ends: list[int], meta: Any, noted: Any
) -> Answer:
    """Everything there is to tell; `noted` stood around axolotl's own functions."""
    ledger: Ledger = noted.ledger
    train = noted.handed(meta.train_dataset)
    held = meta.eval_dataset
    given = ids_of(meta.train_dataset)
    ids = ids_of(train)
    ledger.lose(np.setdiff1d(given, ids), "too_long")
    fates = ledger.fates(ids, ids_of(held) if held is not None else ids[:0])
    lengths = noted.lengths
    if config.ftui_raises:
        stops_at(ledger, fates, lengths, config.sequence_len)
    trained: Counts = noted.trained(train)
    rows = list(shown(request["show"], tokenizer, ends, noted, fates, train, held))
    return {
        "axolotl": axolotl.__version__,
        "tokenizer": about(tokenizer),
        "template": template(config, tokenizer, rows),
        "rows": ledger.rows(fates),
        "tokens": told(lengths[ledger.counted], trained, config.sequence_len),
        "endings": {"rows": int((trained.learnt > 0).sum()), "with_end": int(trained.ended.sum())},
        "dropped": ledger.dropped(fates, lengths),
        "shown": rows,
        "receipt": receipt(config, tokenizer, meta, train, request["world"]),
        "errors": [
            {**place(mark), "message": message}
            for mark, message in sorted(ledger.errors.items())[:_ERRORS]
        ],
    }


def about(tokenizer: Any) -> Answer:
    """The tokenizer by its class, its size and its special tokens."""
    told = {name: getattr(tokenizer, f"{name}_token", None) for name in ("bos", "eos", "pad")}
    numbers = {
        f"{name}_id": getattr(tokenizer, f"{name}_token_id", None) for name in ("eos", "pad")
    }
    return {"class": type(tokenizer).__name__, "size": len(tokenizer), **told, **numbers}


def stops_at(ledger: Ledger, fates: Array, lengths: Array, limit: int) -> None:
    """Note the rows at which `excess_length_strategy: raise` stops axolotl."""
    origins = ledger.origins
    for one in np.flatnonzero(fates == "too_long"):
        ledger.fail(origins[one], f"it has {lengths[one]} tokens, over sequence_len: {limit}")
        fates[one] = FAILED


def shown(
    show: int, tokenizer: Any, ends: list[int], noted: Any, fates: Array, train: Any, held: Any
) -> Iterator[Answer]:
    """The first rows of every dataset, as the trainer gets them or as they were dropped."""
    wanted = noted.ledger.first(show)
    origins = noted.ledger.origins
    rows = found(wanted, noted, train, held)
    for one in wanted.tolist():
        if one not in rows:
            continue
        row = rows[one]
        parts = [
            {"name": name, **beginning(tokenizer, ids, labels, ends)}
            for name, ids, labels in noted.parts(row)
        ]
        told: Answer = {**place(origins[one]), "fate": fates[one]}
        told["parts"] = parts
        if isinstance(row.get("label"), bool):
            told["label"] = row["label"]
        yield told


def beginning(tokenizer: Any, ids: Any, labels: Any, ends: list[int]) -> Answer:
    """One text of a row, as much of it as is shown, and how many tokens come after that."""
    told: Answer = piece(tokenizer, ids[:_TOKENS], labels[:_TOKENS], ends)
    if len(ids) > _TOKENS:
        told["more"] = len(ids) - _TOKENS
        told["more_learnt"] = sum(int(label) != IGNORED for label in labels[_TOKENS:])
    return told


def found(wanted: Array, noted: Any, train: Any, held: Any) -> dict[int, Answer]:
    """The wanted rows by ID."""
    rows = {row[ID]: row for row in picked(train, wanted)}
    for dataset in (held, *noted.tables):
        left = np.setdiff1d(wanted, list(rows))
        if dataset is None or not len(left):
            continue
        few = picked(dataset, left)
        handed, _ = attempt(lambda few=few: list(noted.handed(few)))
        rows |= {row[ID]: row for row in handed or ()}
    return rows


def picked(dataset: Any, ids: Array) -> Any:
    """The rows of a dataset that have these IDs."""
    return dataset.select(np.flatnonzero(np.isin(ids_of(dataset), ids)))
