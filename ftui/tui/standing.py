"""How a run stands when the person leaves."""

from __future__ import annotations

from ftui.errors import ExitCode, RunNotFound
from ftui.runs.model import Run


def standing(run: Run) -> tuple[ExitCode, str]:
    """What to tell the shell and the person about a run when they leave."""
    from ftui.runs.model import RunState
    from ftui.runs.store import has_weights, state

    name = run.name
    try:
        now, weights = state(run), has_weights(run)
    except (RunNotFound, OSError):  # its folder was removed meanwhile
        return ExitCode.OK, ""
    if now is RunState.CREATED:
        return ExitCode.OK, f"{name} is written; nothing runs yet. Start it: ftui resume {name}"
    if not now.ended:
        return ExitCode.OK, f"{name} goes on without ftui. Come back: ftui watch {name}"
    if now in (RunState.FAILED, RunState.INTERRUPTED):
        return ExitCode.RUN_FAILED, f"{name} {now}. What it said: ftui logs {name}"
    if now is RunState.NUMBERS_LOST:
        return ExitCode.RUN_FAILED, f"{name}: its numbers are lost. See: ftui watch {name}"
    if weights:
        return ExitCode.OK, f"{name} is {now}. Talk with it: ftui chat {name}"
    return ExitCode.OK, f"{name} is {now}. Go on with it: ftui resume {name}"
