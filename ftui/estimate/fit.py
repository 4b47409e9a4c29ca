"""Whether a training fits a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ftui.estimate.memory import CONTEXT_GIB, Memory
from ftui.plan.hardware import Gpu
from ftui.plan.offer import Offer

_TOLD = 0.985
"""The part of a GPU's memory that CUDA gives to programs: 39.4 GiB of an A100's 40, 22.0 to 22.2 of
an A10G's 22.5, 79.2 of an H100's 79.6 (as their out-of-memory messages tell)."""


class Fit(Enum):
    """Whether it fits, as a glyph and a word."""

    YES = "✓", "fits"
    TIGHT = "▲", "tight"
    """What is expected fits, the upper end of the band does not."""
    NO = "✗", "too small"

    @property
    def glyph(self) -> str:
        """A sign that works without colour."""
        return self.value[0]

    @property
    def word(self) -> str:
        """The word beside it."""
        return self.value[1]


@dataclass(frozen=True)
class Fitting:
    """A machine, one of its GPUs, and whether a training fits that."""

    offer: Offer
    gpu: Gpu
    fit: Fit


def usable_gib(gpu: Gpu) -> float:
    """What a program can have of a GPU, in GiB."""
    return _TOLD * gpu.memory_gib - CONTEXT_GIB


def fits(memory: Memory, gpu: Gpu) -> Fit:
    """Whether it fits one GPU of this kind."""
    room = usable_gib(gpu)
    if memory.expected > room:
        return Fit.NO
    return Fit.YES if memory.high <= room else Fit.TIGHT
