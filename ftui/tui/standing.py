"""How a run stands when the person leaves."""

from __future__ import annotations

from ftui.errors import ExitCode, RunNotFound
from ftui.runs.model import Run


def standing(run: Run) -> tuple[ExitCode, str]:
    """What to tell the shell and the person about a run when they leave."""
    from ftui.runs.failure import lost_numbers
    from ftui.runs.model import RunState
    from ftui.runs.store import state
    from ftui.runs.tail import read_history

    try:
        history = read_history(run)
        now = state(run, history)
        lost = now.ended and lost_numbers(run, history) is not None
    except (RunNotFound, OSError):  # its folder was removed meanwhile
        return ExitCode.OK, ""
    if not now.ended:
        return ExitCode.OK, f"{run.name} goes on without ftui. Come back: ftui watch {run.name}"
    if now in (RunState.FAILED, RunState.INTERRUPTED):
        return ExitCode.RUN_FAILED, f"{run.name} {now}. What it said: ftui logs {run.name}"
    if lost:
        return ExitCode.RUN_FAILED, f"{run.name}: its numbers are lost. See: ftui watch {run.name}"
    return ExitCode.OK, f"{run.name} is {now}. Talk with it: ftui chat {run.name}"
