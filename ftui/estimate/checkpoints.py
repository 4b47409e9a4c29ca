"""The disk that the checkpoints of a training need, and what it leaves.

Measured with axolotl 0.19 and compared with `du` in tests/e2e/test_disk.py: adapters are 32-bit;
in a 16-bit full fine-tune only the embeddings are, unless flash attention needs them otherwise; an
optimizer keeps numbers as wide as the weights, or 8-bit ones with a scale for every 256.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftui import demo
from ftui.data.tokens import Receipt
from ftui.estimate.lora import lora_weights
from ftui.plan.models import BaseModel, known_models
from ftui.text import counted

_FULL = ("adamw_torch", "adamw_torch_fused", "paged_adamw_32bit")
_BNB = ("adamw_bnb_8bit", "adamw_8bit", "paged_adamw_8bit")
_TORCHAO = ("adamw_torch_8bit",)
_EIGHT_BIT = 2 * (1 + 4 / 256)
"""Bytes of two moments a weight."""
_TABLES = 2 << 10
"""Bytes that bitsandbytes keeps beside the moments of each matrix."""
_SMALL_FILES = 48 << 10
"""The scheduler, the random numbers, the arguments and the history."""
_BYTES_A_TOKEN = 90
"""Of tokenizer.json; 70 to 130 in the well-known ones, after a first thousand short tokens."""


@dataclass(frozen=True)
class Disk:
    """Bytes: of one checkpoint, of what is left as the result, and of all at the fullest moment."""

    checkpoint: int
    result: int
    peak: int


@dataclass(frozen=True)
class _Weights:
    """Bytes of the weights that are trained, and of what the optimizer keeps of them."""

    saved: float
    moments: float


def disk(settings: Mapping[str, Any], receipt: Receipt) -> Disk | None:
    """What a training with these axolotl settings writes; None where that isn't known for sure.

    That is so of an unknown base model or optimizer, and of FSDP and DeepSpeed, which write in
    ways of their own. transformers writes a checkpoint before it removes the oldest one.
    """
    base_model = demo.referred(str(settings.get("base_model")))
    model = next((one for one in known_models() if one.id == base_model), None)
    if model is None or any(settings.get(key) for key in ("fsdp_config", "fsdp", "deepspeed")):
        return None
    weights = _adapter(settings, model) if settings.get("adapter") else _whole(settings, model)
    if weights is None:
        return None
    tokenizer = max(model.vocabulary - 1_000, 0) * _BYTES_A_TOKEN
    moments = 0 if settings.get("save_only_model") else weights.moments
    result = round(weights.saved + tokenizer)
    checkpoint = round(result + moments + _SMALL_FILES)
    kept = receipt.checkpoints_kept
    written = min(receipt.checkpoints, kept + 1)
    return Disk(checkpoint, result, max(written * checkpoint, kept * checkpoint + result))


def _adapter(settings: Mapping[str, Any], model: BaseModel) -> _Weights | None:
    found = lora_weights(settings, model)
    if found is None or settings["adapter"] not in ("lora", "qlora"):
        return None
    numbers, matrices = found
    moments = _moments(settings, 0, numbers, 4, matrices)
    return None if moments is None else _Weights(4 * numbers, moments)


def _whole(settings: Mapping[str, Any], model: BaseModel) -> _Weights | None:
    if model.vision or model.mxfp4:
        return None
    embeddings = model.vocabulary * model.hidden * (1 if model.tied else 2)
    others = model.parameters - embeddings
    half = bool(settings.get("bf16") or settings.get("fp16"))
    attention = str(settings.get("attn_implementation") or "")
    narrow = half and ("flash" in attention or settings.get("cut_cross_entropy"))
    wide, width = (2 if narrow else 4), (2 if half else 4)
    moments = _moments(settings, embeddings * wide // 4, others, width, model.layers * 7)
    if moments is None:
        return None
    return _Weights(embeddings * wide + others * width, moments)


def _moments(
    settings: Mapping[str, Any], embeddings: int, others: int, width: int, matrices: int
) -> float | None:
    """Bytes of what the optimizer keeps; `width` are those of a weight.

    `embeddings` are counted as 32-bit numbers: transformers has bitsandbytes keep their moments so.
    """
    name = str(settings.get("optimizer") or "adamw_torch_fused")
    if name in _FULL:
        return 8 * embeddings + 2 * width * others
    if name in _BNB:
        return 8 * embeddings + _EIGHT_BIT * others + _TABLES * matrices
    if name in _TORCHAO:
        return _EIGHT_BIT * (embeddings + others)
    return 0.0 if name == "sgd" else None


def disk_words(needed: Disk, receipt: Receipt) -> str:
    """`2.5 GiB of disk: 4 checkpoints of 0.5 GiB, one more while the oldest goes, 0.2 GiB stay`."""
    left = receipt.checkpoints_kept
    kept = [f"{counted(left, 'checkpoint')} of {size_words(needed.checkpoint)}"] if left else []
    more = ["one more while the oldest goes"] if receipt.checkpoints > left else []
    parts = [*kept, *more, f"{size_words(needed.result)} for the result"]
    return f"{size_words(needed.peak)} of disk: {', '.join(parts)}"


def size_words(count: int) -> str:
    """Bytes in words: `0.5 GiB`."""
    gib = count / 2**30
    if gib < 0.1:
        return f"{count / 2**20:.1f} MiB"
    return f"{gib:.1f} GiB" if gib < 10 else f"{gib:,.0f} GiB"
