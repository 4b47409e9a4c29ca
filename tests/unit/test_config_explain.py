"""axolotl's messages in plain words."""

from __future__ import annotations

import pytest

from ftui.config.explain import explain, is_remark
from ftui.config.issue import Issue

INTEGER = "Input should be a valid integer, unable to parse string as an integer"


def told(message: str) -> Issue:
    return explain(Issue("error", "key", 3, message))


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (INTEGER, "should be a whole number"),
        (
            "Input should be a valid integer, got a number with a fractional part",
            "should be a whole number",
        ),
        (
            "Input should be a valid number, unable to parse string as a number",
            "should be a number",
        ),
        ("Input should be a valid boolean, unable to interpret input", "should be true or false"),
        ("Input should be a valid string", "should be text"),
        ("Input should be a valid list", "should be a list"),
        ("Input should be a valid dictionary or instance of TRLConfig", "should be a mapping"),
        ("Input should be greater than or equal to 1", "should be at least 1"),
        ("Input should be less than or equal to 1", "should be at most 1"),
        ("Input should be greater than 0", "should be more than 0"),
        ("Input should be less than 1", "should be less than 1"),
        ("Input should be 'dpo', 'kto' or 'orpo'", "should be one of dpo, kto, orpo"),
        ("Input should be 'auto'", "should be auto"),
        (f"{INTEGER}; or: Input should be 'auto'", "should be a whole number or auto"),
        (
            f"Input should be 'a' or 'b'; or: {INTEGER}; or: {INTEGER}",
            "should be one of a, b or a whole number",
        ),
    ],
)
def test_what_a_value_should_be(message: str, words: str) -> None:
    assert told(message) == Issue("error", "key", 3, words)


def test_a_remark_is_nothing_against_the_config() -> None:
    assert is_remark("Auto-enabling LoRA kernel optimizations for faster training. Please …")
    assert not is_remark("bf16 requested, but AMP is not supported on this GPU.")


@pytest.mark.parametrize(
    ("message", "words", "hint"),
    [
        ("Field required", "required", "add it"),
        ("Require cfg.load_in_4bit to be True for qlora", "4 bits", "load_in_4bit: true"),
        ("Can't load qlora in 8bit", "not in 8", "load_in_4bit"),
        ("either datasets or pretraining_dataset is required", "nothing to train on", "alpaca"),
        (
            "warmup_steps and warmup_ratio are mutually exclusive",
            "warmup_steps and warmup_ratio exclude each other",
            "remove one of warmup_steps and warmup_ratio",
        ),
        (
            "lr_groups and loraplus_lr_ratio cannot be used together.",
            "lr_groups and loraplus_lr_ratio exclude each other",
            "remove one of lr_groups and loraplus_lr_ratio",
        ),
        (
            "`max_packed_sequence_len` is no longer supported",
            "max_packed_sequence_len is no longer supported",
            "remove max_packed_sequence_len",
        ),
        (
            "`s2_attention` (shifted-sparse attention) is no longer supported.",
            "s2_attention is no longer supported",
            "remove s2_attention",
        ),
        (
            "`rope_scaling` is no longer supported, it should now be be a key under `model_config`",
            "rope_scaling is no longer supported",
            "overrides_of_model_config",
        ),
        (
            "noisy_embedding_alpha is deprecated, use neftune_noise_alpha; both are set, please …",
            "old name of neftune_noise_alpha",
            "remove noisy_embedding_alpha",
        ),
        (
            "peft_layers_pattern requires peft_layers_to_transform to be set",
            "peft_layers_pattern needs peft_layers_to_transform",
            "set peft_layers_to_transform",
        ),
        (
            "bf16 requested, but AMP is not supported on this GPU. Requires Ampere.",
            "not supported on this GPU",
            "fp16: true",
        ),
        (
            "axolotl cannot read this config, some value has the wrong shape: "
            "[Errno 2] No such file or directory: 'zero3.json'",
            "there is no file 'zero3.json'",
            "correct the path",
        ),
    ],
)
def test_a_cryptic_message_gets_plain_words_and_a_hint(message: str, words: str, hint: str) -> None:
    issue = told(message)
    assert words in issue.message
    assert hint in issue.hint
    assert (issue.severity, issue.path, issue.line) == ("error", "key", 3)


@pytest.mark.parametrize(
    "message",
    ["", "something that nobody knows", "something; or: something else", "x requires y to be z"],
)
def test_what_nobody_knows_passes_unchanged(message: str) -> None:
    assert told(message) == Issue("error", "key", 3, message)


def test_of_several_kinds_of_complaint_the_one_that_says_most_is_kept() -> None:
    assert told(f"{INTEGER}; or: it must be even").message == "it must be even"
