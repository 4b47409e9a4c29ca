"""All that the stand-in knows: apps, functions, images, secrets, volumes, calls, logs."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from grpclib import GRPCError, Status
from modal_proto import api_pb2 as pb

from tests.standins.modal_server.doors import Door
from tests.standins.modal_server.mirror import mirror

TOKEN = ("ak-standin", "as-standin-secret")
RATES = {
    "cpu_hour_cost": "0.0473",
    "cpu_hour_cost_sandbox": "0.1419",
    "mem_gib_hour_cost": "0.008",
    "gpu_hour_cost_t4": "0.59",
    "gpu_hour_cost_l4": "0.80",
    "gpu_hour_cost_a10g": "1.10",
    "gpu_hour_cost_l40s": "1.95",
    "gpu_hour_cost_a100_40gb": "2.10",
    "gpu_hour_cost_a100_80gb": "2.50",
    "gpu_hour_cost_rtx6000": "3.03",
    "gpu_hour_cost_h100": "3.95",
    "gpu_hour_cost_h200": "4.54",
    "gpu_hour_cost_b200": "6.25",
    "gpu_hour_cost_b300": "7.10",
}
"""As `modal billing rates --json` told them to somebody on 2026-09-20."""


@dataclass
class App:
    """An app; `functions` is its published layout, by tag."""

    id: str
    name: str
    state: int
    functions: dict[str, str] = field(default_factory=dict)


@dataclass
class Task:
    """A container: one process, and all that it starts."""

    id: str
    call: Call
    process: asyncio.subprocess.Process | None = None
    served: bool = False
    preempted: bool = False


@dataclass
class Call:
    """A call of a function: one input, and how its tries went."""

    id: str
    function_id: str
    app_id: str
    input_id: str
    input: pb.FunctionInput
    created: float = field(default_factory=time.time)
    retries: int = 0
    attempt: pb.GenericResult | None = None
    """How the newest try ended."""
    result: pb.GenericResult | None = None
    """How the call ended."""
    data_format: int = pb.DATA_FORMAT_PICKLE
    task: Task | None = None
    runner: asyncio.Task[None] | None = None
    gpus: list[str] = field(default_factory=list)
    """What each try ran on, such as `H100:2`; empty text = no GPU."""


@dataclass(frozen=True)
class Entry:
    """A line that a container printed. `fd`: its file descriptor."""

    number: int
    nanoseconds: int
    text: str
    fd: int
    task: Task


@dataclass
class Faults:
    """What goes wrong, by order of a test."""

    refusals: defaultdict[str, list[GRPCError]] = field(default_factory=lambda: defaultdict(list))
    """By RPC: what its next calls are answered with, in their order."""
    offline: bool = False
    """Whether nothing answers."""
    image_error: str = ""
    """Why every image build fails; empty = it does not."""
    building: bool = False
    """Whether an image build goes on and on."""
    damages: str = ""
    """Files of volumes whose path holds this arrive with a wrong byte; empty = none."""
    machines: bool = True
    """Whether a machine can be had; without one, calls wait."""


class State:
    """Everything, and a condition that tells when something changed."""

    def __init__(self, root: Path, container_env: dict[str, str]) -> None:
        self.root = root.resolve()
        self.container_env = container_env
        self.faults = Faults()
        self.http = ""
        self.rates = dict(RATES)
        self.apps: dict[str, App] = {}
        self.functions: dict[str, pb.Function] = {}
        self.function_apps: dict[str, str] = {}
        self.handles: dict[str, pb.FunctionHandleMetadata] = {}
        self.images: dict[str, tuple[bytes, bool]] = {}
        """By id: the definition, and whether it is built."""
        self.secrets: dict[str, dict[str, str]] = {}
        self.secret_names: dict[str, str] = {}
        self.mounts: dict[str, dict[str, str]] = {}
        self.files: dict[str, bytes] = {}
        """By sha256, what mounts hold."""
        self.volumes: dict[str, pb.VolumeMetadata] = {}
        self.blocks: dict[str, bytes] = {}
        """By sha256, what volumes are made of."""
        self.calls: dict[str, Call] = {}
        self.doors: dict[str, Door] = {}
        """By function, those that answer HTTP."""
        self.log: list[Entry] = []
        self.requests: list[str] = []
        """The name of every RPC, in its order."""
        self.changed = asyncio.Condition()
        self._counters: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))

    def new(self, prefix: str) -> str:
        """A fresh id, such as `fc-000001`."""
        return f"{prefix}-{next(self._counters[prefix]):06d}"

    async def touch(self) -> None:
        """Wake whoever waits."""
        async with self.changed:
            self.changed.notify_all()

    async def until(self, done: Callable[[], bool], seconds: float) -> None:
        """Wait until it is done, but no longer than that."""
        end = time.monotonic() + seconds
        async with self.changed:
            while not done() and (left := end - time.monotonic()) > 0:
                try:
                    await asyncio.wait_for(self.changed.wait(), left)
                except TimeoutError:
                    return

    async def note(self, text: str, fd: int, task: Task) -> None:
        """Keep a line that a container printed."""
        self.log.append(Entry(len(self.log) + 1, time.time_ns(), text, fd, task))
        await self.touch()

    def app(self, name: str) -> App | None:
        """The app that is deployed under a name."""
        deployed = (one for one in self.apps.values() if one.name == name)
        return next((one for one in deployed if one.state == pb.APP_STATE_DEPLOYED), None)

    def is_deployed(self, app_id: str) -> bool:
        """Whether an app is in place."""
        return self.apps[app_id].state == pb.APP_STATE_DEPLOYED

    def is_over(self, app_id: str) -> bool:
        """Whether an app will print nothing more: a detached one ends with its last call."""
        state = self.apps[app_id].state
        calls = (call for call in self.calls.values() if call.app_id == app_id)
        idle = all(call.result is not None and call.task is None for call in calls)
        detached = state == pb.APP_STATE_DETACHED_DISCONNECTED
        return state == pb.APP_STATE_STOPPED or (detached and idle)

    def call(self, call_id: str) -> Call:
        """A call. Raises GRPCError."""
        if call_id not in self.calls:
            raise GRPCError(Status.NOT_FOUND, f"Function call {call_id} not found")
        return self.calls[call_id]

    def live(self, volume_id: str) -> Path:
        """Where containers have a volume, with what they have not committed."""
        return self.root / "live" / self.volumes[volume_id].name

    def commit(self, volume_id: str) -> None:
        """Keep what containers wrote."""
        mirror(self.live(volume_id), self.volume_path(volume_id))

    def reload(self, volume_id: str) -> None:
        """Give containers what is kept, and nothing else."""
        mirror(self.volume_path(volume_id), self.live(volume_id))

    def volume_path(self, volume_id: str, path: str = "") -> Path:
        """Where a volume's file, as it is kept, is on this machine. Raises GRPCError."""
        base = (self.root / "volumes" / self.volumes[volume_id].name).resolve()
        found = (base / path.lstrip("/")).resolve()
        if not found.is_relative_to(base):
            raise GRPCError(Status.INVALID_ARGUMENT, "path leaves the volume")
        return found
