"""One job: its files laid out, its commands run on a terminal of their own, its output kept."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import io
import os
import pty
import re
import signal
import tarfile
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")
"""What the real runner takes out of a job's output, too."""
_INTERRUPT_SECONDS, _KILL_SECONDS = 10.0, 5.0


class Clock:
    """Milliseconds since the epoch, never twice the same."""

    def __init__(self) -> None:
        self.last = 0

    def next(self) -> int:
        self.last = max(self.last + 1, int(time.time() * 1000))
        return self.last


class Job:
    """What runs in one container."""

    def __init__(self, root: Path, path: str) -> None:
        self.disk = root / "disk"
        self.folder = self.disk
        """The working directory, once the job is known."""
        self.environment: dict[str, str] = {"PATH": path, "LANG": "C.UTF-8", "TERM": "xterm"}
        self.clock = Clock()
        self.states: list[dict[str, Any]] = []
        self.logs: list[dict[str, Any]] = []
        self.raw: list[bytes] = []
        self.over = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    def path(self, path: str) -> Path:
        """Where a path of the container is on this machine."""
        return self.disk / os.path.normpath("/" + path).lstrip("/")

    def port(self, inside: int) -> int:
        """Where a port of the container is on this machine: all containers share its loopback, so
        a program that listens on one writes the port that it took into `ports/`."""
        told = self.disk / "ports" / str(inside)
        return int(told.read_text()) if told.is_file() else inside

    async def run(self, body: Mapping[str, Any], archives: Mapping[str, bytes]) -> None:
        """Everything, to its end."""
        spec = body["job_spec"]
        where = spec.get("working_dir") or "/dstack/run"
        self.folder = self.path(where)
        for folder in (self.folder, self.path("/root"), self.path("/tmp")):
            folder.mkdir(parents=True, exist_ok=True)
        for mapping in spec.get("file_archives") or []:
            _unpack(archives[mapping["id"]], self.path(f"{where}/{mapping['path']}"))
        self.environment |= self._variables(body)
        self._state("running")
        try:
            code = await asyncio.wait_for(
                self._execute(spec["commands"]), spec.get("max_duration") or None
            )
        except TimeoutError:
            await self.kill()
            self._state("terminated", "max_duration_exceeded")
        else:
            if self._stopping:
                self._state("terminated")
            else:
                self._state("failed" if code else "done", exit_status=code % 256)
        self.over.set()

    async def stop(self) -> None:
        """End it because it was asked to."""
        self._stopping = True
        await self.kill()

    async def kill(self) -> None:
        """Interrupt the job, then end it for good."""
        process = self._process
        if process is None:
            return
        for number, seconds in (
            (signal.SIGINT, _INTERRUPT_SECONDS),
            (signal.SIGKILL, _KILL_SECONDS),
        ):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(process.wait()), seconds)
                break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def _variables(self, body: Mapping[str, Any]) -> dict[str, str]:
        spec, cluster = body["job_spec"], body.get("cluster_info") or {}
        gpus, nodes = cluster.get("gpus_per_job") or 0, spec.get("jobs_per_replica") or 1
        return {
            "DSTACK_RUN_NAME": body["run"]["run_spec"]["run_name"],
            "DSTACK_WORKING_DIR": str(self.folder),
            "DSTACK_NODE_RANK": str(spec.get("job_num", 0)),
            "DSTACK_NODES_NUM": str(nodes),
            "DSTACK_MASTER_NODE_IP": str(cluster.get("master_job_ip", "")),
            "DSTACK_GPUS_PER_NODE": str(gpus),
            "DSTACK_GPUS_NUM": str(gpus * nodes),
            **(body.get("secrets") or {}),
            **(spec.get("env") or {}),
            "HOME": str(self.path("/root")),
        }

    async def _execute(self, command: list[str]) -> int:
        ours, theirs = pty.openpty()
        ended = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(ours, self._read, ours, ended)

        def become_leader() -> None:
            os.setsid()
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

        self._process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.folder,
            env=self.environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            preexec_fn=become_leader,
        )
        os.close(theirs)
        code = await self._process.wait()
        with contextlib.suppress(ProcessLookupError):  # a container ends with its first process
            os.killpg(self._process.pid, signal.SIGKILL)
        await asyncio.wait([ended], timeout=2)
        return code

    def _read(self, handle: int, ended: asyncio.Future[None]) -> None:
        try:
            data = os.read(handle, 65536)
        except OSError:  # the other side is closed
            data = b""
        if data:
            self.raw.append(data)
            self.logs.append(self._entry(_ESCAPES.sub(b"", data)))
            return
        asyncio.get_running_loop().remove_reader(handle)
        os.close(handle)
        if not ended.done():
            ended.set_result(None)

    def _entry(self, data: bytes) -> dict[str, Any]:
        return {"timestamp": self.clock.next(), "message": base64.b64encode(data).decode()}

    def _state(self, state: str, reason: str = "", exit_status: int | None = None) -> None:
        self.states.append(
            {
                "state": state,
                "timestamp": self.clock.next(),
                "termination_reason": reason,
                "termination_message": "",
                "exit_status": exit_status,
            }
        )


def _unpack(archive: bytes, target: Path) -> None:
    """A file or a folder, under the name that it is to have."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar.getmembers():
            _, _, rest = member.name.partition("/")
            member.name = f"{target.name}/{rest}" if rest else target.name
            tar.extract(member, target.parent, filter="data")
