"""A training as its memory sees it: what is held, how wide it is, and how much goes through it.

Everything here is a number or a plain fact; `read_training` reads them off an axolotl config the
way axolotl 0.19 and 0.21 act on it. Trainings by other programs (tests/measured) are described with
the same words and compared with the memory that was measured there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from ftui.plan.models import BaseModel

WIDE, HALF = 4, 2
"""Bytes of a 32-bit and of a 16-bit number."""


class Checkpointing(Enum):
    """What is kept of the layers for the backward pass (gradient checkpointing)."""

    NONE = "none"
    """All that backward needs, of every layer."""
    LAYERS = "layers"
    """What goes into each layer; the layer is worked out again when its turn comes."""
    OFFLOADED = "offloaded"
    """The same, kept in system memory. With an adapter axolotl works nothing out again: all that
    backward needs waits there."""


class Loss(Enum):
    """How the loss is worked out from the last hidden state."""

    STOCK = "stock"
    """All logits at once, as 32-bit numbers."""
    CHUNKED = "chunked"
    """All logits as 16-bit numbers; widened an eighth at a time (torchtune, axolotl)."""
    FUSED = "fused"
    """The logits never exist at once (cut cross-entropy, Liger's fused linear one)."""


class Sharding(Enum):
    """What several GPUs divide among themselves; each level divides all of the ones before it."""

    NONE = "every GPU holds everything"
    OPTIMIZER = "optimizer states are divided (ZeRO-1)"
    GRADIENTS = "optimizer states and gradients are divided (ZeRO-2)"
    WEIGHTS = "weights, gradients and optimizer states are divided (FSDP2, ZeRO-3)"


@dataclass(frozen=True)
class Adapter:
    """LoRA: two matrices of a rank beside each chosen linear layer."""

    rank: int
    layers: tuple[str, ...]
    """Names of the linear layers in one decoder layer, as `linear_layers` gives them."""
    width: int = WIDE
    """Bytes of a number; PEFT makes adapters 32-bit."""
    dropout: bool = False
    kernels: bool = False
    """Whether axolotl's fused LoRA code runs, which keeps less for the backward pass."""


@dataclass(frozen=True)
class Optimizer:
    """What an optimizer keeps."""

    states: float = 2.0
    """Numbers that it keeps of each trained one."""
    bits: int = 0
    """8 or 4 for quantised states; 0: as wide as the weight."""
    paged: bool = False
    """Whether its states may move to system memory; torch does not count them as its own."""
    fused: bool = True
    """Whether a step needs no second copy of what is trained; torch's plain loop does."""


@dataclass(frozen=True)
class Habits:
    """What programs do differently with the same training. The defaults are axolotl's."""

    logit_bytes: float = 12.0
    """Bytes of each logit at the stock loss's worst moment; see `logits` in memory.py."""
    wide_output: bool = True
    """Whether the model's output is made 32-bit, as accelerate does it."""
    four_bit_input_bytes: int = 0
    """Bytes kept of each number that enters a 4-bit layer; bitsandbytes kept them before 0.44."""
    narrow_norms: bool = False
    """Whether norms keep their 16-bit input, as fused ones do, instead of a 32-bit one."""
    narrow_mlp: bool = False
    """Whether activation functions are worked out again instead of kept (Liger, torch.compile)."""
    gradients_kept: bool = True
    """Not where the optimizer acts inside the backward pass (torchtune)."""
    mask_bytes: int = 1
    """Bytes of dropout's mask a number."""
    shared_inputs: bool = False
    """Whether q, k and v have one adapter input together (litgpt); in PEFT each has its own."""


@dataclass(frozen=True)
class Training:
    """One training on one or more GPUs; see the module."""

    model: BaseModel
    tokens: int
    """Of one micro-batch on one GPU, padding too."""
    keys: int
    """The longest sequence that attention sees, in tokens."""
    weight_bits: int = 16
    """Of the decoder's linear layers: 32, 16, 8 or 4."""
    four_bit_overhead: float = 1 / 64 + 4 / (64 * 256)
    """Bytes of the scales of 4-bit weights a weight; the default is nf4 with double quantisation:
    an 8-bit one for every 64, and a 32-bit one for 256 of these (QLoRA, arXiv 2305.14314)."""
    embedding_width: int = HALF
    """Bytes of a number of both embeddings."""
    hidden_width: int = HALF
    """Bytes of a number of the residual stream."""
    adapter: Adapter | None = None
    """None: a full fine-tune."""
    saved_modules: float = 0.0
    """Numbers of whole modules that are trained beside an adapter (lora_modules_to_save)."""
    has_reference: bool = False
    """Whether a second model stays as it is beside the trained one (full DPO, IPO and KTO)."""
    checkpointing: Checkpointing = Checkpointing.NONE
    loss: Loss = Loss.STOCK
    eager_attention: bool = False
    """Whether attention keeps the scores of every pair of tokens."""
    repeated_keys: bool = False
    """Whether sdpa copies keys and values for every query head, as transformers has it with a mask;
    eager attention always does."""
    optimizer: Optimizer = Optimizer()
    accumulation: int = 1
    """Micro-batches a step; with more than one, gradients are there all the time."""
    gpus: int = 1
    sharding: Sharding = Sharding.NONE
    offloaded: bool = False
    """Whether what is divided waits in system memory (FSDP's and DeepSpeed's offload)."""
    deepspeed: bool = False
    """Whether a full fine-tune keeps 32-bit copies of its 16-bit weights, as DeepSpeed does."""
    eval_tokens: int = 0
    """Of one batch in an evaluation; 0: none, or as many as in training."""
    habits: Habits = field(default_factory=Habits)
