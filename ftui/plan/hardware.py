"""What a machine has: the facts that a plan and a config depend on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ftui.plan.places import is_index
from ftui.text import counted


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA GPU. Memory in GiB; compute capability as axolotl writes it, e.g. `sm_86`."""

    name: str
    memory_gib: float
    compute_capability: str

    def holds(self, memory_gib: float) -> bool:
        """Whether it is a card of that size: one sold with 24 GiB has 22.5 left with ECC (A10)."""
        return self.memory_gib >= 0.93 * memory_gib


def weakest(gpus: Iterable[Gpu]) -> int:
    """The lowest compute capability, `sm_86` as 86; 0 without GPUs or where a driver tells none."""
    texts = [gpu.compute_capability.removeprefix("sm_") for gpu in gpus]
    return min((int(text) if is_index(text) else 0 for text in texts), default=0)


@dataclass(frozen=True)
class Hardware:
    """CPU cores usable by this process, system memory in GiB, and the GPUs."""

    cores: int
    memory_gib: float
    gpus: tuple[Gpu, ...] = ()

    def used_by(self, count: int) -> tuple[Gpu, ...] | None:
        """The GPUs that train when `count` of them do; none = the CPU; None = there are fewer."""
        return self.gpus[:count] if len(self.gpus) >= count else None

    @property
    def is_rented(self) -> bool:
        """Whether it costs something by the hour."""
        return False

    @property
    def words(self) -> str:
        """One short line: `2 cores · 24 GiB · no GPU`."""
        return f"{counted(self.cores, 'core')} · {self.memory_gib:.0f} GiB · {self.gpu_words}"

    @property
    def gpu_words(self) -> str:
        """The GPUs in words: `no GPU`, `NVIDIA A10 24 GiB`, `2 × NVIDIA A10 24 GiB`."""
        if not self.gpus:
            return "no GPU"
        first = self.gpus[0]
        count = f"{len(self.gpus)} × " if len(self.gpus) > 1 else ""
        return f"{count}{first.name} {first.memory_gib:.0f} GiB"
