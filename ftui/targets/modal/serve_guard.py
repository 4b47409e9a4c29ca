"""Takes one endpoint away, come what may: `python -m … APP PLACE FOLDER`.

ftui starts this beside itself and holds the write end of its standard input. When that pipe ends,
because ftui is done or was killed in whatever way, the app is stopped on Modal, and seen to be, and
what else the endpoint owns goes too (deployment.py). If even this is killed, nothing is asked any
more, so that Modal ends its container after two minutes, and the run in FOLDER shows an endpoint
that was left.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from ftui.errors import FtuiError, TargetUnavailable, TimedOut
from ftui.runs import endpoints, process
from ftui.runs.let_go import until_let_go
from ftui.runs.model import Run
from ftui.targets.modal import deployment
from ftui.targets.modal.api import Api
from ftui.targets.modal.ending import take_away
from ftui.targets.remote.patience import patiently

_STOP_SECONDS = 60.0
"""How long ftui waits for the guard; it goes on alone if that is not enough."""
_POLL_SECONDS = 0.05
_GONE, _LASTS, _REST = 0, 1, 3
"""A guard's exit codes: nothing is left, the app may be, or only what else the endpoint owned."""


@asynccontextmanager
async def guarded(
    run: Run, app: str, place: str, until: float, log: IO[str]
) -> AsyncIterator[None]:
    """An endpoint that is gone after the context, and noted among the run's as long as it is there.

    What goes wrong is told in the log. Raises TargetUnavailable or TimedOut where it is not gone.
    """
    guard = _started((app, place, str(run.folder)), log)
    try:
        keeper = process.identify(guard.pid)
        try:
            endpoints.note(run, endpoints.Served("modal", app, until, keeper))
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise TargetUnavailable("the run folder cannot be written", why=why) from error
        yield
    finally:
        assert guard.stdin is not None
        guard.stdin.close()
        end = time.monotonic() + _STOP_SECONDS
        while guard.poll() is None and time.monotonic() < end:
            await asyncio.sleep(_POLL_SECONDS)
        if guard.returncode != _GONE:
            _tell_of_rest(run, app, log.name, guard.returncode)


def _started(arguments: Sequence[str], log: IO[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "ftui.targets.modal.serve_guard", *arguments],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # ctrl+c in the terminal is ftui's to answer
            cwd="/",  # `-m` must find no module of the person's own
        )
    except OSError as error:
        raise TargetUnavailable("nothing could guard the endpoint", why=str(error)) from error


def _tell_of_rest(run: Run, app: str, log_file: str, code: int | None) -> None:
    if code == _REST:
        raise TargetUnavailable(
            f"{app} has ended and costs nothing more, but its files or its record are left",
            why=f"{log_file} says why",
            hint=f"ftui export {run.name} --end takes them away",
        )
    what = f"{app} may still be on Modal, where it costs nothing once nobody asks it"
    hint = f"modal app stop {app}"
    if code is None:
        raise TimedOut(what, why="it did not end in a minute; ftui goes on trying", hint=hint)
    raise TargetUnavailable(what, why=f"{log_file} says why", hint=hint)


def main(app: str, place: str, folder: str) -> int:
    """Wait for the end of standard input, then end the endpoint; what is left is the exit code."""
    until_let_go()
    left = _LASTS
    try:
        asyncio.run(_stopped(app))
        left = _REST
        asyncio.run(_gone(app, place, Run(Path(folder))))
    except (FtuiError, OSError) as error:
        print(f"modal: {error}", flush=True)  # noqa: T201 - into the endpoint's log
        return left
    return _GONE


async def _stopped(app: str) -> None:
    """Stop it, whatever Modal says meanwhile. Raises TargetUnavailable, TimedOut."""

    async def stop() -> None:
        async with Api(app) as api:
            await take_away(api)

    await patiently(stop, (TargetUnavailable, TimedOut))


async def _gone(app: str, place: str, run: Run) -> None:
    """Take away what it owned. Raises TargetUnavailable, TimedOut, OSError."""

    async def remove() -> None:
        async with Api(app) as api:
            await deployment.remove(api, run, place)

    await patiently(remove, (TargetUnavailable, TimedOut))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
