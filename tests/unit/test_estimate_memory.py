"""The memory estimate: what it promises of any training, and how it compares with measurements."""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftui.config.dump import dump
from ftui.config.lint import check
from ftui.config.schema import VERSIONS
from ftui.estimate.layers import saved_by_layer
from ftui.estimate.memory import BAND, Memory, memory
from ftui.estimate.reading import read_training
from ftui.estimate.training import Checkpointing, Loss, Sharding, Training
from ftui.estimate.ways import changed, ways
from ftui.plan.models import known_models
from ftui.plan.presets import catalogue
from tests.measured.compare import compared, ran_out
from tests.measured.rows import judged

DENSE = [m for m in known_models() if not m.experts and not m.linear_attention and not m.vision]
LORA: dict[str, Any] = {
    "adapter": "lora",
    "lora_r": 16,
    "lora_target_linear": True,
    "bf16": True,
    "sequence_len": 2048,
    "micro_batch_size": 2,
    "gradient_checkpointing": True,
}
KINDS: dict[str, dict[str, Any]] = {
    "lora": {},
    "qlora": {"adapter": "qlora", "load_in_4bit": True},
    "8-bit": {"load_in_8bit": True},
    "full": {"adapter": None},
    "full, flash attention": {"adapter": None, "attn_implementation": "flash_attention_2"},
    "no checkpointing": {"gradient_checkpointing": False},
    "eager": {"gradient_checkpointing": False, "attn_implementation": "eager"},
    "preference": {"rl": "dpo"},
    "fused loss": {
        "plugins": ["axolotl.integrations.cut_cross_entropy.CutCrossEntropyPlugin"],
        "cut_cross_entropy": True,
    },
}
DIVIDED: dict[str, dict[str, Any]] = {
    "FSDP2": {"fsdp_version": 2, "fsdp_config": {"reshard_after_forward": True}},
    "ZeRO-1": {"deepspeed": "zero1.json"},
    "ZeRO-2": {"deepspeed": "zero2.json"},
    "ZeRO-3": {"deepspeed": "zero3.json"},
    "FSDP2, offloaded": {"fsdp_version": 2, "fsdp_config": {"offload_params": True}},
}
kinds = st.sampled_from(sorted(KINDS))
models = st.sampled_from(DENSE)


def needed(model: Any, settings: dict[str, Any], gpus: int = 1) -> float:
    """GiB on one GPU."""
    return memory(read_training({**LORA, **settings}, model, gpus).training).expected


@given(models, kinds, st.integers(1, 16))
def test_more_rows_at_once_never_need_less(model: Any, kind: str, rows: int) -> None:
    fewer, more = ({**KINDS[kind], "micro_batch_size": count} for count in (rows, rows + 1))
    assert needed(model, fewer) <= needed(model, more)


@given(models, kinds, st.integers(64, 16384), st.integers(1, 4096))
def test_a_longer_sequence_never_needs_less(model: Any, kind: str, length: int, more: int) -> None:
    short, long = ({**KINDS[kind], "sequence_len": each} for each in (length, length + more))
    assert needed(model, short) <= needed(model, long)


@given(models, st.sampled_from(["lora", "qlora", "preference"]), st.integers(1, 256))
def test_a_higher_rank_never_needs_less(model: Any, kind: str, rank: int) -> None:
    low, high = ({**KINDS[kind], "lora_r": each} for each in (rank, 2 * rank))
    assert needed(model, low) < needed(model, high)


@given(models, kinds)
def test_a_model_with_one_more_layer_needs_more(model: Any, kind: str) -> None:
    layer = (model.parameters - model.vocabulary * model.hidden) // (model.layers + 1)
    deeper = replace(model, layers=model.layers + 1, parameters=model.parameters + layer)
    assert needed(model, KINDS[kind]) < needed(deeper, KINDS[kind])


@given(models, st.sampled_from(["lora", "qlora", "full"]), st.sampled_from(sorted(DIVIDED)),
       st.integers(2, 63))  # fmt: skip
def test_one_more_gpu_never_needs_more_of_each(
    model: Any, kind: str, divided: str, gpus: int
) -> None:
    settings = {**KINDS[kind], **DIVIDED[divided]}
    assert needed(model, settings, gpus + 1) <= needed(model, settings, gpus)


@given(models, kinds)
def test_the_terms_add_up_to_what_is_expected(model: Any, kind: str) -> None:
    found = memory(read_training({**LORA, **KINDS[kind]}, model).training)
    assert sum(term.gib for term in found.terms) == pytest.approx(found.expected)
    assert all(term.gib > 0 for term in found.terms)
    assert found.low < found.allocated < found.expected < found.high


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"gradient_checkpointing": True}, "layers are worked out again"),
        ({"adapter": "qlora", "load_in_4bit": True}, "weights in 4 bits"),
        ({"optimizer": "adamw_bnb_8bit"}, "8-bit states"),
        ({"chunked_cross_entropy": True}, "the loss in parts"),
        ({"lora_target_linear": None, "lora_target_modules": ["q_proj"]}, "fewer layers"),
    ],
)
def test_what_saves_memory_is_seen_to_save_it(change: dict[str, Any], why: str) -> None:
    model = next(m for m in DENSE if m.id == "Qwen/Qwen3-8B")
    before = {"gradient_checkpointing": False, "lora_r": 256}
    assert needed(model, {**before, **change}) < needed(model, before), why


class TestMeasurements:
    """156 published measurements; the table by source is in the README."""

    def test_the_estimate_is_near_what_was_measured(self) -> None:
        errors = [abs(one.error) for one in compared()]
        assert len(errors) > 100
        assert statistics.median(errors) <= 0.08
        assert sum(error <= BAND for error in errors) / len(errors) >= 0.85

    def test_what_ran_out_of_memory_is_not_told_to_fit(self) -> None:
        rows = ran_out()
        assert rows
        for one in rows:
            assert one.row.capacity_gib is not None
            assert one.estimate.expected > one.row.capacity_gib

    def test_five_trainings_by_transformers_and_peft_alone_are_met_within_two_percent(self) -> None:
        exact = [one for one in compared() if "DaoyuanLi" in one.row["source"]]
        assert len(exact) == 5
        assert max(abs(one.error) for one in exact) < 0.02

    def test_no_row_is_compared_that_the_estimate_was_told_the_answer_of(self) -> None:
        """The measured figure plays no part in the training that is estimated."""
        rows = [one.row for one in compared()]
        blind = [replace(row, columns={**row.columns, "measured_gb_per_gpu": "1"}) for row in rows]
        assert [t for _, t in judged(rows)] == [t for _, t in judged(blind)]


def test_the_moments_differ() -> None:
    """A training is fullest where its kind says: logits, a layer, the optimizer's step."""
    model = next(m for m in DENSE if m.id == "Qwen/Qwen3-8B")
    lora = read_training(LORA, model).training

    def moment(**change: Any) -> str:
        return memory(replace(lora, **change)).moment

    assert moment() == "at the loss"
    assert moment(loss=Loss.FUSED) == "in the first layer of the way back"
    assert moment(eval_tokens=10**6) == "in an evaluation"
    assert moment(adapter=None, deepspeed=True) == "in the optimizer's step"


def test_offloaded_activations_stay_two_layers() -> None:
    model = next(m for m in DENSE if m.id == "Qwen/Qwen3-8B")
    training: Training = read_training(LORA, model).training
    kept = _term(memory(training), "activations")
    offloaded = replace(training, checkpointing=Checkpointing.OFFLOADED)
    assert _term(memory(offloaded), "activations") == pytest.approx(kept * 2 / model.layers)


def test_ddp_holds_gradients_twice_and_fsdp_a_layer_of_the_others() -> None:
    model = next(m for m in DENSE if m.id == "Qwen/Qwen3-8B")
    training = read_training(LORA, model, 4).training
    assert training.sharding is Sharding.NONE
    gradients, gathered = (_term(memory(training), name) for name in ("gradients", "gathered"))
    assert gathered == pytest.approx(gradients)


@pytest.mark.parametrize(("version", "bits"), [(1, 32), (2, 16)])
def test_fsdp2_leaves_weights_as_they_were_loaded(version: int, bits: int) -> None:
    settings = {**LORA, "adapter": None, **DIVIDED["FSDP2"], "fsdp_version": version}
    assert read_training(settings, DENSE[0], 4).training.weight_bits == bits


def test_fused_lora_code_runs_only_where_each_of_its_layers_has_an_adapter() -> None:
    model = next(m for m in DENSE if m.id == "Qwen/Qwen3-8B")

    def saved(*targets: str, **more: Any) -> float:
        chosen = {"lora_target_linear": None, "lora_target_modules": list(targets)}
        return saved_by_layer(read_training({**LORA, **chosen, **more}, model).training)

    off = {"lora_mlp_kernel": False}
    assert saved("q_proj", "v_proj") == saved("q_proj", "v_proj", **off)
    assert saved("q_proj", "k_proj", "v_proj") < saved("q_proj", "k_proj", "v_proj", **off)


@pytest.mark.parametrize("axolotl", VERSIONS)
def test_no_way_leads_to_a_config_that_is_an_error(axolotl: str) -> None:
    models = {model.id: model for model in DENSE}
    presets = [one for one in catalogue().presets if one.settings.get("base_model") in models]
    assert len(presets) > 20
    for preset in presets:
        model = models[preset.settings["base_model"]]
        for way in ways(preset.settings, model, max(preset.needs.gpus, 2)):
            text = dump(changed(preset.settings, way.keys))
            wrong = [one for one in check(text, axolotl=axolotl) if one.severity == "error"]
            assert not wrong, (preset.name, way.id, wrong)


def _term(found: Memory, name: str) -> float:
    return next(term.gib for term in found.terms if term.name == name)
