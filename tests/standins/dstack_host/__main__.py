"""`python -m tests.standins.dstack_host FOLDER COMMANDS ADDRESS PORT`: be a host.

Its files are in FOLDER; jobs find the programs in COMMANDS before all others. Prints `ready` once
it listens.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from tests.standins.dstack_host.shim import Shim
from tests.standins.dstack_host.ssh import Doors


async def serve(app: Starlette) -> int:
    """Serve an app on a free port of the loopback until this process ends; the port."""
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off")
    )
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve())
    _SERVING.add(serving)
    while not server.started:
        await asyncio.sleep(0.01)
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


_SERVING: set[asyncio.Task[None]] = set()


async def main() -> None:
    """Be a host until this process is ended."""
    root, commands, address, port = sys.argv[1:]
    Path(root).mkdir(parents=True, exist_ok=True)
    shim = Shim(Path(root), f"{commands}{os.pathsep}{os.environ['PATH']}", serve)
    await Doors(Path(root), shim, await serve(shim.app())).open(address, int(port))
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
