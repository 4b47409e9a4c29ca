"""The hardware of a target that has none of its own: what is asked for is looked for."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ftui.plan.hardware import Gpu, Hardware

_GPU = Gpu("rented GPU", 80.0, "sm_80")
"""What is rented today is as able as an A100, unless somebody asks for less."""


@dataclass(frozen=True)
class Rented(Hardware):
    """Any number of GPUs, of the kind of `gpus` where that is known; `place` says whose."""

    place: str = ""

    def used_by(self, count: int) -> tuple[Gpu, ...] | None:
        """As many as are asked for."""
        return (self.gpus[0] if self.gpus else _GPU,) * count

    def of(self, gpu: Gpu | None, count: int) -> Rented:
        """A machine with so many of that kind of GPU; None = nobody knows yet which."""
        return replace(self, gpus=(gpu,) * count if gpu else ())

    @property
    def is_rented(self) -> bool:
        """It does."""
        return True

    @property
    def words(self) -> str:
        """`project main, http://… · 2 × H100`: the machine itself is found at the launch."""
        if not self.gpus:
            return self.place
        count = f"{len(self.gpus)} × " if len(self.gpus) > 1 else ""
        return f"{self.place} · {count}{self.gpus[0].name}"

    @property
    def gpu_words(self) -> str:
        """The kind that is asked for, or that none is known before the launch."""
        if self.gpus:
            return self.gpus[0].name
        return "machines that are looked for at the launch"
