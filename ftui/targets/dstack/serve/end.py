"""Ending a service on dstack, and seeing to it that it has ended."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from ftui.errors import TimedOut
from ftui.runs import endpoints
from ftui.runs.model import Run
from ftui.targets.dstack import login, machine, states
from ftui.targets.dstack.api import Api, Json
from ftui.targets.dstack.serve import record
from ftui.targets.dstack.serve.record import Service

POLL_SECONDS = 1.0
_ABORT_SECONDS = 30.0
"""A container that takes longer to end by itself is ended without being asked."""
_LIMIT_SECONDS = 180.0
_SETTLE_SECONDS = 5.0
"""How long a request that was cut off may be under way."""


async def end(service: Service) -> str:
    """End it if it is at work; what became of its machine, for people.

    Raises TargetUnavailable, and TimedOut when dstack does not come to its end.
    """
    async with Api(login.find(service.project)) as api:
        run = await _found(api, service)
        if run is None:
            return "it never began"
        began, aborted = time.monotonic(), False
        if await api.stop_own(service.name, service.id, abort=False):
            run = await _latest(api, service, run)
        while not states.standing(run).over:
            passed = time.monotonic() - began
            if passed > _LIMIT_SECONDS:
                raise _lasting(service)
            if passed > _ABORT_SECONDS and not aborted:
                await api.stop_own(service.name, service.id, abort=True)
                aborted = True
            await asyncio.sleep(POLL_SECONDS)
            run = await _latest(api, service, run)
        return " · ".join(filter(None, (_cost(run), await machine.afterwards(api, run))))


def end_left(run: Run, name: str) -> bool:
    """End a service of the run that nobody keeps any more; whether there was one.

    Raises UsageError when somebody keeps it, TargetUnavailable, TimedOut, OSError.
    """
    with record.left(run) as service:
        if service is not None:
            asyncio.run(end(service))
        endpoints.forget(run, name)
        return service is not None


async def _found(api: Api, service: Service) -> Json | None:
    """The service; None when dstack never took it."""
    end = time.monotonic() + (0.0 if service.id else _SETTLE_SECONDS)
    while (run := await api.own_run(service.name, service.id)) is None and time.monotonic() < end:
        await asyncio.sleep(POLL_SECONDS)
    return run


async def _latest(api: Api, service: Service, known: Json) -> Json:
    """What is told of it now; once another run has its name, it is over."""
    found = await api.own_run(service.name, service.id)
    return found if found is not None else {**known, "status": "terminated"}


def _cost(run: Json) -> str:
    return f"ended after ${float(run.get('cost') or 0.0):.2f}"


def _lasting(service: Service) -> TimedOut:
    return TimedOut(
        f"{service.name} has not ended on dstack, and may cost on",
        why=f"asked {_LIMIT_SECONDS:.0f} s ago",
        hint=f"see dstack ps; dstack stop -x {service.name}",
    )


def note(log_file: Path, words: str) -> None:
    """Write a line of ftui's own into the log. Raises OSError."""
    with log_file.open("a", encoding="utf-8") as log:
        log.write(f"dstack: {words}\n")
