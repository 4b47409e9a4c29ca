"""One stand-in for a test: started in a thread, and everything that it runs ended after it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from modal.client import _Client
from modal_proto import api_pb2 as pb

from ftui.runs.model import Run
from ftui.serve.server import free_port
from ftui.targets.modal.app import app_name, place_of
from tests.standins.modal_server.blocks import storing
from tests.standins.modal_server.front import close_all
from tests.standins.modal_server.service import serving
from tests.standins.modal_server.state import TOKEN, Call, Faults, State
from tests.standins.modal_server.worker import cancel, kill, take_away
from tests.standins.runs import allow

_START_SECONDS = 30.0
_TRAINER = Path(__file__).parents[1] / "scripted_trainer.py"
_T = TypeVar("_T")


@dataclass(frozen=True)
class Lab:
    """A running stand-in. `commands` is first on the PATH of its containers."""

    root: Path
    state: State
    loop: asyncio.AbstractEventLoop
    port: int
    commands: Path
    leaving: set[asyncio.Task[None]] = field(default_factory=set)
    """Containers whose machines are being taken away."""

    @property
    def env(self) -> dict[str, str]:
        """What a client of it needs, the test's own logins out of the way."""
        return {
            "MODAL_SERVER_URL": f"http://127.0.0.1:{self.port}",
            "MODAL_TOKEN_ID": TOKEN[0],
            "MODAL_TOKEN_SECRET": TOKEN[1],
            "MODAL_CONFIG_PATH": str(self.root / "no.toml"),
            **{name: value for name, value in self.state.container_env.items() if name != "PATH"},
        }

    def play(self, script: str, command: str = "axolotl") -> None:
        """What a command does in the containers, as lines of a shell script."""
        program = self.commands / command
        draft = self.commands / f".{command}"
        draft.write_text(f"#!/bin/sh\n{script}\n")
        draft.chmod(0o755)
        draft.replace(program)

    def play_scripted(self, steps: int) -> None:
        """Let it be the scripted trainer, which does as many steps as a test allows."""
        self.play(
            'case "$*" in *--resume-from-checkpoint=*)\n'
            '  set -- "--resume_from_checkpoint=${*##*--resume-from-checkpoint=}";;\n'
            "*) set --;; esac\n"
            f'exec {sys.executable} {_TRAINER} {steps} "$@"'
        )

    def container(self, run: Run) -> Path:
        """The folder of a run as its container has it."""
        return self.root / "live" / "ftui-runs" / place_of(run)

    def kept(self, run: Run) -> Path:
        """The folder of a run on its volume, as it is kept."""
        return self.volume("ftui-runs") / place_of(run)

    def allow(self, run: Run, steps: int) -> None:
        """Let the scripted trainer go on to a step, not while the volume is being copied."""

        async def write() -> None:
            for folder in (self.kept(run), self.container(run)):
                folder.mkdir(parents=True, exist_ok=True)
                allow(Run(folder), steps)

        self.do(write)

    @property
    def calls(self) -> list[Call]:
        """Every call, in the order in which they were made."""
        return list(self.state.calls.values())

    def at_work(self) -> list[Call]:
        """The calls that have not ended."""
        return [call for call in self.calls if call.result is None]

    def calls_of(self, run: Run) -> list[Call]:
        """The calls of a run's app, in the order in which they were made."""
        name = app_name(place_of(run))
        return [call for call in self.calls if self.state.apps[call.app_id].name == name]

    def deployed(self) -> list[str]:
        """The names of the apps that are in place."""
        apps = self.state.apps.values()
        return [one.name for one in apps if one.state == pb.APP_STATE_DEPLOYED]

    def mend(self) -> None:
        """End everything at work, and every fault."""
        self.state.faults = Faults()

        async def end() -> None:
            for app in self.state.apps.values():
                app.state = pb.APP_STATE_STOPPED
            for call in self.at_work():
                await cancel(self.state, call)
            await close_all(self.state)

        self.do(end)

    def volume(self, name: str) -> Path:
        """Where the files of a volume are, as they are kept."""
        return self.root / "volumes" / name

    def do(self, action: Callable[[], Awaitable[_T]]) -> _T:
        """Do something in the stand-in's own loop."""

        async def act() -> _T:
            return await action()

        return asyncio.run_coroutine_threadsafe(act(), self.loop).result(_START_SECONDS)

    def kill(self) -> None:
        """End the containers at work at once."""

        async def end() -> None:
            for call in self.at_work():
                if call.task is not None:
                    kill(call.task)

        self.do(end)

    def take_away(self) -> None:
        """Take the machines of the containers at work away (preemption); they are at it a while."""

        async def begin() -> None:
            for call in self.at_work():
                if call.task is not None:
                    leaving = asyncio.create_task(take_away(call.task))
                    self.leaving.add(leaving)
                    leaving.add_done_callback(self.leaving.discard)

        self.do(begin)

    def machines(self, there: bool) -> None:
        """Whether machines can be had."""
        self.state.faults.machines = there
        self.do(self.state.touch)

    def secret(self, name: str, **values: str) -> None:
        """Keep a secret in the workspace."""
        secret_id = self.state.new("st")
        self.state.secrets[secret_id] = values
        self.state.secret_names[name] = secret_id


@contextlib.contextmanager
def lab(root: Path) -> Iterator[Lab]:
    """A stand-in that lives as long as this does."""
    commands = root / "commands"
    commands.mkdir(parents=True)
    environment = {
        "PATH": f"{commands}:{os.environ['PATH']}",
        "FTUI_MODAL_ROOT": str(root / "mnt"),
        "FTUI_MODAL_PORT": str(free_port()),
    }
    _Client._set_env_client(None)  # that of this process may belong to an earlier stand-in
    ready: list[Lab] = []
    started, stop = threading.Event(), asyncio.Event()

    async def main() -> None:
        state = State(root, environment)
        async with storing(state) as address, serving(state) as port:
            state.http = address
            ready.append(Lab(root, state, asyncio.get_running_loop(), port, commands))
            started.set()
            await stop.wait()
            for call in state.calls.values():
                if call.runner is not None:
                    call.runner.cancel()
                if call.task is not None:
                    kill(call.task)
            await close_all(state)

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="modal stand-in")
    thread.start()
    try:
        if not started.wait(_START_SECONDS):
            raise RuntimeError("the stand-in does not start")
        yield ready[0]
    finally:
        if ready:
            ready[0].loop.call_soon_threadsafe(stop.set)
        thread.join(_START_SECONDS)
