"""One warm process of the train runtime that answers requests, a JSON object a line.

Its script lies in `inside/`, stands alone, and imports axolotl, which takes 7 s (30 s on a busy
machine): a screen starts a worker early and asks it late. The protocol:

    script:  {"ready": …}                     once, when its imports are done
    ftui:    {"id": 1, …}
    script:  {"id": 1, "progress": {…}}       any number of times
    script:  {"id": 1, …}                     the answer
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ftui.errors import RuntimeMissing, TimedOut
from ftui.runtimes.find import Kind, require
from ftui.runtimes.process import quiet_environment

START_LIMIT = 300.0
"""Seconds until a worker must have imported axolotl."""
_LONGEST_LINE = 64 * 2**20
_INSIDE = Path(__file__).parent / "inside"
Progress = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Job:
    """What a worker is for, and what people call it."""

    script: str
    """In `inside/`, or an absolute path."""
    name: str
    """As in: "axolotl's own check does not work"."""
    task: str
    """As in: "axolotl's own check did not validate the config within 60 s"."""
    limit: float
    """Seconds until an answer, or until the next line of progress."""


class Worker:
    """An async context manager around the process.

    Entering starts it and returns at once. It ends with the context, and by itself when ftui
    dies, since its stdin then closes. After a failure the next request starts a new one.
    """

    def __init__(self, job: Job, *, start_limit: float = START_LIMIT) -> None:
        self._job = job
        self._start_limit = start_limit
        self._process: asyncio.subprocess.Process | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._ready = False
        self._number = 0
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Start the process. Raises RuntimeMissing when there is no train runtime."""
        await self._start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process."""
        await self._end()

    async def ask(
        self, request: Mapping[str, Any], on_progress: Progress | None = None
    ) -> dict[str, Any]:
        """The answer to a request; requests take turns.

        Raises RuntimeMissing when the process dies, TimedOut when it does not answer.
        """
        async with self._turn:
            try:
                return await self._ask(request, on_progress)
            except BaseException:
                await self._end()  # half an answer may be on its way
                raise

    async def _ask(
        self, request: Mapping[str, Any], on_progress: Progress | None
    ) -> dict[str, Any]:
        if self._process is None:
            await self._start()
        assert self._process is not None
        assert self._process.stdin is not None
        if not self._ready:
            await self._line(self._start_limit, "import axolotl")
            self._ready = True
        self._number += 1
        with contextlib.suppress(ConnectionError):  # the read below then tells why
            line = json.dumps({"id": self._number, **request})
            self._process.stdin.write(line.encode() + b"\n")
            await self._process.stdin.drain()
        while True:
            answer = await self._line(self._job.limit, self._job.task)
            if answer.get("id") != self._number:
                raise self.failed("it answered something else than it was asked")
            if "progress" not in answer:
                return answer
            if on_progress is not None:
                on_progress(answer["progress"])

    async def _line(self, limit: float, task: str) -> dict[str, Any]:
        """The process's next line, within `limit` seconds."""
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), limit)
        except TimeoutError as error:
            raise TimedOut(
                f"{self._job.name} did not {task} within {limit:.0f} s",
                hint="the machine may be busy: try again",
            ) from error
        except ValueError as error:  # asyncio's word for a line over the limit
            raise self.failed("its answer is too long") from error
        if not line.endswith(b"\n"):
            raise self.failed(self._last_words())
        try:
            answer = json.loads(line)
        except ValueError as error:
            raise self.failed("its answer cannot be read") from error
        if not isinstance(answer, dict):
            raise self.failed("its answer cannot be read")
        return answer

    async def _start(self) -> None:
        runtime = require(Kind.TRAIN)
        try:
            # Its libraries make temporary folders on import; the end of the process takes them.
            self._scratch = tempfile.TemporaryDirectory(
                prefix="ftui-worker-", ignore_cleanup_errors=True
            )
            with self._noise.open("wb") as noise:
                self._process = await asyncio.create_subprocess_exec(
                    runtime.python,
                    _INSIDE / self._job.script,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=noise,
                    env=quiet_environment() | {"TMPDIR": self._scratch.name},
                    limit=_LONGEST_LINE,
                    start_new_session=True,
                )
        except OSError as error:
            await self._end()
            raise self.failed(error.strerror or str(error)) from error
        self._ready = False

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # it holds nothing that could be lost
            await process.wait()
        if self._scratch is not None:
            self._scratch.cleanup()

    @property
    def _noise(self) -> Path:
        """What the process and its libraries wrote to stderr."""
        assert self._scratch is not None
        return Path(self._scratch.name) / "stderr"

    def _last_words(self) -> str:
        try:
            lines = self._noise.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:  # closed while it was asked: the folder is gone
            return "it was ended"
        return next((line.strip() for line in reversed(lines) if line.strip()), "it ended")

    def failed(self, why: str) -> RuntimeMissing:
        """The error that says: this worker is of no use as it is."""
        return RuntimeMissing(
            f"{self._job.name} does not work", why=why, hint="ftui doctor tells what is broken"
        )
