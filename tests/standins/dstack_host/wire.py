"""A way to a server that a test can cut: what was connected is, nobody else is let in."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

_LIMIT = 30.0


class Wire:
    """Leads from a port of its own to another one of this machine, as long as `carry` runs."""

    def __init__(self, far: int) -> None:
        self._far = far
        self._begun, self._over = threading.Event(), asyncio.Event()
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._carrying: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def url(self) -> str:
        """Where the server is found over it."""
        return f"http://127.0.0.1:{self.port}"

    async def carry(self) -> None:
        """Carry everything, until `end`."""
        self._loop = asyncio.get_running_loop()
        await self._join()
        self._begun.set()
        await self._over.wait()
        await self._cut()
        await asyncio.gather(*self._carrying)

    def cut(self) -> None:
        """Drop every connection, and refuse new ones."""
        self._do(self._cut())

    def join(self) -> None:
        """Let everybody through again."""
        self._do(self._join())

    def wait(self) -> None:
        """Wait until it carries."""
        assert self._begun.wait(_LIMIT)

    def end(self) -> None:
        """Cut it for good."""
        self._loop.call_soon_threadsafe(self._over.set)

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(_LIMIT)

    async def _join(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for end in self._ends:
            end.transport.abort()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._through(reader, writer))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def _through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._far)
        except OSError:
            writer.close()
            return
        self._ends |= {writer, far_writer}
        if self._server is None or not self._server.is_serving():  # cut meanwhile
            writer.transport.abort()
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        self._ends -= {writer, far_writer}


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()


@contextlib.contextmanager
def wire(far: int) -> Iterator[Wire]:
    """A way to a port of this machine; cut for good after it."""
    made = Wire(far)
    thread = threading.Thread(target=lambda: asyncio.run(made.carry()), daemon=True)
    thread.start()
    made.wait()
    try:
        yield made
    finally:
        made.end()
        thread.join(_LIMIT)
