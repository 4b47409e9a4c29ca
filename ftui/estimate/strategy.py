"""How several GPUs share a training, and why so."""

from __future__ import annotations

from dataclasses import dataclass

from ftui.estimate.fit import Fit, fits
from ftui.estimate.memory import Memory
from ftui.estimate.training import Sharding, Training
from ftui.plan.hardware import Gpu


@dataclass(frozen=True)
class Strategy:
    """A name of the field, and why it is so."""

    name: str
    why: str


def strategy(training: Training, memory: Memory, gpu: Gpu | None = None) -> Strategy:
    """How the config shares the work; with a GPU, whether that fits it."""
    if training.sharding is not Sharding.NONE:
        by = "DeepSpeed" if training.deepspeed else "FSDP2 or ZeRO"
        return Strategy(by, training.sharding.value)
    if training.gpus == 1:
        return Strategy("one GPU", "nothing is shared")
    if gpu is not None and fits(memory, gpu) is Fit.NO:
        return Strategy("DDP", f"every GPU holds everything, and {gpu.name} has no room for it")
    return Strategy("DDP", "every GPU holds everything: the fastest, where it fits")
