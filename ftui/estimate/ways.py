"""What would make a training need less memory: one change each, the least harmful first."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ftui.estimate.architecture import CannotSay
from ftui.estimate.memory import Memory, memory
from ftui.estimate.reading import read_training, whole
from ftui.plan.models import BaseModel
from ftui.plan.sharing import fsdp2

Settings = Mapping[str, Any]
Keys = dict[str, Any]
"""Keys to set; None takes a key out."""

_SHORTEST = 256
_MOST_ROWS = 4096
_SMALLEST_RANK = 4
_LOSSES = ("cut_cross_entropy", "liger_cross_entropy", "liger_fused_linear_cross_entropy")
"""Keys for other ways to work out the loss."""


@dataclass(frozen=True)
class Way:
    """Changed keys, what they mean in words, and what the training needs with them alone."""

    id: str
    words: str
    costs: str
    """What a person gives for it."""
    keys: Mapping[str, Any]
    memory: Memory

    @property
    def yaml(self) -> str:
        """The keys as they would stand in a config: `micro_batch_size: 1, sequence_len: 2048`."""
        return ", ".join(f"{key}: {_plain(value)}" for key, value in self.keys.items())


def _plain(value: Any) -> str:
    """A value as YAML has it, in one line."""
    return json.dumps(value) if not isinstance(value, str) else value


def ways(
    settings: Settings, model: BaseModel, gpus: int = 1, longest: int | None = None
) -> tuple[Way, ...]:
    """Every single change that makes this training need less, the least harmful first.

    Raises CannotSay as `read_training` does.
    """
    now = memory(read_training(settings, model, gpus, longest).training).expected
    found = []
    for name, words, costs, change in _CHANGES:
        keys = change(settings, gpus)
        if keys is None:
            continue
        try:
            reading = read_training(changed(settings, keys), model, gpus, longest)
        except CannotSay:
            continue
        needed = memory(reading.training)
        if needed.expected < now:
            found.append(Way(name, words, costs, keys, needed))
    return tuple(found)


def together(
    settings: Settings,
    model: BaseModel,
    fits: Callable[[Memory], bool],
    gpus: int = 1,
    longest: int | None = None,
) -> tuple[Way, ...]:
    """The first change with which it fits; else one after the other until it does; empty: none.

    The least harmful come first. The memory of each is that with the ones before it.
    """
    for way in ways(settings, model, gpus, longest):
        if fits(way.memory):
            return (way,)
    taken: list[Way] = []
    after = settings
    while not (taken and fits(taken[-1].memory)):
        left = ways(after, model, gpus, longest)
        if not left or len(taken) > 2 * len(_CHANGES):
            return ()
        taken.append(left[0])
        after = changed(after, left[0].keys)
    return _needed(settings, model, taken, fits, gpus, longest)


def _needed(
    settings: Settings,
    model: BaseModel,
    taken: Sequence[Way],
    fits: Callable[[Memory], bool],
    gpus: int,
    longest: int | None,
) -> tuple[Way, ...]:
    """Those of the changes that a later one did not make useless, with their memory anew."""

    def one_after_the_other(some: Sequence[Way]) -> tuple[Way, ...]:
        after, found = settings, []
        for way in some:
            after = changed(after, way.keys)
            needed = memory(read_training(after, model, gpus, longest).training)
            found.append(replace(way, memory=needed))
        return tuple(found)

    kept = one_after_the_other(taken)
    for way in taken:
        with contextlib.suppress(CannotSay):  # the others stand on it
            fewer = one_after_the_other([each for each in kept if each.keys is not way.keys])
            kept = fewer if fewer and fits(fewer[-1].memory) else kept
    return kept


def changed(settings: Settings, keys: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with some keys set, and those that are None taken out."""
    new = copy.deepcopy(dict(settings))
    for key, value in keys.items():
        if value is None:
            new.pop(key, None)
        else:
            new[key] = value
    return new


def _divide(settings: Settings, gpus: int) -> Keys | None:
    if gpus < 2 or any(settings.get(key) for key in ("fsdp_config", "fsdp", "deepspeed")):
        return None
    if settings.get("rl") and (settings.get("load_in_4bit") or settings.get("load_in_8bit")):
        return None  # axolotl refuses these three together
    return fsdp2(settings)


def _checkpoint(settings: Settings, gpus: int) -> Keys | None:
    return None if settings.get("gradient_checkpointing") else {"gradient_checkpointing": True}


def _chunk(settings: Settings, gpus: int) -> Keys | None:
    other = any(settings.get(key) for key in _LOSSES)  # axolotl takes one of them
    return None if other or settings.get("rl") else {"chunked_cross_entropy": True}


def _fewer_rows(settings: Settings, gpus: int) -> Keys | None:
    rows = settings.get("micro_batch_size")
    if not isinstance(rows, int) or not 2 <= rows <= _MOST_ROWS:
        return None
    more = rows * whole(settings, "gradient_accumulation_steps", 1)
    smaller = max(each for each in range(1, rows) if rows % each == 0)
    return {"micro_batch_size": smaller, "gradient_accumulation_steps": more // smaller}


def _small_optimizer(settings: Settings, gpus: int) -> Keys | None:
    name = str(settings.get("optimizer") or "adamw")
    if not name.startswith("adamw") or "8bit" in name or "4bit" in name:
        return None  # another optimizer needs another learning rate
    divided = any(settings.get(key) for key in ("fsdp_config", "fsdp"))
    if settings.get("deepspeed"):
        return None
    return {"optimizer": "adamw_torch_8bit" if divided else "adamw_bnb_8bit"}


def _four_bits(settings: Settings, gpus: int) -> Keys | None:
    if settings.get("adapter") != "lora" or settings.get("load_in_4bit"):
        return None
    keys: Keys = {"adapter": "qlora", "load_in_4bit": True, "load_in_8bit": None}
    fsdp = settings.get("fsdp_config")
    if not fsdp:
        return keys
    if settings.get("rl"):
        return None  # axolotl refuses FSDP2 with a preference training and 4-bit weights
    if isinstance(fsdp, Mapping) and fsdp.get("cpu_ram_efficient_loading"):
        keys["fsdp_config"] = {**fsdp, "cpu_ram_efficient_loading": False}  # it refuses this, too
    return keys


def _adapter(settings: Settings, gpus: int) -> Keys | None:
    if settings.get("adapter"):
        return None
    return {
        "adapter": "lora",
        "lora_r": 32,
        "lora_alpha": 64,
        "lora_target_linear": True,
        "learning_rate": 0.0002,
    }


def _offload(settings: Settings, gpus: int) -> Keys | None:
    if settings.get("activation_offloading") or settings.get("gradient_checkpointing") == "offload":
        return None
    return {"gradient_checkpointing": True, "activation_offloading": True}


def _shorter(settings: Settings, gpus: int) -> Keys | None:
    length = settings.get("sequence_len")
    if not isinstance(length, int) or length // 2 < _SHORTEST:
        return None
    return {"sequence_len": length // 2}


def _lower_rank(settings: Settings, gpus: int) -> Keys | None:
    rank = settings.get("lora_r")
    if not settings.get("adapter") or not isinstance(rank, int) or rank // 2 < _SMALLEST_RANK:
        return None
    return {"lora_r": rank // 2}


NEEDS_GPU = ("optimizer", "divide", "offload")
"""Ids of the changes that work on a GPU alone."""
_CHANGES: tuple[tuple[str, str, str, Callable[[Settings, int], Keys | None]], ...] = (
    ("checkpointing", "gradient checkpointing", "about a third slower", _checkpoint),
    ("rows", "a smaller micro-batch", "the same result; a little slower", _fewer_rows),
    ("chunks", "the loss in parts", "the same result", _chunk),
    ("optimizer", "an 8-bit optimizer", "next to nothing", _small_optimizer),
    ("divide", "divide it over the GPUs (FSDP2)", "more traffic between them", _divide),
    ("four bits", "QLoRA: weights in 4 bits", "slower; a little less exact", _four_bits),
    ("offload", "activations wait in system memory", "slower; much system memory", _offload),
    ("rank", "half the rank", "learns less", _lower_rank),
    ("adapter", "LoRA instead of every weight", "a small adapter learns", _adapter),
    ("length", "half the sequence length", "longer rows are left out", _shorter),
)
