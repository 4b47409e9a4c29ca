"""Ending a run on dstack for good."""

from __future__ import annotations

import asyncio
import time

from ftui.targets.dstack import login, states
from ftui.targets.dstack.api import Api

_SECONDS = 60.0
_POLL_SECONDS = 0.5


def abort(project: str, name: str, id: str) -> bool:
    """End a run at once; whether it was seen to be over within a minute.

    Another run that has its name meanwhile is left alone. Raises TargetUnavailable when the server
    cannot be asked.
    """
    return asyncio.run(_abort(project, name, id))


async def _abort(project: str, name: str, id: str) -> bool:
    async with Api(login.find(project)) as api:
        if not await api.stop_own(name, id, abort=True):
            return True
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end:
            run = await api.own_run(name, id)
            if run is None or states.standing(run).over:
                return True
            await asyncio.sleep(_POLL_SECONDS)
    return False
