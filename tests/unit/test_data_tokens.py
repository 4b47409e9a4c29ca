"""The train runtime's answer as plain data, and answers that are none."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from ftui.data.tokens import (
    Dropped,
    Failed,
    Malformed,
    RowError,
    Template,
    fate_words,
    parse,
    parse_failed,
)

PART = {"name": "", "ids": [1, 7, 2], "labels": [-100, 7, 2], "texts": ["a", "b", "."], "ends": [2]}
ANSWER: dict[str, Any] = {
    "id": 1,
    "axolotl": "0.19.0",
    "tokenizer": {
        "class": "TokenizersBackend",
        "size": 1130,
        "bos": None,
        "eos": "<|im_end|>",
        "pad": "<|pad|>",
        "eos_id": 2,
        "pad_id": 0,
    },
    "template": {
        "own": ["<|im_start|>"],
        "used": ["<|user|>"],
        "split": {"<|user|>": 5},
        "prompts": True,
    },
    "rows": {
        "read": 10,
        "train": 6,
        "held_out": 1,
        "fates": {"train": 6, "held_out": 1, "too_long": 2, "failed": 1},
    },
    "tokens": {
        "total": 600,
        "supervised": 150,
        "longest": 300,
        "percentiles": {"50": 90, "90": 200, "95": 250, "99": 300},
        "histogram": [[100, 5], [200, 3], [300, 1]],
        "over_length": 2,
        "fitting_length": 320,
    },
    "endings": {"rows": 6, "with_end": 5},
    "dropped": [
        {"dataset": 0, "row": 3, "fate": "too_long", "tokens": 300},
        {"dataset": 0, "row": 5, "fate": "failed", "tokens": 0, "error": "there is no role in it"},
    ],
    "shown": [
        {"dataset": 0, "row": 0, "fate": "train", "parts": [PART]},
        {
            "dataset": 1,
            "row": 4,
            "fate": "held_out",
            "parts": [{**PART, "name": "prompt"}, {**PART, "name": "completion"}],
            "label": True,
        },
    ],
    "receipt": {
        "packed": True,
        "micro_batch_size": 2,
        "gradient_accumulation_steps": 4,
        "world": 2,
        "batches_per_epoch": 12,
        "steps_per_epoch": 3,
        "steps": 9,
        "steps_range": [9, 10],
        "epochs": 3,
        "warmup_steps": 2,
        "evals": 4,
        "checkpoints": 3,
        "checkpoints_kept": 3,
        "save_steps": 3,
        "packing_efficiency": 0.97,
    },
    "errors": [{"dataset": 0, "row": 5, "message": "there is no role in it"}],
    "log": ["Empty text requested for tokenization."],
}


def _with(place: str, value: Any) -> dict[str, Any]:
    """The answer with another value at a place such as `shown.0.parts`; None removes the key."""
    answer = copy.deepcopy(ANSWER)
    *steps, last = [int(step) if step.isdigit() else step for step in place.split(".")]
    inside: Any = answer
    for step in steps:
        inside = inside[step]
    if value is None:
        del inside[last]
    else:
        inside[last] = value
    return answer


def test_an_answer_becomes_data() -> None:
    tokens = parse(json.loads(json.dumps(ANSWER)))
    assert tokens.axolotl == "0.19.0"
    assert (tokens.tokenizer.name, tokens.tokenizer.bos, tokens.tokenizer.eos_id) == (
        "TokenizersBackend",
        None,
        2,
    )
    assert tokens.template == Template(("<|im_start|>",), ("<|user|>",), {"<|user|>": 5}, True)
    assert (tokens.rows.read, tokens.rows.train, tokens.rows.held_out) == (10, 6, 1)
    assert tokens.rows.dropped == {"too_long": 2, "failed": 1}
    assert tokens.lengths.percentiles[99] == 300
    assert tokens.lengths.histogram == ((100, 5), (200, 3), (300, 1))
    assert tokens.lengths.share == 0.25
    assert tokens.endings.with_end == 5
    assert tokens.dropped == (
        Dropped(0, 3, "too_long", 300),
        Dropped(0, 5, "failed", 0, "there is no role in it"),
    )
    assert tokens.errors == (RowError(0, 5, "there is no role in it"),)
    assert tokens.log == ("Empty text requested for tokenization.",)


def test_a_row_is_shown_token_by_token() -> None:
    plain, rated = parse(ANSWER).shown
    (part,) = plain.parts
    assert (part.ids, part.labels, part.texts, part.ends) == (
        (1, 7, 2),
        (-100, 7, 2),
        ("a", "b", "."),
        (2,),
    )
    assert part.learnt == 2
    assert plain.label is None
    assert [part.name for part in rated.parts] == ["prompt", "completion"]
    assert rated.label is True


def test_an_answer_without_a_template_has_none() -> None:
    assert parse(_with("template", None)).template == Template()


def test_what_a_receipt_may_leave_out() -> None:
    receipt = parse(ANSWER).receipt
    assert receipt.steps_range == (9, 10)
    assert (receipt.save_steps, receipt.eval_steps) == (3, None)
    assert parse(_with("receipt.packing_efficiency", None)).receipt.packing_efficiency is None
    assert isinstance(receipt.epochs, float)


def test_nothing_read_is_no_division() -> None:
    answer = _with("tokens", {**ANSWER["tokens"], "total": 0, "supervised": 0})
    assert parse(answer).lengths.share == 0.0


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("axolotl", 19),
        ("tokenizer", None),
        ("tokenizer.size", "1130"),
        ("template.split", ["<|user|>"]),
        ("template.prompts", 1),
        ("rows.read", -1),
        ("rows.train", 7),
        ("rows.fates", [["train", 6]]),
        ("tokens.total", True),
        ("tokens.histogram", [[100, 5, 1]]),
        ("tokens.percentiles", {"50": 90.5}),
        ("shown", {"dataset": 0}),
        ("shown.0.parts", None),
        ("shown.0.parts", [{**PART, "texts": ["a"]}]),
        ("shown.0.parts", [{**PART, "labels": [-100, 7]}]),
        ("shown.0.parts", [{**PART, "ends": [3]}]),
        ("shown.0.parts", [{**PART, "ids": [1, -7, 2]}]),
        ("receipt.steps", None),
        ("receipt.steps_range", [9]),
        ("receipt.packed", 1),
        ("errors", "none"),
        ("log", [None]),
    ],
)
def test_what_is_no_answer_is_refused(place: str, value: Any) -> None:
    with pytest.raises(Malformed):
        parse(_with(place, value))


def test_why_there_is_nothing_to_count() -> None:
    raw = {"stage": "template", "message": "no row can be used", "type": "KeyError", "log": ["a"]}
    assert parse_failed(raw) == Failed("template", "no row can be used", "KeyError", log=("a",))
    assert parse_failed({**raw, "path": "a.jsonl"}).path == "a.jsonl"
    for broken in ({"stage": "template"}, {**raw, "message": 5}, "template"):
        with pytest.raises(Malformed):
            parse_failed(broken)  # type: ignore[arg-type]


def test_every_fate_has_words() -> None:
    assert fate_words("too_long") == "longer than sequence_len"
    assert fate_words("of_another_kind") == "of another kind"
