"""The weights that a LoRA adapter has: two small matrices beside every layer that it targets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ftui.plan.models import BaseModel


def lora_weights(settings: Mapping[str, Any], model: BaseModel) -> tuple[int, int] | None:
    """How many numbers an adapter has, and in how many matrices; None where that isn't known.

    Not known of experts and of linear attention, whose layers differ, and of what changes more
    than linear layers (lora_modules_to_save, DoRA).
    """
    rank = settings.get("lora_r")
    if model.experts or model.linear_attention or not isinstance(rank, int):
        return None
    if settings.get("lora_modules_to_save") or settings.get("peft_use_dora"):
        return None
    layers = dict(linear_layers(model))
    chosen = adapted_layers(settings, model)
    if not chosen or (model.vision and isinstance(chosen, list)):
        return None
    sizes = [sum(layers[name]) for name in chosen]
    return model.layers * rank * sum(sizes), model.layers * 2 * len(sizes)


def linear_layers(model: BaseModel) -> Iterator[tuple[str, tuple[int, int]]]:
    """The linear layers of one decoder layer, each with its width before and after."""
    hidden, mlp = model.hidden, model.mlp
    queries, keys = model.heads * model.head_size, model.kv_heads * model.head_size
    if model.decoder_layer == "Phi3DecoderLayer":
        yield "self_attn.qkv_proj", (hidden, queries + 2 * keys)
        yield "mlp.gate_up_proj", (hidden, 2 * mlp)
    else:
        yield "self_attn.q_proj", (hidden, queries)
        yield "self_attn.k_proj", (hidden, keys)
        yield "self_attn.v_proj", (hidden, keys)
        if model.mlp_matrices == 3:
            yield "mlp.gate_proj", (hidden, mlp)
        yield "mlp.up_proj", (hidden, mlp)
    yield "self_attn.o_proj", (queries, hidden)
    yield "mlp.down_proj", (mlp, hidden)


def adapted_layers(
    settings: Mapping[str, Any], model: BaseModel
) -> list[str] | tuple[str, ...] | None:
    """The names of the linear layers that have an adapter, as PEFT finds them.

    A tuple where a pattern names them, so that an image encoder stays out.
    """
    layers = dict(linear_layers(model))
    targets = settings.get("lora_target_modules")
    if isinstance(targets, str):
        try:
            pattern = re.compile(targets)
        except re.error:
            return None
        inside = "model.language_model.layers.0" if model.vision else "model.layers.0"
        return tuple(name for name in layers if pattern.fullmatch(f"{inside}.{name}"))
    if settings.get("lora_target_linear"):
        return list(layers)
    if not isinstance(targets, list):
        return None
    found = [name for name in layers if name.split(".")[-1] in targets]
    return found if len(found) == len(targets) else None
