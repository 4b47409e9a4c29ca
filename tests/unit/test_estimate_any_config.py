"""Whatever stands in a config or a config.json: an estimate, or the word that nobody can say."""

from __future__ import annotations

import contextlib
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ftui.estimate.architecture import CannotSay, read_config
from ftui.estimate.estimate import estimate
from ftui.estimate.fit import Fit
from ftui.plan.gpus import find
from ftui.plan.models import BaseModel, known_models

KEYS = (
    *("micro_batch_size", "sequence_len", "lora_r", "adapter", "gradient_accumulation_steps"),
    *("optimizer", "gradient_checkpointing", "bf16", "load_in_4bit", "load_in_8bit", "plugins"),
    *("deepspeed", "fsdp_config", "fsdp", "lora_target_modules", "lora_target_linear", "rl"),
    *("lora_modules_to_save", "bnb_config_kwargs", "sample_packing", "eval_batch_size"),
    *("val_set_size", "max_steps", "context_parallel_size", "attn_implementation"),
    *("lora_dropout", "activation_offloading", "torch_compile", "chunked_cross_entropy"),
)
SHAPE_KEYS = (
    *("model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "head_dim"),
    *("num_key_value_heads", "intermediate_size", "vocab_size", "tie_word_embeddings"),
    *("text_config", "layer_types", "num_experts"),
)
WORDS = ("lora", "qlora", "zero3.json", "dpo", "kto", "offload", "adamw_bnb_8bit", "eager", "llama")
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats()
    | st.sampled_from(WORDS)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from(KEYS), values, max_size=12),
    st.sampled_from(known_models()),
    st.integers(-3, 100),
    st.none() | st.integers(-5, 10**6),
)
def test_any_settings_have_an_estimate_or_none(
    settings: dict[str, Any], model: BaseModel, gpus: int, longest: int | None
) -> None:
    gpu = find("T4")
    try:
        found = estimate(settings, model, gpus, longest)
    except CannotSay:
        return
    assert 0 < found.memory.expected < math.inf
    assert isinstance(found.fit(gpu), Fit)
    for way in (*found.ways(), *found.ways_into(gpu)):
        assert way.memory.expected > 0
    speed = found.speed(gpu)
    assert speed is not None
    assert 0 < speed.low <= speed.high
    taken = found.duration(speed)
    assert taken is None or taken.low <= taken.high
    assert found.serving().expected > 0


@given(st.dictionaries(st.sampled_from(SHAPE_KEYS), values, max_size=12))
def test_any_config_json_has_a_shape_or_none(config: dict[str, Any]) -> None:
    with contextlib.suppress(CannotSay):
        assert read_config(config, "some/model").parameters > 0
