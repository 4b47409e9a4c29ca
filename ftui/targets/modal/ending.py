"""Ending a run on Modal for good."""

from __future__ import annotations

import asyncio
import time

from ftui.targets.modal.api import Api

_SECONDS = 60.0
_POLL_SECONDS = 0.5


def abort(app: str, call: str) -> bool:
    """End a call at once; whether it was seen to be over within a minute.

    Raises TargetUnavailable when Modal cannot be asked.
    """
    return asyncio.run(_abort(app, call))


async def _abort(app: str, call: str) -> bool:
    async with Api(app) as api:
        await api.cancel(call)
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end:
            if await api.outcome(call) is not None:
                return True
            await asyncio.sleep(_POLL_SECONDS)
    return False
