"""Ending a run on dstack for good."""

from __future__ import annotations

import asyncio
import time

from ftui.targets.dstack import login, states
from ftui.targets.dstack.api import Api

_SECONDS = 60.0
_POLL_SECONDS = 0.5


def abort(project: str, name: str) -> bool:
    """End a run at once; whether it was seen to be over within a minute.

    Raises TargetUnavailable when the server cannot be asked.
    """
    return asyncio.run(_abort(project, name))


async def _abort(project: str, name: str) -> bool:
    async with Api(login.find(project)) as api:
        await api.stop(name, abort=True)
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end:
            run = await api.run(name)
            if run is None or states.standing(run).over:
                return True
            await asyncio.sleep(_POLL_SECONDS)
    return False
