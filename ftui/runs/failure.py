"""Why a run ended badly; all that is known of it is in ftui.runs.failures.

What knows the failures is loaded only when one is asked about: every start of ftui comes by here.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ftui.errors import RunNotFound
from ftui.runs.history import History
from ftui.runs.model import Run, RunState
from ftui.runs.numbers import lost
from ftui.runs.store import state

if TYPE_CHECKING:
    from ftui.runs.failures import Diagnosis


def what_went_wrong(run: Run, standing: RunState, history: History) -> Diagnosis | None:
    """What went wrong with a run that has ended; None where nothing did. Raises OSError."""
    if standing in (RunState.FAILED, RunState.INTERRUPTED):
        from ftui.runs.failures import diagnose

        return diagnose(run)
    return lost_numbers(run, history) if standing is RunState.NUMBERS_LOST else None


def doubt(run: Run) -> str:
    """What a person is told who talks with it all the same; nothing where nothing is wrong."""
    with contextlib.suppress(RunNotFound, OSError):
        if state(run) is RunState.NUMBERS_LOST:
            return "its numbers were lost (not a number, NaN): expect no sense from what it says"
    return ""


def lost_numbers(run: Run, history: History) -> Diagnosis | None:
    """What there is to say where the newest values of a training are no numbers."""
    if lost(history) is None:
        return None
    from ftui.runs.failures import numbers_lost
    from ftui.runs.failures.story import read_trial

    return numbers_lost(history, read_trial(run))
