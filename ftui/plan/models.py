"""Facts about well-known base models, from presets/models.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ftui import paths
from ftui.plan.yaml_source import read


@dataclass(frozen=True)
class Experts:
    """A mixture of experts: every layer has many MLPs, and each token takes a few of them."""

    count: int
    """MLPs in each layer; the model's `mlp` is the width of one."""
    active: int
    """How many of them a token takes."""
    shared_mlp: int = 0
    """Width of one more MLP that every token takes; 0 = there is none."""


@dataclass(frozen=True)
class LinearAttention:
    """Layers with linear attention (Gated DeltaNet) between the ones with full attention."""

    every: int
    """Each layer whose number is a multiple of this one has full attention, the others linear."""
    key_heads: int
    value_heads: int
    head_size: int
    kernel: int
    """Tokens that the short convolution before it sees."""


@dataclass(frozen=True)
class Vision:
    """The image encoder of a model that reads pictures too; it stays as it is in our presets."""

    parameters: int
    """Its weights and those of the projection into the language model."""
    layers: int
    hidden: int
    heads: int
    mlp: int


@dataclass(frozen=True)
class BaseModel:
    """One base model: its architecture as its config.json has it, and how it may be used."""

    id: str
    """A hub id, or `builtin:nano`."""
    title: str
    parameters: int
    """All weights that transformers loads: embeddings (tied ones once), experts, image encoder."""
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    mlp: int
    """Width of the MLP (intermediate_size); in a mixture of experts, of one expert."""
    vocabulary: int
    tied: bool
    """Whether input and output embeddings are one."""
    decoder_layer: str
    """The class that FSDP wraps."""
    chat_template: str
    """axolotl's name of the template it speaks; `tokenizer_default` = its tokenizer has it."""
    gated: bool
    """Whether the hub asks for a login and an agreed licence."""
    licence: str
    source: str
    """Where these facts were read."""
    pad_token: str = ""
    """The padding token to name when the tokenizer has none."""
    end_of_turn: str = ""
    """The token that ends a turn, where that is not the one that ends a text (axolotl's
    eot_tokens); it must be learnt, or the model goes on and on."""
    lora_kernels: bool = True
    """Whether axolotl's fused LoRA code knows its attention. axolotl turns that on by itself on a
    GPU and stops with "Original QKV code not found" where it does not."""
    mlp_matrices: int = 3
    """Matrices of an MLP: three where one of them is a gate, as in Llama, two as in GPT."""
    norm: str = "rms"
    """`rms`, which transformers works out in 32 bits, or `layer`, torch's own."""
    mistral_common: bool = False
    """Whether its tokenizer is Mistral's own (tekken.json), which has the chat template in it:
    axolotl then takes no `chat_template` and no `special_tokens`."""
    attention: str = ""
    """The attention implementation that it must have, where it is not free to choose."""
    mxfp4: bool = False
    """Whether its weights come in 4-bit numbers (MXFP4), which cannot be trained: they are made
    16-bit while it loads, and QLoRA would have to make 4-bit ones of them again."""
    experts: Experts | None = None
    linear_attention: LinearAttention | None = None
    vision: Vision | None = None

    @property
    def size(self) -> str:
        """The parameters in words: `135M`, `8.0B`."""
        if self.parameters < 1e9:
            return f"{self.parameters / 1e6:.0f}M"
        return f"{self.parameters / 1e9:.1f}B"


@cache
def known_models() -> tuple[BaseModel, ...]:
    """Every base model in models.yaml, smallest first."""
    text = (paths.builtin_presets_dir() / "models.yaml").read_text(encoding="utf-8")
    models = (_model(facts) for facts in read(text).data)
    return tuple(sorted(models, key=lambda model: model.parameters))


def _model(facts: Mapping[str, Any]) -> BaseModel:
    parts = {"experts": Experts, "linear_attention": LinearAttention, "vision": Vision}
    built = {key: kind(**facts[key]) for key, kind in parts.items() if key in facts}
    return BaseModel(**{**facts, **built})
