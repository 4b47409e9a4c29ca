"""The store of blocks, which volumes are read from and written to over plain HTTP."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator

from aiohttp import web

from tests.standins.modal_server.front import front
from tests.standins.modal_server.state import State

_LARGEST = 2**31


@contextlib.asynccontextmanager
async def storing(state: State) -> AsyncIterator[str]:
    """A server on loopback; its address."""

    async def put(request: web.Request) -> web.Response:
        data = await request.read()
        digest = hashlib.sha256(data)
        state.blocks[digest.hexdigest()] = data
        # A client may name a block by its content without the zeros at its end.
        state.blocks[hashlib.sha256(data.rstrip(b"\0")).hexdigest()] = data
        return web.Response(body=digest.digest())

    async def read(request: web.Request) -> web.Response:
        at = request.match_info
        with state.volume_path(at["volume"], at["path"]).open("rb") as file:
            file.seek(int(at["start"]))
            data = file.read(int(at["length"]))
        damages = state.faults.damages
        if damages and damages in at["path"]:
            data = bytes([data[0] ^ 1]) + data[1:]
        return web.Response(body=data)

    async def ask(request: web.Request) -> web.StreamResponse:
        return await front(state, request)

    application = web.Application(client_max_size=_LARGEST)
    application.router.add_put("/block", put)
    application.router.add_get("/read/{volume}/{start}/{length}/{path:.*}", read)
    application.router.add_route("*", "/web/{function}/{path:.*}", ask)
    runner = web.AppRunner(application, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
