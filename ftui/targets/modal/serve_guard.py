"""Takes one endpoint away, come what may: `python -m ftui.targets.modal.serve_guard APP`.

ftui starts this beside itself and holds the write end of its standard input. When that pipe ends,
because ftui is done or was killed in whatever way, the app is stopped on Modal, and seen to be. If
even this is killed, nothing is asked any more, so that Modal ends its container after two minutes;
and it ends by itself once its hours are over.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO

from ftui.errors import TargetUnavailable, TimedOut
from ftui.targets.modal.api import Api
from ftui.targets.modal.ending import take_away

_STOP_SECONDS = 60.0
"""How long ftui waits for the guard; it goes on alone if that is not enough."""
_PATIENCE_SECONDS = 600.0
"""How long Modal is asked again, whatever it says: a network may be back by then."""
_PAUSE_SECONDS = 2.0
_POLL_SECONDS = 0.05


@asynccontextmanager
async def guarded(app: str, log: IO[str]) -> AsyncIterator[None]:
    """An app that is gone after the context. Raises TargetUnavailable or TimedOut where it is not.

    What goes wrong is told in the log.
    """
    guard = _started(app, log)
    try:
        yield
    finally:
        assert guard.stdin is not None
        guard.stdin.close()
        end = time.monotonic() + _STOP_SECONDS
        while guard.poll() is None and time.monotonic() < end:
            await asyncio.sleep(_POLL_SECONDS)
        if guard.returncode != 0:
            _tell_of_rest(app, log.name, lasts=guard.returncode is None)


def _started(app: str, log: IO[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "ftui.targets.modal.serve_guard", app],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # ctrl+c in the terminal is ftui's to answer
            cwd="/",  # `-m` must find no module of the person's own
        )
    except OSError as error:
        raise TargetUnavailable("nothing could guard the endpoint", why=str(error)) from error


def _tell_of_rest(app: str, log_file: str, *, lasts: bool) -> None:
    what = f"{app} is still on Modal, where it costs nothing once nobody asks it"
    hint = f"modal app stop {app}"
    if lasts:
        raise TimedOut(what, why="Modal did not end it in a minute; ftui goes on trying", hint=hint)
    raise TargetUnavailable(what, why=f"{log_file} says why", hint=hint)


def main(app: str) -> int:
    """Wait for the end of standard input, then stop the app; 0 when it is gone."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda *_: _end_stdin())
    while os.read(0, 1024):
        pass
    try:
        asyncio.run(_stopped(app))
    except (TargetUnavailable, TimedOut) as error:
        print(f"modal: {error}", flush=True)  # noqa: T201 - into the endpoint's log
        return 1
    return 0


async def _stopped(app: str) -> None:
    """Stop it, whatever comes between, within ten minutes. Raises TargetUnavailable, TimedOut."""
    limit = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            async with Api(app) as api:
                await take_away(api)
                return
        except (TargetUnavailable, TimedOut):
            if time.monotonic() > limit:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)


def _end_stdin() -> None:
    """Treat a signal as the end of the pipe: the guard must never end before the endpoint."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
