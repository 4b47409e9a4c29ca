"""Ending a run on Modal for good."""

from __future__ import annotations

import asyncio
import time

from ftui.errors import TimedOut
from ftui.runs import events
from ftui.runs.model import Run
from ftui.targets.modal.api import Api
from ftui.targets.modal.failures import Missing

_SECONDS = 60.0
_POLL_SECONDS = 0.5


def abort(app: str, call: str) -> bool:
    """End a call at once; whether it was seen to be over within a minute.

    Raises TargetUnavailable when Modal cannot be asked.
    """
    return asyncio.run(_abort(app, call))


def end_unknown(run: Run, app: str) -> bool:
    """End a run whose call nobody has written down; whether anything of it waited or was at work.

    Its launcher was killed just after the spawning. Raises TargetUnavailable, TimedOut, OSError.
    """
    if not asyncio.run(_ended_unknown(app)):
        return False
    run.stop_file.touch()
    events.append(run.events_file, "stop_requested")
    why = "it was stopped before anybody had followed it"
    size = run.log_file.stat().st_size if run.log_file.exists() else 0
    events.append(run.events_file, "exit", code=1, log_size=size, why=why)
    return True


async def _ended_unknown(app: str) -> bool:
    async with Api(app) as api:
        try:
            standing = [await api.standing(function) for function in ("prepare", "train")]
        except Missing:
            return False
        at_work = any(one.waiting or one.containers for one in standing)
        if at_work:
            await take_away(api)
        return at_work


async def take_away(api: Api) -> bool:
    """Take an app away and see that it is gone, within a minute; whether there was one.

    Raises TargetUnavailable, TimedOut.
    """
    there = left = await api.is_deployed()
    end = time.monotonic() + _SECONDS
    while left:
        if time.monotonic() > end:
            raise TimedOut(
                f"{api.app} is still on Modal",
                why="Modal did not end it in a minute",
                hint=f"modal app stop {api.app}",
            )
        await api.stop_app()
        left = await api.is_deployed()
        if left:
            await asyncio.sleep(_POLL_SECONDS)
    return there


async def _abort(app: str, call: str) -> bool:
    async with Api(app) as api:
        await api.cancel(call)
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end:
            if await api.outcome(call) is not None:
                return True
            await asyncio.sleep(_POLL_SECONDS)
    return False
