"""The one estimate that every screen and command shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftui.data.tokens import Tokens
from ftui.estimate.duration import Duration, duration, work
from ftui.estimate.evidence import Measurement, nearest
from ftui.estimate.fit import Fit, Fitting, fits
from ftui.estimate.memory import Memory, memory
from ftui.estimate.reading import read_training
from ftui.estimate.serving import serving
from ftui.estimate.speed import Speed, cpu_speed, speed
from ftui.estimate.strategy import Strategy, strategy
from ftui.estimate.training import Training
from ftui.estimate.ways import Way, together, ways
from ftui.plan.hardware import Gpu, Hardware, weakest
from ftui.plan.models import BaseModel
from ftui.plan.offer import Offer

_AMPERE = 80
"""The first compute capability with bf16."""


@dataclass(frozen=True)
class Estimate:
    """What a config needs, and all that can be told from it without running it."""

    settings: Mapping[str, Any]
    model: BaseModel
    longest: int | None
    training: Training
    memory: Memory
    assumptions: tuple[str, ...]

    def fit(self, gpu: Gpu) -> Fit:
        """Whether it fits a GPU."""
        return fits(self.memory, gpu)

    def fittings(self, offers: Sequence[Offer]) -> tuple[Fitting, ...]:
        """Each of the machines that have a GPU, and whether it fits."""
        return tuple(Fitting(one, one.gpu, self.fit(one.gpu)) for one in offers if one.gpu)

    def cheapest(self, offers: Sequence[Offer]) -> Offer | None:
        """The machine that fits and costs least by the hour, which may take longest for it.

        None when none of those with a price fits.
        """
        able = (
            one.offer
            for one in self.fittings(offers)
            if one.offer.dollars is not None and one.fit is not Fit.NO and self._has_format(one.gpu)
        )
        return min(able, key=lambda offer: offer.price, default=None)

    def _has_format(self, gpu: Gpu) -> bool:
        """Whether it computes in bf16, where the config insists on that: older ones do not."""
        insists = any(self.settings.get(key) is True for key in ("bf16", "bfloat16"))
        return not insists or not 0 < weakest((gpu,)) < _AMPERE

    def ways(self) -> tuple[Way, ...]:
        """Every single change that makes it need less."""
        return ways(self.settings, self.model, self.training.gpus, self.longest)

    def ways_into(self, gpu: Gpu) -> tuple[Way, ...]:
        """The changes with which it fits that GPU, together; none: it fits, or nothing helps."""
        if self.fit(gpu) is not Fit.NO:
            return ()
        return together(
            self.settings,
            self.model,
            lambda needed: fits(needed, gpu) is not Fit.NO,
            self.training.gpus,
            self.longest,
        )

    def strategy(self, gpu: Gpu | None = None) -> Strategy:
        """How its GPUs share the work, and why so."""
        return strategy(self.training, self.memory, gpu)

    def serving(self) -> Memory:
        """What vLLM needs to serve the result."""
        return serving(self.model, self.training.adapter)

    def nearest(self) -> Measurement | None:
        """The published measurement that is most like it."""
        return nearest(self.training)

    def speed(self, gpu: Gpu) -> Speed | None:
        """On GPUs of that kind."""
        return speed(self.training, gpu)

    def duration(self, speed: Speed, tokens: Tokens | None = None) -> Duration | None:
        """How long it takes at that speed; None where nobody knows how much there is to do."""
        todo = work(self.settings, self.training, tokens)
        return duration(todo, speed) if todo else None

    def cpu_speed(self, hardware: Hardware) -> Speed | None:
        """On a machine without a GPU; None of a rented one, whose cores nobody knows."""
        return cpu_speed(self.training, hardware)


def estimate(
    settings: Mapping[str, Any], model: BaseModel, gpus: int = 1, longest: int | None = None
) -> Estimate:
    """The estimate of an axolotl config; see `read_training`. Raises CannotSay."""
    reading = read_training(settings, model, gpus, longest)
    needed = memory(reading.training)
    return Estimate(settings, model, longest, reading.training, needed, reading.assumptions)
