"""Whether the numbers of a training are still numbers.

A training whose numbers were lost may run on to its end, and its weights are worth nothing. The
loss then reads 0 (transformers leaves out what is no number), so grad_norm is the witness.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ftui.runs.events import Point
from ftui.runs.history import History

TRAINED = ("grad_norm", "loss")
"""Series that tell of every step."""
NUMBERS = (*TRAINED, "eval_loss")
"""Series that tell whether the numbers of a training are still numbers."""
_EVALUATED = ("eval_loss",)
"""Only where the training itself reports nothing: rows without a token to learn make it NaN too."""
_IN_A_ROW = 2
"""With fp16, a single infinite grad_norm is usual: that step is left out."""


@dataclass(frozen=True)
class Lost:
    """Since when the newest values of a series are no numbers."""

    series: str
    first: Point
    """The first of them."""
    last_good: int
    """The step of the newest value before them: what lies between the two is unknown."""


def lost(history: History) -> Lost | None:
    """What tells that the numbers of a training were lost; None where they were not."""
    series = TRAINED if any(history.series.get(name) for name in TRAINED) else _EVALUATED
    found = (_lost(name, history.series.get(name, [])) for name in series)
    return next((one for one in found if one is not None), None)


def _lost(name: str, points: list[Point]) -> Lost | None:
    """The newest values in a row that are no numbers, if they are enough to say so."""
    first = len(points)
    while first and not math.isfinite(points[first - 1].value):
        first -= 1
    if len(points) - first < min(_IN_A_ROW, max(len(points), 1)):
        return None
    return Lost(name, points[first], points[first - 1].step if first else 0)
