"""The shape of a model from its config.json, as Hugging Face writes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ftui.errors import ExitCode, FtuiError
from ftui.estimate.lora import linear_layers
from ftui.plan.models import BaseModel

_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
_HYBRID_KEYS = ("ssm_cfg", "mamba_d_state", "linear_num_value_heads", "linear_attn_config")
_HYBRID_LAYERS = ("mamba", "linear_attention", "recurrent", "conv", "hybrid")
_TWO_MATRICES = ("gpt_neox", "phi", "falcon", "gpt2", "bloom", "starcoder2", "opt", "gptj", "mpt")
_LAYER_NORM = (*_TWO_MATRICES, "stablelm", "cohere", "cohere2")
_TIED = ("gemma", "gemma2", "gemma3", "gemma3_text", "gpt2", "falcon", "bloom", "cohere", "cohere2")
"""Families whose config leaves out that input and output embeddings are one."""
_DECODER_LAYERS = {
    "qwen2": "Qwen2DecoderLayer",
    "qwen3": "Qwen3DecoderLayer",
    "phi3": "Phi3DecoderLayer",
    "gemma": "GemmaDecoderLayer",
    "gemma2": "Gemma2DecoderLayer",
    "gemma3": "Gemma3DecoderLayer",
    "gemma3_text": "Gemma3DecoderLayer",
    "olmo2": "Olmo2DecoderLayer",
    "olmo3": "Olmo3DecoderLayer",
    "mistral": "MistralDecoderLayer",
}
_OTHER_NAMES = {
    "hidden_size": ("n_embd", "d_model"),
    "num_hidden_layers": ("n_layer", "num_layers", "n_layers"),
    "num_attention_heads": ("n_head", "num_heads", "n_heads"),
    "intermediate_size": ("n_inner", "ffn_hidden_size", "ffn_dim"),
}
_GENERATES = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")
_ENCODERS = ("bert", "roberta", "distilbert", "deberta", "deberta-v2", "electra", "modernbert")
_LARGEST = 1 << 24
"""No dimension of a model is as large as this; one that is, is a slip."""


class CannotSay(FtuiError):
    """The estimate does not know this kind of model, or not enough about it."""

    exit_code = ExitCode.UNAVAILABLE


def read_config(config: Mapping[str, Any], name: str) -> BaseModel:
    """The dense decoder that a config.json describes.

    `name` is where it was found. Raises CannotSay for a mixture of experts, a hybrid, an encoder,
    and for a config without the usual keys.
    """
    text = config.get("text_config")
    if isinstance(text, Mapping):
        config = {**text, "tie_word_embeddings": _tied(config) or _tied(text)}
    _refuse_others(config, name)
    family = str(config.get("model_type") or "")
    hidden = _size(config, "hidden_size", name)
    heads = _size(config, "num_attention_heads", name)
    model = BaseModel(
        id=name,
        title=name,
        parameters=0,
        layers=_size(config, "num_hidden_layers", name),
        hidden=hidden,
        heads=heads,
        kv_heads=_kv_heads(config, heads, name),
        head_size=_given(config, "head_dim") or hidden // heads,
        mlp=_mlp(config, family, hidden, name),
        vocabulary=_size(config, "vocab_size", name),
        tied=_tied(config),
        decoder_layer=_DECODER_LAYERS.get(family, "LlamaDecoderLayer"),
        chat_template="tokenizer_default",
        gated=False,
        licence="",
        source=name,
        mlp_matrices=2 if family in _TWO_MATRICES else 3,
        norm="layer" if family in _LAYER_NORM else "rms",
    )
    return counted(model)


def counted(model: BaseModel) -> BaseModel:
    """The same with its linear layers and embeddings counted; norms and biases are next to none."""
    linear = sum(before * after for _, (before, after) in linear_layers(model))
    embeddings = model.vocabulary * model.hidden * (1 if model.tied else 2)
    return dataclasses.replace(model, parameters=model.layers * linear + embeddings)


def _refuse_others(config: Mapping[str, Any], name: str) -> None:
    why = "ftui's estimate is for dense decoders, as Llama, Qwen, Mistral and Gemma are"
    experts = [key for key in _EXPERTS if (_given(config, key) or 0) > 1]
    if experts:
        count = config[experts[0]]
        raise CannotSay(f"{name} is a mixture of {count} experts ({experts[0]})", why=why)
    kinds = config.get("layer_types") or config.get("layers_block_type") or ()
    mixed = {str(kind) for kind in kinds} if isinstance(kinds, list | tuple) else set()
    hybrid = [kind for kind in mixed if kind.startswith(_HYBRID_LAYERS)]
    hybrid += [key for key in _HYBRID_KEYS if config.get(key)]
    if hybrid:
        raise CannotSay(f"{name} is a hybrid: it has layers of another kind ({hybrid[0]})", why=why)
    if config.get("is_encoder_decoder"):
        raise CannotSay(f"{name} is an encoder with a decoder", why=why)
    named = config.get("architectures")
    made_for = [str(each) for each in named] if isinstance(named, list) else []
    if made_for and not any(each.endswith(_GENERATES) for each in made_for):
        raise CannotSay(f"{name} writes no text: it is a {made_for[0]}", why=why)
    if config.get("model_type") in _ENCODERS:
        raise CannotSay(f"{name} writes no text: it is an encoder", why=why)


def _given(config: Mapping[str, Any], key: str) -> int | None:
    """A whole number of a sensible size, by the usual key or one of its older names."""
    for each in (key, *_OTHER_NAMES.get(key, ())):
        value = config.get(each)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LARGEST:
            return value
    return None


def _size(config: Mapping[str, Any], key: str, name: str) -> int:
    found = _given(config, key)
    if found is None:
        told = f"{key} is {config[key]!r}" if key in config else f"it has no {key}"
        raise CannotSay(
            f"the config.json of {name} does not tell its shape",
            why=f"{told}; it has to be a whole number from 1 to {_LARGEST - 1:,}",
        )
    return found


def _kv_heads(config: Mapping[str, Any], heads: int, name: str) -> int:
    if config.get("multi_query") and not config.get("new_decoder_architecture"):
        return 1
    found = _given(config, "num_key_value_heads") or _given(config, "num_kv_heads") or heads
    if heads % found:
        raise CannotSay(
            f"the config.json of {name} does not tell its shape",
            why=f"{heads} heads cannot share {found} heads of keys and values",
        )
    return found


def _mlp(config: Mapping[str, Any], family: str, hidden: int, name: str) -> int:
    if family in _TWO_MATRICES and _given(config, "intermediate_size") is None:
        return 4 * hidden
    return _size(config, "intermediate_size", name)


def _tied(config: Mapping[str, Any]) -> bool:
    tied = config.get("tie_word_embeddings")
    return config.get("model_type") in _TIED if tied is None else bool(tied)
