"""How a run stands when the person leaves."""

from __future__ import annotations

from ftui.errors import ExitCode, RunNotFound
from ftui.runs.model import Run


def standing(run: Run) -> tuple[ExitCode, str]:
    """What to tell the shell and the person about a run when they leave."""
    from ftui.runs.model import RunState
    from ftui.runs.store import state

    try:
        now = state(run)
    except RunNotFound:  # its folder was removed meanwhile
        return ExitCode.OK, ""
    if not now.ended:
        return ExitCode.OK, f"{run.name} goes on without ftui. Come back: ftui watch {run.name}"
    if now in (RunState.FAILED, RunState.INTERRUPTED):
        return ExitCode.RUN_FAILED, f"{run.name} {now}. What it said: ftui logs {run.name}"
    return ExitCode.OK, f"{run.name} is {now}. Talk with it: ftui chat {run.name}"
