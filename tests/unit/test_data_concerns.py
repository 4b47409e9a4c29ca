"""What speaks against a training is told with its figures; the mask can be read without colour."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ftui.data.concerns import concerns
from ftui.data.mask import mask_lines
from ftui.data.summary import histogram_lines, receipt_words, rows_words
from ftui.data.tokens import RowError, Rows, Shown, Template, Tokens
from ftui.plain.tokens import document, row_lines
from ftui.plan.models import known_models
from ftui.plan.presets import catalogue
from tests.fixtures.tokens import GOOD, PART


def with_(**changes: Any) -> Tokens:
    """The good one, with parts of its parts replaced."""
    return replace(
        GOOD,
        **{
            name: replace(getattr(GOOD, name), **change) if isinstance(change, dict) else change
            for name, change in changes.items()
        },
    )


def test_a_good_training_gets_no_word() -> None:
    assert concerns(GOOD) == ()


@pytest.mark.parametrize(
    ("tokens", "words", "blocks"),
    [
        (with_(lengths={"supervised": 0}), "nothing is learnt", True),
        (with_(lengths={"supervised": 412_300 // 25}), "only 4.0 % of the tokens", False),
        (with_(endings={"with_end": 1000}), "130 of 1,130 rows do not end", False),
        (with_(tokenizer={"pad": "<end>"}), "the padding token is the end token", False),
        (with_(receipt={"warmup_steps": 93}), "warm-up of 93 steps is as long as", False),
        (with_(receipt={"steps": 19}), "only 19 steps", False),
        (with_(lengths={"over_length": 12}), "12 rows (1.0 %) are longer than", False),
        (
            with_(errors=(RowError(0, 16, "it has no role"),)),
            "axolotl stops at 1 of the rows: row 17: it has no role",
            True,
        ),
    ],
)
def test_what_speaks_against_it(tokens: Tokens, words: str, blocks: bool) -> None:
    [concern] = concerns(tokens)
    assert words in concern.message
    assert concern.blocks is blocks


CHATML, ZEPHYR = "<|im_start|>", "<|user|>"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (Template((CHATML,), (ZEPHYR,), {ZEPHYR: 5}, True), "<|user|> is no token to it, but 5"),
        (Template((), (CHATML,), {CHATML: 6}, True), "<|im_start|> is no token to it, but 6"),
        (Template((CHATML,), (), {}, True), "taught to answer after <|im_start|>"),
        (Template((CHATML,), (ZEPHYR,), {}, True), "taught to answer after <|im_start|>"),
    ],
)
def test_a_template_that_is_not_of_this_model_is_told(template: Template, words: str) -> None:
    [concern] = concerns(with_(template=template))
    assert words in concern.message
    assert concern.hint
    assert not concern.blocks


@pytest.mark.parametrize(
    "template",
    [
        Template((CHATML,), (CHATML,), {}, True),
        Template((ZEPHYR,), (ZEPHYR,), {ZEPHYR: 5}, True),  # OLMo 2 was taught it in pieces
        Template((), (), {}, True),
        Template((), (CHATML,), {}, True),
        Template((CHATML,), (), {}, False),
    ],
)
def test_a_template_that_fits_gets_no_word(template: Template) -> None:
    assert concerns(with_(template=template)) == ()


def test_every_preset_takes_the_template_of_its_model() -> None:
    known = {model.id: model for model in known_models()}
    for preset in catalogue().presets:
        model = known[preset.settings["base_model"]]
        named = preset.settings.get("chat_template") or "tokenizer_default"
        kinds = [entry.get("type") for entry in preset.settings.get("datasets", [])]
        if any(str(kind).startswith("chat_template") for kind in kinds):
            assert named in ("tokenizer_default", model.chat_template), preset.name
        else:
            assert kinds in ([], ["completion"], ["chatml.ultra"]) or isinstance(kinds[0], dict)


def test_no_row_left_blocks_and_says_why() -> None:
    none = with_(rows=Rows(14, 0, 0, {"too_long": 14}), lengths={"total": 0, "supervised": 0})
    first = concerns(none)[0]
    assert first.blocks
    assert "14 longer than sequence_len" in first.message


def test_a_mask_can_be_read_without_colour() -> None:
    lines = [f"{line.sign} {line.text}" for line in mask_lines(PART.texts, PART.labels, PART.ends)]
    assert lines == ["· user↵", "· hi<end>■", "┃ yo<end>■", "· ↵"]


def test_a_row_cannot_steer_a_terminal() -> None:
    part = replace(PART, texts=("\x1b[31m", "a", "b", "c", "\x07"))
    shown = "\n".join(row_lines(Shown(0, 4, "train", (part,))))
    assert shown.startswith("row 5 · trained on")
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_an_answer_and_the_worse_one_are_told_apart() -> None:
    pair = Shown(0, 0, "train", (replace(PART, name="chosen"), replace(PART, name="rejected")))
    lines = list(row_lines(pair))
    assert lines.index("  chosen") < lines.index("  rejected")


def test_the_figures_in_words() -> None:
    assert rows_words(GOOD) == (
        "1,130 trained on · 60 held out for evaluation · 14 longer than sequence_len"
    )
    assert receipt_words(GOOD.receipt) == (
        "93 steps: 3 × 31 an epoch, packed · warm-up 9 · 6 evaluations · 3 checkpoints, 2 kept"
    )
    bars = list(histogram_lines(GOOD.lengths))
    assert [line.split()[0] for line in bars] == ["200", "300", "400", "500"]
    assert bars[1].count("█") == 2 * bars[0].count("█") > 0


def test_the_document() -> None:
    told = document(GOOD, None)
    assert told["tokens"]["learnt"] == 157_500
    assert told["receipt"]["steps"] == 93
    assert told["concerns"] == []


def test_a_longer_sequence_is_advised_only_where_it_is_needed() -> None:
    [few] = concerns(with_(lengths={"over_length": 12}))
    assert few.hint == "the longest has 2,210 tokens"
    [many] = concerns(with_(lengths={"over_length": 13}))
    assert many.hint == "sequence_len: 1472 holds 99 % of the rows"
