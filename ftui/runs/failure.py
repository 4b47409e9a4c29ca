"""Why a run ended badly; all that is known of it is in ftui.runs.failures.

What knows the failures is loaded only when one is asked about: every start of ftui comes by here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ftui.runs.events import History
from ftui.runs.model import Run, RunState

if TYPE_CHECKING:
    from ftui.runs.failures import Diagnosis

NUMBERS = ("loss", "grad_norm", "eval_loss")
"""Series that tell whether the numbers of a training are still numbers."""


def what_went_wrong(run: Run, standing: RunState, history: History) -> Diagnosis | None:
    """What went wrong with a run that has ended; None where nothing did. Raises OSError.

    A training whose numbers are lost runs on to its end, and may be stopped: it is done, or
    stopped, and its weights are worth nothing all the same.
    """
    if standing in (RunState.FAILED, RunState.INTERRUPTED):
        from ftui.runs.failures import diagnose

        return diagnose(run)
    return lost_numbers(run, history) if standing.ended else None


def lost_numbers(run: Run, history: History) -> Diagnosis | None:
    """What there is to say where the newest values of a training are no numbers."""
    newest = (history.latest(name) for name in NUMBERS)
    if all(value is None or math.isfinite(value) for value in newest):
        return None
    from ftui.runs.failures import numbers_lost
    from ftui.runs.failures.story import read_trial

    return numbers_lost(history, read_trial(run))
