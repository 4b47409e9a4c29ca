"""The sshd of the host and that of the container, and the ports that are reached through them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncssh

from tests.standins.dstack_host import VERSION
from tests.standins.dstack_host.shim import Shim

_SHIM, _RUNNER, _CONTAINER_SSH = 10998, 10999, 10022
"""Ports that dstack expects on a host. Here they are reached through SSH alone."""

HOST_INFO = {
    "gpu_vendor": "nvidia",
    "gpu_name": "NVIDIA GeForce RTX 4090",
    "gpu_memory": 24564,
    "gpu_count": 1,
    "disk_size": 500 << 30,
    "cpus": 16,
    "memory": 64 << 30,
}


class Doors:
    """Both SSH servers of a host."""

    def __init__(self, root: Path, shim: Shim, shim_port: int) -> None:
        self._root, self._shim, self._shim_port = root, shim, shim_port
        self._container_port = 0
        self._info = ""

    async def open(self, address: str, port: int) -> None:
        """Listen on the host's address, and for the container on a free port of the loopback."""
        self._info = json.dumps({**HOST_INFO, "addresses": [f"{address}/8"]})
        key = asyncssh.generate_private_key("ssh-ed25519")
        files = self._root / "host"
        (files / "tmp").mkdir(parents=True, exist_ok=True)
        doors = self

        class Server(asyncssh.SSHServer):
            def begin_auth(self, username: str) -> bool:
                return True

            def public_key_auth_supported(self) -> bool:
                return True

            def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
                return True  # it is on the loopback, and thrown away after the test

            def connection_requested(
                self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
            ) -> Any:
                return _forwarded(doors._port_of(dest_port))

        class HostFiles(asyncssh.SFTPServer):
            def __init__(self, channel: Any) -> None:
                super().__init__(channel, chroot=os.fsencode(files))

        self._host = await asyncssh.create_server(
            Server,
            address,
            port,
            server_host_keys=[key],
            process_factory=self._on_host,
            sftp_factory=HostFiles,
        )
        self._container = await asyncssh.create_server(
            Server,
            "127.0.0.1",
            0,
            server_host_keys=[key],
            process_factory=self._in_container,
            encoding=None,
        )
        self._container_port = self._container.sockets[0].getsockname()[1]

    def _port_of(self, port: int) -> int:
        if port == _SHIM:
            return self._shim_port
        if port == _RUNNER:
            current = self._shim.current
            return self._shim.ports[current[0]] if current else 0
        if port == _CONTAINER_SSH:
            return self._container_port
        current = self._shim.current
        return current[1].job.port(port) if current else port

    async def _on_host(self, process: asyncssh.SSHServerProcess[str]) -> None:
        """Answers what onboarding asks; installs nothing."""
        command = (process.command or "").strip()
        if command == "uname -m":
            process.stdout.write("x86_64\n")
        elif "host_info.json" in command and "cat" in command:
            process.stdout.write(self._info)
        elif "/api/healthcheck" in command:
            process.stdout.write(json.dumps({"service": "dstack-shim", "version": VERSION}))
        process.exit(1 if "test -e" in command else 0)

    async def _in_container(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        current = self._shim.current
        if current is None:
            process.exit(255)
            return
        job = current[1].job
        command = process.command
        child = await asyncio.create_subprocess_exec(
            "bash",
            *(["-lc", command] if command else ["-l"]),
            cwd=job.path("/root"),
            env=job.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
        ends = [
            asyncio.ensure_future(end)
            for end in (child.wait(), job.over.wait(), process.channel.wait_closed())
        ]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        with contextlib.suppress(ProcessLookupError):  # a container takes its shells along
            os.killpg(child.pid, signal.SIGKILL)
        code = await child.wait()
        for end in ends:
            end.cancel()
        with contextlib.suppress(OSError, asyncssh.Error):
            await process.stdout.drain()
            process.exit(code)


def _forwarded(port: int) -> Callable[[Any, Any], Awaitable[None]]:
    """Joins a connection that came through SSH to a port of this machine."""

    async def forward(reader: Any, writer: Any) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        far_writer.close()
        writer.close()

    return forward


async def _pump(source: Any, sink: Any) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.write_eof()
