"""The hardware of a target that has none of its own: what is asked for is looked for."""

from __future__ import annotations

from dataclasses import dataclass

from ftui.plan.hardware import Gpu, Hardware

_GPU = Gpu("rented GPU", 80.0, "sm_80")
"""What is rented today is as able as an A100, unless somebody asks for less."""


@dataclass(frozen=True)
class Rented(Hardware):
    """Any number of GPUs; `place` says where they come from."""

    place: str = ""

    def used_by(self, count: int) -> tuple[Gpu, ...] | None:
        """As many as are asked for."""
        return (_GPU,) * count

    @property
    def words(self) -> str:
        """`project main at http://…`: the machine itself is found at the launch."""
        return self.place

    @property
    def gpu_words(self) -> str:
        """No GPU is known before the launch."""
        return "machines that are looked for at the launch"
