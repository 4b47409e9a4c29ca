"""Hours and dollars of a training, as ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ftui.data.tokens import Tokens
from ftui.estimate.speed import Speed
from ftui.estimate.training import Training


@dataclass(frozen=True)
class Work:
    """The fewest and the most tokens that go through the model, padding too."""

    low: float
    high: float


@dataclass(frozen=True)
class Duration:
    """Hours, from the fewest tokens at the best speed to the most at the least."""

    low: float
    high: float

    def dollars(self, an_hour: float) -> tuple[float, float]:
        """What that costs."""
        return self.low * an_hour, self.high * an_hour


def work(settings: Mapping[str, Any], training: Training, tokens: Tokens | None) -> Work | None:
    """The tokens of a whole training; None before the data were counted, without max_steps.

    Counted data: between what their rows hold and full batches. `max_steps` alone: full batches,
    or half of that where rows are not packed.
    """
    each = training.tokens * training.accumulation * training.gpus
    if tokens is not None:
        most = float(tokens.receipt.steps * each)
        return Work(min(tokens.lengths.total * tokens.receipt.epochs, most), most)
    steps = settings.get("max_steps")
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
        return None
    return Work(steps * each * (1.0 if settings.get("sample_packing") else 0.5), steps * each)


def duration(work: Work, speed: Speed) -> Duration:
    """How long so many tokens take."""
    return Duration(work.low / speed.high / 3600, work.high / speed.low / 3600)
