"""The disk that checkpoints need: as real trainings wrote them; nothing where it isn't known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ftui.estimate.checkpoints import disk, disk_words
from ftui.estimate.lora import lora_weights
from ftui.plan.models import known_models
from tests.fixtures.tokens import GOOD

RECEIPT = replace(GOOD.receipt, checkpoints=3, checkpoints_kept=2)
NANO, LLAMA = "builtin:nano", "NousResearch/Meta-Llama-3.1-8B-Instruct"
LORA: dict[str, Any] = {"adapter": "lora", "lora_r": 16, "lora_target_linear": True}
QV: dict[str, Any] = {"adapter": "lora", "lora_r": 8, "lora_target_modules": ["q_proj", "v_proj"]}
MODELS = {model.id: model for model in known_models()}


def of(base_model: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a training of that model."""
    return {**settings, "base_model": base_model}


@pytest.mark.parametrize(
    ("settings", "written"),
    [
        ({"optimizer": "adamw_torch"}, 38_974_441),
        ({"optimizer": "adamw_bnb_8bit"}, 21_380_647),
        ({"optimizer": "adamw_torch_8bit"}, 19_743_674),
        ({"optimizer": "sgd"}, 13_018_648),
        ({"optimizer": "adamw_torch", **LORA}, 3_697_263),
        ({"optimizer": "adamw_bnb_8bit", **LORA}, 2_024_366),
        ({"optimizer": "adamw_torch", "save_only_model": True, **LORA}, 1_243_060),
        ({"optimizer": "adamw_torch", **QV}, 415_814),
    ],
)
def test_a_checkpoint_is_as_large_as_axolotl_wrote_it(
    settings: dict[str, Any], written: int
) -> None:
    needed = disk(of(NANO, settings), RECEIPT)
    assert needed is not None
    assert needed.checkpoint == pytest.approx(written, rel=0.1)


@pytest.mark.parametrize(
    ("model", "settings", "numbers"),
    [
        (LLAMA, LORA, 41_943_040),  # as PEFT prints it for this model
        (LLAMA, QV, 3_407_872),
        ("microsoft/Phi-3.5-mini-instruct", LORA, 25_165_824),
    ],
)
def test_an_adapter_has_the_numbers_that_peft_counts(
    model: str, settings: dict[str, Any], numbers: int
) -> None:
    found = lora_weights(settings, MODELS[model])
    assert found is not None
    assert found[0] == numbers


def test_a_pattern_reaches_the_language_model_alone() -> None:
    pattern = r"model.language_model.layers.*\.(up|down|gate|q|k|v|o)_proj"
    gemma = MODELS["google/gemma-3-4b-it"]
    named = {**LORA, "lora_target_modules": pattern}
    assert lora_weights(named, gemma) is not None
    assert lora_weights(LORA, gemma) is None


def test_half_of_the_width_is_half_of_the_weights_but_for_the_embeddings() -> None:
    wide = disk(of(LLAMA, {"optimizer": "adamw_torch", "bf16": False}), RECEIPT)
    half = disk(of(LLAMA, {"optimizer": "adamw_torch", "bf16": "auto"}), RECEIPT)
    flash = {"optimizer": "adamw_torch", "bf16": True, "attn_implementation": "flash_attention_2"}
    narrow = disk(of(LLAMA, flash), RECEIPT)
    assert wide is not None
    assert half is not None
    assert narrow is not None
    assert wide.result > half.result > narrow.result
    assert narrow.result == pytest.approx(16.1e9, rel=0.01)


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("someone/unknown", LORA),
        (NANO, {"optimizer": "muon"}),
        (NANO, {**LORA, "lora_modules_to_save": ["embed_tokens"]}),
        (NANO, {**LORA, "lora_target_linear": False}),
        (NANO, {**QV, "lora_target_modules": ["q_proj", "c_attn"]}),
        (LLAMA, {"fsdp_config": {"reshard_after_forward": True}}),
        (LLAMA, {"deepspeed": "zero3.json"}),
        ("Qwen/Qwen3-30B-A3B", LORA),
        ("Qwen/Qwen3.5-4B", LORA),
    ],
)
def test_nothing_is_said_where_it_is_not_known(model: str, settings: dict[str, Any]) -> None:
    assert disk(of(model, settings), RECEIPT) is None


def test_the_fullest_moment_is_when_a_new_checkpoint_is_there_and_the_oldest_still() -> None:
    replaced = disk(of(NANO, LORA), RECEIPT)
    kept = disk(of(NANO, LORA), replace(RECEIPT, checkpoints=2))
    none = disk(of(NANO, LORA), replace(RECEIPT, checkpoints=0, checkpoints_kept=0))
    assert replaced is not None
    assert kept is not None
    assert none is not None
    assert replaced.peak == 3 * replaced.checkpoint
    assert kept.peak == 2 * kept.checkpoint + kept.result
    assert none.peak == none.result


def test_the_words() -> None:
    needed = disk(of(LLAMA, {**LORA, "bf16": True}), RECEIPT)
    assert needed is not None
    assert disk_words(needed, RECEIPT) == (
        "1.4 GiB of disk: 2 checkpoints of 0.5 GiB, one more while the oldest goes, "
        "0.2 GiB for the result"
    )


def test_a_pattern_that_is_none_is_not_known() -> None:
    settings = {"lora_r": 8, "lora_target_modules": "model.("}
    assert lora_weights(settings, MODELS[LLAMA]) is None
