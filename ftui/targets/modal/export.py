"""Leaves a run's endpoint in place on Modal, where it scales to zero, until somebody ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ftui.runs.model import Run
from ftui.targets.modal import deployment, gpu
from ftui.targets.modal.api import Api
from ftui.targets.modal.app import app_name, place_of
from ftui.targets.renting import Exported


def export(run: Run, key: str, hours: float | None, tell: Callable[[str], None]) -> Exported:
    """See targets/renting.py."""
    asked = deployment.wanted(run)
    url = asyncio.run(_put(asked, key, hours, tell))
    return Exported(
        url=url,
        models=("tuned",) if asked.models.alone else ("base", "tuned"),
        machine=asked.machine.words,
        dollars=asked.machine.dollars,
        prices=gpu.LISTED.source,
        idle_seconds=deployment.IDLE_SECONDS,
        hours=hours,
        end=f"modal app stop {_name(asked.place)}",
    )


def end(run: Run) -> bool:
    """End it, and see to it that it has ended; whether there was one. Raises TargetUnavailable."""
    return asyncio.run(_end(run))


def _name(place: str) -> str:
    """As `modal deploy modal_app.py::serve_app` has it."""
    return f"{app_name(place)}-serve"


async def _put(
    asked: deployment.Wanted, key: str, hours: float | None, tell: Callable[[str], None]
) -> str:
    async with Api(_name(asked.place)) as api:
        return await deployment.put(api, asked, key, hours, tell)


async def _end(run: Run) -> bool:
    async with Api(_name(place_of(run))) as api:
        there = await api.is_deployed()
        while await api.is_deployed():
            await api.stop_app()
        return there
