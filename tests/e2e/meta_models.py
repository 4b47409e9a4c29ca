"""Runs inside the train runtime: what transformers and axolotl make of the facts in models.yaml.

In:  the models of models.yaml as a JSON list, on stdin
Out: last line, one JSON object: id -> {"parameters", "vision", "decoder_layers", "lora_kernels"}

Every model is built on torch's meta device: nothing is allocated, nothing is downloaded.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

import torch
from axolotl.monkeypatch.lora_kernels import patch_self_attn_lora
from axolotl.utils.dict import DictDefault
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

_TYPES = {
    "LlamaDecoderLayer": "llama",
    "SmolLM3DecoderLayer": "smollm3",
    "MistralDecoderLayer": "mistral",
    "MixtralDecoderLayer": "mixtral",
    "Ministral3DecoderLayer": "ministral3",
    "Qwen3DecoderLayer": "qwen3",
    "Qwen3MoeDecoderLayer": "qwen3_moe",
    "Qwen3_5DecoderLayer": "qwen3_5",
    "Qwen3_5MoeDecoderLayer": "qwen3_5_moe",
    "Gemma3DecoderLayer": "gemma3",
    "Phi3DecoderLayer": "phi3",
    "GraniteDecoderLayer": "granite",
    "Olmo2DecoderLayer": "olmo2",
    "Olmo3DecoderLayer": "olmo3",
    "GptOssDecoderLayer": "gpt_oss",
}
"""transformers' model_type by decoder layer."""
_VISION = ("vision", "visual", "multi_modal_projector")
"""What the names of an image encoder's weights have in them."""


def _text(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The config of the language model."""
    config = {
        "vocab_size": facts["vocabulary"],
        "hidden_size": facts["hidden"],
        "num_hidden_layers": facts["layers"],
        "num_attention_heads": facts["heads"],
        "num_key_value_heads": facts["kv_heads"],
        "head_dim": facts["head_size"],
        "intermediate_size": facts["mlp"],
        "tie_word_embeddings": facts["tied"],
        "pad_token_id": 0,
    }
    if experts := facts["experts"]:
        config |= {
            "num_experts_per_tok": experts["active"],
            "num_local_experts": experts["count"],
            "num_experts": experts["count"],
            "moe_intermediate_size": facts["mlp"],
            "shared_expert_intermediate_size": experts["shared_mlp"],
        }
    if linear := facts["linear_attention"]:
        config |= {
            "full_attention_interval": linear["every"],
            "linear_num_key_heads": linear["key_heads"],
            "linear_num_value_heads": linear["value_heads"],
            "linear_key_head_dim": linear["head_size"],
            "linear_value_head_dim": linear["head_size"],
            "linear_conv_kernel_dim": linear["kernel"],
        }
    return config


def _config(facts: Mapping[str, Any]) -> Any:
    kind = _TYPES[facts["decoder_layer"]]
    text = _text(facts)
    vision = facts["vision"]
    if vision is None:
        return AutoConfig.for_model("gemma3_text" if kind == "gemma3" else kind, **text)
    encoder = {
        "num_hidden_layers": vision["layers"],
        "hidden_size": vision["hidden"],
        "num_attention_heads": vision["heads"],
        "intermediate_size": vision["mlp"],
    }
    if kind == "gemma3":
        encoder |= {"patch_size": 14, "image_size": 896, "vision_use_head": False}
    elif kind == "ministral3":
        encoder |= {"model_type": "pixtral", "patch_size": 14, "head_dim": 64}
        text["model_type"], kind = kind, "mistral3"
    else:  # Qwen3.5 has names of its own
        encoder = {
            "depth": vision["layers"],
            "hidden_size": vision["hidden"],
            "num_heads": vision["heads"],
            "intermediate_size": vision["mlp"],
            "out_hidden_size": facts["hidden"],
        }
    return AutoConfig.for_model(
        kind, text_config=text, vision_config=encoder, tie_word_embeddings=facts["tied"]
    )


_lora_kernels: dict[str, bool] = {}
"""By model_type: axolotl takes an attention class that it failed on for one that is done."""


def _has_lora_kernels(config: Any) -> bool:
    """Whether axolotl can put its fused LoRA code into the attention of such a model."""
    kind = config.model_type
    if kind not in _lora_kernels:
        with tempfile.TemporaryDirectory() as folder:
            config.save_pretrained(folder)
            try:
                patch_self_attn_lora(DictDefault(base_model=folder))
                _lora_kernels[kind] = True
            except (AssertionError, ValueError):  # 0.19 and 0.21 say it in their own way
                _lora_kernels[kind] = False
    return _lora_kernels[kind]


def _count(facts: Mapping[str, Any]) -> dict[str, Any]:
    config = _config(facts)
    loader = AutoModelForImageTextToText if facts["vision"] else AutoModelForCausalLM
    with torch.device("meta"):
        model = loader.from_config(config)
    model.tie_weights()
    weights = dict(model.named_parameters())  # tied ones once
    vision = [size for name, size in weights.items() if any(mark in name for mark in _VISION)]
    names = {type(module).__name__ for module in model.modules()}
    return {
        "parameters": sum(weight.numel() for weight in weights.values()),
        "vision": sum(weight.numel() for weight in vision),
        "decoder_layers": sorted(name for name in names if name.endswith("DecoderLayer")),
        "lora_kernels": _has_lora_kernels(config),
    }


if __name__ == "__main__":
    print(json.dumps({facts["id"]: _count(facts) for facts in json.load(sys.stdin)}))
