"""Leaves a run's endpoint in place on Modal, where it scales to zero, until somebody ends it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator

from ftui.errors import FtuiError
from ftui.runs import endpoints
from ftui.runs.model import Run
from ftui.targets.modal import deployment
from ftui.targets.modal.api import Api
from ftui.targets.modal.app import place_of
from ftui.targets.renting import Exported


def export(run: Run, key: str, hours: float | None, tell: Callable[[str], None]) -> Exported:
    """See targets/renting.py."""
    asked = deployment.wanted(run)
    until = time.time() + hours * 3600 if hours else None
    is_new = _known(asked) is None
    try:
        url = asyncio.run(_put(asked, key, until, tell))
    except (FtuiError, OSError):
        if is_new and _known(asked):  # where one was before, that is better than nothing
            with contextlib.suppress(FtuiError, OSError):
                end(run, asked.app)
        raise
    return Exported(
        url=url,
        models=("tuned",) if asked.models.alone else ("base", "tuned"),
        machine=asked.machine.words,
        dollars=asked.machine.dollars,
        prices=asked.machine.rates.source,
        idle_seconds=deployment.IDLE_SECONDS,
        hours=hours,
        end=f"modal app stop {asked.app}",
        log=f"modal app logs {asked.app}",
    )


def end(run: Run, app: str) -> bool:
    """End an endpoint of the run, and see to it that nothing of it is left; whether there was one.

    Raises TargetUnavailable, TimedOut, RunNotFound, OSError.
    """
    return asyncio.run(_end(run, app))


async def _put(
    asked: deployment.Wanted, key: str, until: float | None, tell: Callable[[str], None]
) -> str:
    async with Api(asked.app) as api:
        with _noted(asked, until):
            url = await deployment.put(api, asked, key, until, tell)
        if asked.hub_model:
            tell(f"downloading {asked.hub_model}; no GPU is paid for meanwhile")
            await deployment.fetch(api, tell)
        return url


def _known(asked: deployment.Wanted) -> endpoints.Served | None:
    """What is noted of the endpoint by now."""
    found = (one for one in endpoints.known(asked.run) if one.name == asked.app)
    return next(found, None)


@contextlib.contextmanager
def _noted(asked: deployment.Wanted, until: float | None) -> Iterator[None]:
    """Note the endpoint before it is put in place; an earlier note is back where it is not."""
    earlier = _known(asked)
    with contextlib.ExitStack() as otherwise:
        if earlier is not None:
            otherwise.callback(_note_again, asked.run, earlier)
        endpoints.note(asked.run, endpoints.Served("modal", asked.app, until))
        yield
        otherwise.pop_all()


def _note_again(run: Run, served: endpoints.Served) -> None:
    with contextlib.suppress(OSError):  # what went wrong before is told
        endpoints.note(run, served)


async def _end(run: Run, app: str) -> bool:
    async with Api(app) as api:
        return await deployment.remove(api, run, place_of(run))
