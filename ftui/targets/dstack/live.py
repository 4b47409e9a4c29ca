"""Events as they happen: read in the container over ssh, long before the server has them.

A server learns what a job prints every ten seconds or so. Where the container cannot be reached,
everything comes with its log all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Callable

from ftui.targets.dstack import shell
from ftui.targets.dstack.api import Json

_COMMAND = "echo connected && tail -n +1 -s 0.2 -f events.jsonl"
_PAUSE_SECONDS = 15.0
"""Between two tries to reach the container."""
_LINE_BYTES = 2**20


class Live:
    """Hands every whole event of the container to `take`, those that were there already too."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._reading: asyncio.Task[None] | None = None
        self._again_at = 0.0

    def see_to_it(self, run: Json, key: str) -> None:
        """Read from now on, unless that is going on. `run`: what the server says of it."""
        if self.wanted:
            self._again_at = time.monotonic() + _PAUSE_SECONDS
            self._reading = asyncio.create_task(self._read(run, key))

    @property
    def wanted(self) -> bool:
        """Whether nobody reads, and it is time to try."""
        idle = self._reading is None or self._reading.done()
        return idle and time.monotonic() >= self._again_at

    async def close(self) -> None:
        """Read no more."""
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
            self._reading = None

    async def _read(self, run: Json, key: str) -> None:
        with (
            contextlib.suppress(OSError, ValueError, shell.ShellFailed),
            shell.opened(run, key) as door,
        ):
            process = await asyncio.create_subprocess_exec(
                *door.argv(_COMMAND),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=_LINE_BYTES,
                start_new_session=True,  # to end what it starts itself, too: a jump's own ssh
            )
            try:
                assert process.stdout is not None
                await process.stdout.readline()
                door.forget_key()  # it must not lie there for as long as the run lasts
                while line := await process.stdout.readline():
                    if line.endswith(b"\n") and _is_event(line):
                        self._take(line[:-1])
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()


def _is_event(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
