"""The facts in models.yaml agree with each other."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import ftui.demo
from ftui.plan.hardware import Hardware
from ftui.plan.models import BaseModel, LinearAttention, known_models
from ftui.plan.plan import Plan
from ftui.plan.presets import find
from ftui.plan.step_method import METHOD
from ftui.plan.step_model import MODEL
from ftui.plan.step_preset import begin
from ftui.plan.steps import World


def _counted(model: BaseModel) -> int:
    """Weights of a decoder, from the figures of its config."""
    embeddings = model.vocabulary * model.hidden * (1 if model.tied else 2)
    last_norm = model.hidden
    vision = model.vision.parameters if model.vision else 0
    return embeddings + _attention(model) + model.layers * _rest(model) + last_norm + vision


def _attention(model: BaseModel) -> int:
    """The attention of all layers, of either kind."""
    full = _full_attention(model)
    linear = model.linear_attention
    if linear is None:
        return model.layers * full
    full_layers = model.layers // linear.every
    return full_layers * full + (model.layers - full_layers) * _linear_attention(model, linear)


def _full_attention(model: BaseModel) -> int:
    queries = model.heads * model.head_size
    keys = model.kv_heads * model.head_size
    extra = _ATTENTION_EXTRAS.get(model.decoder_layer)
    return model.hidden * (2 * queries + 2 * keys) + (extra(model) if extra else 0)


def _head_norms(model: BaseModel) -> int:
    """A norm over each head of q and k."""
    return 2 * model.head_size


_ATTENTION_EXTRAS: Mapping[str, Callable[[BaseModel], int]] = {
    "Qwen3DecoderLayer": _head_norms,
    "Qwen3MoeDecoderLayer": _head_norms,
    "Gemma3DecoderLayer": _head_norms,
    # A gate as wide as the queries on what attention gives.
    "Qwen3_5DecoderLayer": lambda m: _head_norms(m) + m.hidden * m.heads * m.head_size,
    "Qwen3_5MoeDecoderLayer": lambda m: _head_norms(m) + m.hidden * m.heads * m.head_size,
    # Norms over all heads of q and k together.
    "Olmo2DecoderLayer": lambda m: (m.heads + m.kv_heads) * m.head_size,
    "Olmo3DecoderLayer": lambda m: (m.heads + m.kv_heads) * m.head_size,
    # Biases of q, k, v and o, and a sink for each head.
    "GptOssDecoderLayer": lambda m: (m.heads + 2 * m.kv_heads) * m.head_size + m.hidden + m.heads,
}


def _linear_attention(model: BaseModel, linear: LinearAttention) -> int:
    """A Gated DeltaNet layer: projections, its short convolution, decay, norm."""
    keys = linear.key_heads * linear.head_size
    values = linear.value_heads * linear.head_size
    projections = model.hidden * (2 * keys + 3 * values + 2 * linear.value_heads)
    convolution = (2 * keys + values) * linear.kernel
    decay = 2 * linear.value_heads
    return projections + convolution + decay + linear.head_size


def _rest(model: BaseModel) -> int:
    """A layer without its attention: the gated MLP or MLPs, and the norms."""
    norms = 2 * model.hidden
    if model.decoder_layer == "Gemma3DecoderLayer":  # before and after attention and MLP
        norms += 2 * model.hidden
    one = 3 * model.hidden * model.mlp
    experts = model.experts
    if experts is None:
        return norms + one
    router = model.hidden * experts.count
    if model.decoder_layer == "GptOssDecoderLayer":  # biases everywhere
        one += 2 * model.mlp + model.hidden
        router += experts.count
    shared = 3 * model.hidden * experts.shared_mlp
    shared_gate = model.hidden if experts.shared_mlp else 0
    return norms + experts.count * one + router + shared + shared_gate


@pytest.mark.parametrize("model", known_models(), ids=lambda model: model.id)
def test_the_parameters_are_what_the_architecture_adds_up_to(model: BaseModel) -> None:
    assert model.parameters == _counted(model)


def test_each_model_is_there_once_and_says_where_its_facts_come_from() -> None:
    models = known_models()
    assert len({model.id for model in models}) == len(models) >= 45
    assert len({model.title for model in models}) == len(models)
    assert all(model.source and model.licence for model in models)


def test_sizes_in_words() -> None:
    sizes = {model.id: model.size for model in known_models()}
    assert sizes["HuggingFaceTB/SmolLM2-135M-Instruct"] == "135M"
    assert sizes["NousResearch/Meta-Llama-3.1-8B-Instruct"] == "8.0B"


def test_nano_is_described_as_it_is() -> None:
    [nano] = [model for model in known_models() if model.id == "builtin:nano"]
    config = json.loads((Path(ftui.demo.__file__).parent / "nano" / "config.json").read_text())
    assert (nano.layers, nano.hidden, nano.heads, nano.kv_heads, nano.mlp, nano.vocabulary) == (
        config["num_hidden_layers"],
        config["hidden_size"],
        config["num_attention_heads"],
        config["num_key_value_heads"],
        config["intermediate_size"],
        config["vocab_size"],
    )


CPU = Hardware(cores=2, memory_gib=8.0)
WORLD = World(CPU, (), known_models(), ())


def _plan(preset: str) -> Plan:
    return begin(find(preset), CPU)


class TestAnotherModelInAPreset:
    def test_its_turns_end_as_they_do_in_it(self) -> None:
        gemma = MODEL.apply(_plan("qwen3-8b-qlora"), "google/gemma-3-1b-it", WORLD)
        assert gemma.settings["eot_tokens"] == ["<end_of_turn>"]
        assert "eot_tokens" not in MODEL.apply(gemma, "Qwen/Qwen3-4B", WORLD).settings

    def test_a_model_with_pictures_learns_in_its_language_model_only(self) -> None:
        plan = _plan("qwen3-8b-qlora")
        seeing = MODEL.apply(plan, "google/gemma-3-4b-it", WORLD)
        own = find("gemma3-4b-qlora").settings
        assert seeing.settings["lora_target_modules"] == own["lora_target_modules"]
        assert "lora_target_linear" not in seeing.settings
        blind = MODEL.apply(seeing, "Qwen/Qwen3-4B", WORLD)
        assert "lora_target_modules" not in blind.settings
        assert blind.settings["lora_target_linear"] is True

    def test_mistrals_own_tokenizer_has_the_template_in_it(self) -> None:
        plan = _plan("llama3-8b-lora")
        ministral = MODEL.apply(plan, "mistralai/Ministral-3-8B-Instruct-2512-BF16", WORLD)
        assert ministral.settings["tokenizer_use_mistral_common"] is True
        assert not {"chat_template", "special_tokens"} & set(ministral.settings)
        qwen = MODEL.apply(ministral, "Qwen/Qwen3-8B", WORLD)
        assert qwen.settings["chat_template"] == "qwen3"
        assert "tokenizer_use_mistral_common" not in qwen.settings

    def test_names_of_layers_that_a_person_wrote_stay(self) -> None:
        llama = MODEL.apply(_plan("codellama-7b-sql-lora"), "unsloth/Llama-3.2-1B-Instruct", WORLD)
        assert llama.settings["lora_target_modules"] == ["q_proj", "v_proj"]

    def test_fused_code_is_off_where_axolotl_has_none_for_it(self) -> None:
        phi = MODEL.apply(_plan("qwen3-8b-qlora"), "microsoft/phi-4", WORLD)
        assert phi.settings["lora_qkv_kernel"] is False
        assert "lora_qkv_kernel" not in MODEL.apply(phi, "Qwen/Qwen3-8B", WORLD).settings

    def test_what_only_its_own_model_needs_goes(self) -> None:
        plan = _plan("gpt-oss-20b-lora")
        other = MODEL.apply(plan, "Qwen/Qwen3-8B", WORLD)
        assert not any(key.startswith("model_quantization") for key in other.settings)
        assert MODEL.apply(other, "openai/gpt-oss-20b", WORLD).settings == plan.settings

    @pytest.mark.parametrize("preset", ["gemma3-4b-qlora", "qwen3-0.6b-full"])
    def test_there_and_back_again_after_another_method(self, preset: str) -> None:
        plan = _plan(preset)
        answer = "lora" if plan.get("adapter") is None else "full"
        changed = METHOD.apply(plan, answer, WORLD)
        there = MODEL.apply(changed, "Qwen/Qwen3-4B", WORLD)
        assert MODEL.apply(there, plan.settings["base_model"], WORLD).settings == changed.settings
