"""Ends one service on dstack, come what may: `python -m ftui.targets.dstack.serve.guard FILE LOCK`.

ftui starts this beside itself and holds the write end of its standard input. When that pipe ends,
because ftui is done or was killed in whatever way, the service in the record FILE is ended on
dstack, verified, and forgotten. LOCK is the record's handle (record.py). Why that failed is
told on standard output, and the record stays, for the next ftui that serves there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from ftui.errors import FtuiError
from ftui.targets.dstack.api import Unreachable
from ftui.targets.dstack.serve import end, record
from ftui.targets.dstack.serve.record import Service

_PATIENCE_SECONDS = 600.0
"""How long a server that cannot be reached is asked again: a network may be back by then."""
_PAUSE_SECONDS = 2.0


def main(file: str, lock: str) -> int:
    """Wait for the end of standard input, then end the service; 0 when it has ended."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda *_: _end_stdin())
    while os.read(0, 1024):
        pass
    service = record.read(int(lock))
    try:
        if service is not None:
            words = asyncio.run(_ended(service))
            with contextlib.suppress(OSError):  # the run's folder may be gone
                end.note(Path(service.log), words)
    except FtuiError as error:
        with contextlib.suppress(OSError):  # whoever would hear it may be gone
            os.write(1, str(error).encode())
        return 1
    Path(file).unlink(missing_ok=True)
    return 0


async def _ended(service: Service) -> str:
    """End it, however long the server is silent. Raises FtuiError."""
    limit = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return await end.end(service)
        except Unreachable:
            if time.monotonic() > limit:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)


def _end_stdin() -> None:
    """Treat a signal as the end of the pipe: the guard must never end before the service."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
