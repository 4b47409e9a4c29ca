"""What Modal asks for an hour of each GPU, of a core and of memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

CORES, MEMORY_GIB = 4, 16
"""Of each GPU, or of the run without one (modal_app.py)."""
PREPARE_CORES, PREPARE_MEMORY_GIB = 2, 4
"""Where what the run needs is downloaded."""

_KEYS: Mapping[str, str] = {
    "A10": "a10g",
    "A100-40GB": "a100_40gb",
    "A100-80GB": "a100_80gb",
    "RTX-PRO-6000": "rtx6000",
}
"""How `modal billing rates` calls a GPU, where that is not its name in small letters."""


@dataclass(frozen=True)
class Rates:
    """Dollars of an hour."""

    gpus: Mapping[str, float]
    """By Modal's name, as gpu.OFFERS has it."""
    core: float
    gib: float
    """Of memory."""
    source: str
    """Where they are from, and of when."""

    def machine(self, gpu: str, count: int) -> float:
        """GPUs of a kind, with the cores and memory that go with them; 0 = a machine without."""
        gpus = self.gpus[gpu] * count if count else 0.0
        return gpus + (CORES * self.core + MEMORY_GIB * self.gib) * max(count, 1)

    @property
    def prepare(self) -> float:
        """The machine that downloads what the run needs."""
        return PREPARE_CORES * self.core + PREPARE_MEMORY_GIB * self.gib

    def as_told(self, told: Mapping[str, float], source: str) -> Rates:
        """The same with what Modal says now; what it does not name, or as nonsense, stays."""
        names = {gpu: f"gpu_hour_cost_{_KEYS.get(gpu, gpu.lower())}" for gpu in self.gpus}
        gpus = {gpu: _price(told, names[gpu], usual) for gpu, usual in self.gpus.items()}
        core = _price(told, "cpu_hour_cost", self.core)
        gib = _price(told, "mem_gib_hour_cost", self.gib)
        return replace(self, gpus=gpus, core=core, gib=gib, source=source)


def _price(told: Mapping[str, float], name: str, usual: float) -> float:
    price = told.get(name, math.nan)
    return price if 0 < price < math.inf else usual
