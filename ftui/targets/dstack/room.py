"""Room that a training needs on each of its machines: on the disk, and in system memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftui.estimate.architecture import CannotSay
from ftui.runtimes.model_shape import find_shape

_IMAGE_GB = 60
"""axolotl's image, unpacked, and the data."""
_LEAST_DISK_GB, _LEAST_MEMORY_GB = 200, 16
"""Less is not asked for: machines have it anyway."""
_WEIGHT, _MOMENTS, _DEEPSPEED = 2, 4, 12
"""Bytes for each weight: itself in 16 bits, what Adam keeps of it, and what DeepSpeed does of it:
a 32-bit copy, and moments as wide."""
_USUAL_CHECKPOINTS = 4
"""axolotl keeps so many where a config says nothing."""
_SPARE = 1.25


@dataclass(frozen=True)
class Room:
    """In GB, as dstack counts them."""

    disk: int
    memory: int = 0
    """0 = whatever the machine has."""
    result: float = 0.0
    """What comes home."""


def room(config: Mapping[str, Any], gpus: int, gpu_memory_gib: float) -> Room:
    """What an axolotl config needs; by the GPUs' memory where nobody knows its base model.

    An adapter and its checkpoints are small beside the base model in the hub's cache. Asks no hub.
    """
    try:
        weights = find_shape(str(config.get("base_model")), hub=False).parameters / 1e9
    except CannotSay:
        return Room(max(_LEAST_DISK_GB, math.ceil(gpus * gpu_memory_gib)))
    base = _WEIGHT * weights
    result = 0.0 if config.get("adapter") else base
    checkpoint = _checkpoint(config, result)
    needed = _IMAGE_GB + base + result + _checkpoints(config) * checkpoint
    return Room(max(_LEAST_DISK_GB, _tens(needed)), _memory(config, gpus, base, checkpoint), result)


def _checkpoint(config: Mapping[str, Any], result: float) -> float:
    """One checkpoint, in GB."""
    states = _DEEPSPEED if config.get("deepspeed") else _MOMENTS
    return result * (1 if config.get("save_only_model") else 1 + states / _WEIGHT)


def _checkpoints(config: Mapping[str, Any]) -> int:
    """How many lie there at the fullest moment: the oldest goes once the newest is there."""
    kept = config.get("save_total_limit")
    most = (kept if isinstance(kept, int) else _USUAL_CHECKPOINTS) + 1
    saves, epochs = config.get("saves_per_epoch"), config.get("num_epochs", 1)
    if isinstance(saves, int) and isinstance(epochs, int | float):
        return min(most, math.ceil(saves * epochs))
    return most


def _memory(config: Mapping[str, Any], gpus: int, base: float, checkpoint: float) -> int:
    """System memory where several GPUs share a model with FSDP, and it is known what passes it:
    the weights as one process reads them, and the checkpoint that one of them gathers."""
    fsdp = config.get("fsdp_config")
    if gpus < 2 or not isinstance(fsdp, Mapping):
        return 0
    read = base if fsdp.get("cpu_ram_efficient_loading") is True else 0.0
    gathered = checkpoint if fsdp.get("state_dict_type") == "FULL_STATE_DICT" else 0.0
    needed = _SPARE * max(read, gathered)
    return math.ceil(needed) if needed >= _LEAST_MEMORY_GB else 0


def _tens(amount: float) -> int:
    return math.ceil(amount / 10) * 10
