"""A training whose numbers were lost: what to say of it, and what to change."""

from __future__ import annotations

from ftui.runs.failures import numbers
from ftui.runs.failures.cause import Cause
from ftui.runs.failures.diagnosis import Diagnosis
from ftui.runs.failures.signature import Trial
from ftui.runs.history import History
from ftui.runs.numbers import lost


def numbers_lost(history: History, trial: Trial) -> Diagnosis | None:
    """What there is to say where the newest values are no numbers; None where they are."""
    found = lost(history)
    if found is None:
        return None
    changes = (fix(trial) for fix in numbers.FIXES)
    change = next((change for change in changes if change is not None), None)
    return Diagnosis(
        Cause.NOT_A_NUMBER,
        what=f"the training fell apart at step {found.first.step}: {found.series} is "
        f"{found.first.value} (not a number), and no step after it has taught anything",
        why=numbers.WHY,
        hint=numbers.HINT,
        changes=change.settings if change else {},
        reason=change.reason if change else "",
        resumes=False,
        bad_since=found.last_good + 1,
    )
