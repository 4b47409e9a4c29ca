"""What one decoder layer keeps for its backward pass, in bytes a token.

Measured by counting what torch holds after the forward pass of transformers 5.16 and PEFT 0.20
models of two sizes (tests/measured/inside.py; torch 2.13, bf16 under autocast). In units of the
hidden width h, the width of the queries q, of keys or values k, and of the MLP m, all of them agree
with the sum below to within 1 %.

    norm    frozen: its input as 32-bit numbers, 4 a number. Trained: 2 more for what is multiplied
            by the weight (4 more in Gemma and OLMo, which multiply in 32 bits).
    attend  queries, keys, values and the result, 16-bit. Eager attention: keys and values of every
            query head, and 6 more for every head and key.
    mlp     gate, its activation and up, 2 m each; trained or adapted below: their product too.
    linear  trained: its input, shared by layers that read the same. Adapted: its input, each.
"""

from __future__ import annotations

from ftui.estimate.lora import linear_layers
from ftui.estimate.training import HALF, WIDE, Adapter, Training
from ftui.plan.models import BaseModel

_MORE_NORMS = ("Gemma2DecoderLayer", "Gemma3DecoderLayer", "Gemma4DecoderLayer")
"""Decoder layers with a norm after attention and MLP as well as before: four instead of two."""
_QUERY_NORMS = ("Qwen3", "Olmo2", "Olmo3", "Gemma3", "Gemma4")
"""Decoder layers with norms on queries and keys."""

_WIDE_NORMS = ("Gemma", "Olmo")
"""Decoder layers whose norms multiply by their weight in 32 bits."""
_FUSED = (("q_proj", "k_proj", "v_proj"), ("o_proj",), ("gate_proj", "up_proj", "down_proj"))
"""Linear layers that axolotl's fused LoRA code runs together: only where each has an adapter."""


def saved_by_layer(training: Training) -> float:
    """Bytes that backward needs of one layer for one token, without gradient checkpointing."""
    layer = _norms(training) + _attention(training) + _mlp(training)
    adapter = training.adapter
    layer += _linear_inputs(training.model) if adapter is None else _adapted(training, adapter)
    if training.weight_bits == 4 and training.habits.four_bit_input_bytes:
        model = training.model
        entering = 2 * model.hidden + queries(model) + model.mlp
        layer += training.habits.four_bit_input_bytes * entering
    return layer


def passing_through(model: BaseModel) -> float:
    """Bytes of the gradients inside one layer while it goes backward, a token.

    The three of the MLP and six as wide as the hidden state, 16-bit (measured as above).
    """
    return HALF * (3 * model.mlp + 6 * model.hidden)


def queries(model: BaseModel) -> int:
    """Width of all queries together."""
    return model.heads * model.head_size


def keys(model: BaseModel) -> int:
    """Width of all keys, or all values, together."""
    return model.kv_heads * model.head_size


def _norms(training: Training) -> float:
    model = training.model
    numbers = (4 if model.decoder_layer in _MORE_NORMS else 2) * model.hidden
    if model.decoder_layer.startswith(_QUERY_NORMS):
        numbers += queries(model) + keys(model)
    if training.habits.narrow_norms or model.norm == "layer":
        return HALF * numbers
    if training.adapter is not None:
        return WIDE * numbers
    return (8 if model.decoder_layer.startswith(_WIDE_NORMS) else 6) * numbers


def _attention(training: Training) -> float:
    model = training.model
    repeated = training.repeated_keys or training.eager_attention
    keys_and_values = 2 * (queries(model) if repeated else keys(model))
    kept = HALF * (2 * queries(model) + keys_and_values)
    return kept + (6 * model.heads * training.keys if training.eager_attention else 0)


def _mlp(training: Training) -> float:
    model, adapter = training.model, training.adapter
    gated = model.mlp_matrices == 3
    if adapter is not None and "down_proj" in _fused(adapter):
        return 2 * HALF * model.mlp
    inner = 3 if gated else 1
    if training.habits.narrow_mlp and gated:
        inner -= 1
    down_is_trained = adapter is None
    return HALF * model.mlp * (inner + down_is_trained)


def _linear_inputs(model: BaseModel) -> float:
    """Of q, k, v together and of the MLP's first matrices; o's input is attention's result."""
    return HALF * 2 * model.hidden


def _adapted(training: Training, adapter: Adapter) -> float:
    sizes = dict(linear_layers(training.model))
    fused = _fused(adapter)
    each = HALF + (training.habits.mask_bytes if adapter.dropout else 0)
    # One input for q, k and v, one for the MLP, and each again where dropout makes another of it;
    # o reads attention's result.
    inputs = HALF + (each if adapter.dropout else 0)
    kept = inputs * training.model.hidden * (("q_proj" in fused) + ("gate_proj" in fused))
    names = [name for name in adapter.layers if _part(name) not in fused]
    if training.habits.shared_inputs:
        names = list({_reads(name): name for name in names}.values())
    return kept + sum(each * sizes[name][0] for name in names)


def _fused(adapter: Adapter) -> set[str]:
    """The linear layers that axolotl's fused LoRA code runs."""
    names = {_part(name) for name in adapter.layers} if adapter.kernels else set()
    return {part for group in _FUSED if names.issuperset(group) for part in group}


def _part(name: str) -> str:
    return name.rpartition(".")[2]


def _reads(name: str) -> str:
    """What a linear layer reads, by a name of it: q, k and v read the same, gate and up too."""
    part = _part(name)
    return {"k_proj": "q_proj", "v_proj": "q_proj", "up_proj": "gate_proj"}.get(part, part)
