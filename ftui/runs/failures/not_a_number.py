"""A training whose numbers were lost: it may run on to its end, and its weights are worth nothing.

The loss then reads 0 (transformers leaves out what is no number), so grad_norm is the witness.
"""

from __future__ import annotations

import math

from ftui.runs.events import History, Point
from ftui.runs.failures import numbers
from ftui.runs.failures.cause import Cause
from ftui.runs.failures.diagnosis import Diagnosis
from ftui.runs.failures.signature import Trial

_IN_A_ROW = 2
"""With fp16, a single infinite grad_norm is usual: that step is left out."""
_TRAINED = ("grad_norm", "loss")
_EVALUATED = ("eval_loss",)
"""Only where the training itself reports nothing: rows without a token to learn make it NaN too."""


def numbers_lost(history: History, trial: Trial) -> Diagnosis | None:
    """What there is to say where the newest values are no numbers; None where they are."""
    series = _TRAINED if any(history.series.get(name) for name in _TRAINED) else _EVALUATED
    lost = [(name, points) for name in series if (points := _lost(history.series.get(name, [])))]
    if not lost:
        return None
    name, points = lost[0]
    changes = (fix(trial) for fix in numbers.FIXES)
    change = next((change for change in changes if change is not None), None)
    return Diagnosis(
        Cause.NOT_A_NUMBER,
        what=f"the training fell apart at step {points[0].step}: {name} is {points[-1].value} "
        "(not a number), and no step after it has taught anything",
        why=numbers.WHY,
        hint=numbers.HINT,
        changes=change.settings if change else {},
        reason=change.reason if change else "",
        resumes=False,
        bad_since=_last_good(history.series[name], points) + 1,
    )


def _last_good(points: list[Point], lost: list[Point]) -> int:
    """The step of the newest value that was a number: what lies between the two is unknown."""
    before = points[: len(points) - len(lost)]
    return before[-1].step if before else 0


def _lost(points: list[Point]) -> list[Point]:
    """The newest values in a row that are no numbers, if they are enough to say so."""
    found: list[Point] = []
    for point in reversed(points):
        if math.isfinite(point.value):
            break
        found.append(point)
    return found[::-1] if len(found) >= min(_IN_A_ROW, len(points)) else []
