"""Serves a run's model with vLLM for as long as somebody talks to it."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ftui import paths
from ftui.errors import TargetUnavailable, TimedOut
from ftui.runs.model import Run
from ftui.serve import records
from ftui.targets.endpoint import Endpoint, Phase, Stage, own_log
from ftui.targets.vllm import client, command, readiness
from ftui.targets.vllm import log as server_log

START_SECONDS = 600.0
"""The limit for starting; a tiny model on two busy cores has needed 80 s."""
DOWNLOAD_SECONDS = 3600.0
"""The limit when the base model may have to be downloaded first."""
STOP_SECONDS = 20.0
"""How long to wait for the guard to end the server; it goes on alone if that is not enough."""
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class _Launch:
    """All that is needed to start one server."""

    command: list[str]
    variables: Mapping[str, str]
    endpoint: Endpoint
    record_file: Path
    log: IO[str]
    """What the server prints into; the server's alone (targets/endpoint.py)."""
    limit_seconds: float

    @property
    def log_file(self) -> Path:
        """Its place."""
        return Path(self.log.name)


@asynccontextmanager
async def serve_run(
    run: Run,
    on_phase: Callable[[Phase], None],
    *,
    port: int | None = None,
    limit_seconds: float | None = None,
) -> AsyncIterator[Endpoint]:
    """The endpoint of a run's base and tuned model, on a free loopback port unless one is named.

    All that was started is ended when this context is left, however that comes about.
    Raises RuntimeMissing (no vLLM), TargetUnavailable (port taken, cannot be started), RunFailed
    (nothing to serve, or vLLM refuses) and TimedOut.
    """
    launch = await asyncio.to_thread(_prepare, run, port, limit_seconds)
    process = _start(launch)
    try:
        await _until_ready(process, launch, on_phase)
        yield launch.endpoint
    finally:
        await _stop(process)


def free_port() -> int:
    """A loopback port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def checked_port(port: int) -> int:
    """`port`, if it can be used. Raises TargetUnavailable otherwise."""
    with socket.socket() as probe:
        # As vLLM will: the remains of ended connections keep nobody from a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            raise TargetUnavailable(
                f"port {port} cannot be used",
                why=getattr(error, "strerror", None) or str(error),
                hint="name another port, or none: then a free one is taken",
            ) from error
    return port


def _prepare(run: Run, port: int | None, limit_seconds: float | None) -> _Launch:
    """Find everything out that may fail or take a moment, and end what was left behind."""
    import httpx2  # noqa: F401  (slow to import: here it does not hold up the screen)

    from ftui.runtimes import Kind, require
    from ftui.targets.machine import detect

    models = command.models_of(run)
    python = require(Kind.SERVE).python
    port = free_port() if port is None else checked_port(port)
    arguments, variables = command.serve_command(python, models, port, detect())
    records.reap()
    # Made anew each time: nobody else on this machine can ask, and we cannot ask somebody else's.
    key = secrets.token_urlsafe()
    log = _opened(run)
    return _Launch(
        command=arguments,
        variables={**variables, "VLLM_API_KEY": key},
        endpoint=Endpoint(
            base_url=f"http://127.0.0.1:{port}",
            base=None if models.alone else "base",
            tuned="tuned",
            api_key=key,
            log_file=Path(log.name),
        ),
        record_file=paths.servers_dir() / f"{run.name}.{port}.json",
        log=log,
        limit_seconds=limit_seconds or (START_SECONDS if models.local else DOWNLOAD_SECONDS),
    )


def _opened(run: Run) -> IO[str]:
    try:
        return own_log(run.folder)
    except OSError as error:
        raise TargetUnavailable("vLLM cannot be started", why=str(error)) from error


def _start(launch: _Launch) -> subprocess.Popen[bytes]:
    """Start vLLM under a guard whose standard input is ours to close."""
    guard = [sys.executable, "-m", "ftui.serve.guard", str(launch.record_file)]
    try:
        with launch.log as log:
            return subprocess.Popen(
                [*guard, *launch.command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # ctrl+c in the terminal is ftui's to answer
                cwd=launch.log_file.parent,  # `-m` must find no module of the person's own
                env={**os.environ, **launch.variables},
            )
    except OSError as error:
        raise TargetUnavailable("vLLM cannot be started", why=str(error)) from error


async def _until_ready(
    process: subprocess.Popen[bytes], launch: _Launch, on_phase: Callable[[Phase], None]
) -> None:
    """Wait until each served model has answered one real token, within the limit."""
    started = time.monotonic()

    def reach(stage: Stage) -> None:
        on_phase(Phase(stage, time.monotonic() - started, launch.log_file))

    try:
        async with asyncio.timeout(launch.limit_seconds):
            await _until_up(process, launch, reach)
            reach(Stage.CHECKING)
            await readiness.ask_each(launch.endpoint)
    except TimeoutError as error:
        raise TimedOut(
            f"vLLM was not ready after {launch.limit_seconds:.0f} s",
            hint=f"its log: {launch.log_file}",
        ) from error
    reach(Stage.READY)


async def _until_up(
    process: subprocess.Popen[bytes], launch: _Launch, reach: Callable[[Stage], None]
) -> None:
    reach(Stage.STARTING)
    loading = False
    while not await client.is_up(launch.endpoint):
        if process.poll() is not None:
            why = _ending(process.returncode)
            raise readiness.failed("vLLM ended while it started", launch.log_file, why)
        if not loading and server_log.is_loading(server_log.read(launch.log_file)):
            loading = True
            reach(Stage.LOADING)
        await asyncio.sleep(_POLL_SECONDS)


def _ending(code: int) -> str:
    """A guard's exit code in words."""
    if code == 128 + signal.SIGKILL:
        return "it was killed, as happens when the memory is full"
    return f"exit code {code}"


async def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the guard to end the server, and wait until it has."""
    assert process.stdin is not None
    process.stdin.close()
    end = time.monotonic() + STOP_SECONDS
    while process.poll() is None and time.monotonic() < end:
        await asyncio.sleep(_POLL_SECONDS / 4)
