"""Leaves a run's endpoint in place on Modal, where it scales to zero, until somebody ends it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from ftui.runs.model import Run
from ftui.targets.modal import deployment, ending
from ftui.targets.modal.api import Api
from ftui.targets.modal.app import endpoint_app, place_of
from ftui.targets.renting import Exported


def export(run: Run, key: str, hours: float | None, tell: Callable[[str], None]) -> Exported:
    """See targets/renting.py."""
    asked = deployment.wanted(run)
    until = time.time() + hours * 3600 if hours else None
    url = asyncio.run(_put(asked, key, until, tell))
    return Exported(
        url=url,
        models=("tuned",) if asked.models.alone else ("base", "tuned"),
        machine=asked.machine.words,
        dollars=asked.machine.dollars,
        prices=asked.machine.rates.source,
        idle_seconds=deployment.IDLE_SECONDS,
        hours=hours,
        end=f"modal app stop {endpoint_app(asked.place)}",
    )


def end(run: Run) -> bool:
    """End it, and see to it that it has ended; whether there was one.

    Raises TargetUnavailable, TimedOut.
    """
    return asyncio.run(_end(run))


async def _put(
    asked: deployment.Wanted, key: str, until: float | None, tell: Callable[[str], None]
) -> str:
    async with Api(endpoint_app(asked.place)) as api:
        return await deployment.put(api, asked, key, until, tell)


async def _end(run: Run) -> bool:
    async with Api(endpoint_app(place_of(run))) as api:
        return await ending.take_away(api)
