"""The network between a person's machine and the stand-in, which a test can cut.

Who is cut off hears nothing: no refusal, no end of the connection. A connection of before is dead
for good, as one that a router has forgotten; one that is begun meanwhile waits, and is carried once
the network is back. The containers have a way of their own (worker.py), as Modal's have.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from urllib.parse import urlsplit

from tests.standins.modal_server.lab import Lab

_PIECE = 65536


class Wire:
    """The way to one port; as long as it is cut, nothing passes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open = asyncio.Event()
        self._open.set()
        self._cuts = 0
        self._carrying: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def lay(self) -> int:
        """Begin; the port on this side."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def remove(self) -> None:
        """End it, and what it carries."""
        assert self._server is not None
        self._server.close()
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    async def cut(self) -> None:
        """From now on nobody hears anything."""
        self._cuts += 1
        self._open.clear()

    async def mend(self) -> None:
        """Carry what is new again."""
        self._open.set()

    async def _connected(self, here: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        try:
            await self._open.wait()
            there, ask = await asyncio.open_connection("127.0.0.1", self._port)
            known = self._cuts
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._carry(here, ask, known))
                    both.create_task(self._carry(there, answer, known))
            finally:
                ask.close()
        except* (OSError, asyncio.CancelledError):
            pass  # one of the two has hung up
        finally:
            self._carrying.discard(task)
            answer.close()

    async def _carry(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, known: int
    ) -> None:
        while data := await source.read(_PIECE):
            if self._cuts == known:  # else nobody knows this connection any more
                target.write(data)
                await target.drain()
        if self._cuts != known:
            await asyncio.Event().wait()  # its end is not heard of either
        target.close()


class Network:
    """All that a person's machine has of the way to the stand-in."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._wires = [Wire(lab.port), Wire(urlsplit(lab.state.http).port or 0)]

    @contextlib.contextmanager
    def laid(self) -> Iterator[dict[str, str]]:
        """What a client needs to go through it, as long as this lasts."""
        before = self._lab.state.http
        control, blocks = [self._lab.do(wire.lay) for wire in self._wires]
        self._lab.state.http = f"http://127.0.0.1:{blocks}"
        try:
            yield {**self._lab.env, "MODAL_SERVER_URL": f"http://127.0.0.1:{control}"}
        finally:
            self._lab.state.http = before
            self._each(Wire.remove)

    def cut(self) -> None:
        """Take it away."""
        self._each(Wire.cut)

    def mend(self) -> None:
        """Give it back."""
        self._each(Wire.mend)

    def _each(self, action: Callable[[Wire], Awaitable[None]]) -> None:
        for wire in self._wires:
            self._lab.do(lambda wire=wire: action(wire))  # type: ignore[misc]
