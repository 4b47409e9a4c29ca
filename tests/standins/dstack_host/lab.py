"""A real `dstack server` of its own, and a stand-in host in its fleet."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import yaml

TOKEN = "token-of-the-lab"
PROJECT = "main"
ADDRESS = "127.0.0.2"
"""One fleet an address."""
_SERVER = (str(Path(sys.executable).with_name("dstack")), "server", "-n", "-l", "ERROR")
_HOST = (sys.executable, "-m", "tests.standins.dstack_host")
_LIMIT = 120.0
"""Seconds for the server to start, and for a host to be taken in, on a busy machine too."""


@dataclass
class Lab:
    """Where everything is, and what a test does to it."""

    folder: Path
    port: int
    commands: Path
    """A folder of programs that jobs find before all others."""
    _server: subprocess.Popen[bytes] | None = None
    _others: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def home(self) -> Path:
        """The HOME of a person who has logged in here."""
        return self.folder / "person"

    def ask(self, path: str, body: Any = None) -> Any:
        """What the server answers; the project's own when the path does not begin with `/api`."""
        full = path if path.startswith("/api") else f"/api/project/{PROJECT}/{path}"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = httpx2.post(self.url + full, json=body or {}, headers=headers, timeout=30)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def play(self, trainer: str) -> None:
        """Let `axolotl` in the jobs to come be this shell script."""
        program = self.commands / "axolotl"
        program.unlink(missing_ok=True)
        program.write_text(f"#!/bin/sh\n{trainer}\n")
        program.chmod(0o755)

    def play_scripted(self, steps: int) -> None:
        """Let it be the scripted trainer, which does as many steps as a test allows."""
        trainer = Path(__file__).parents[1] / "scripted_trainer.py"
        self.play(
            'case "$*" in *--resume-from-checkpoint*)\n'
            '  set -- "--resume_from_checkpoint=${*##*--resume-from-checkpoint }";;\n'
            "*) set --;; esac\n"
            f'exec {sys.executable} {trainer} {steps} "$@"'
        )

    def container(self, name: str) -> Path:
        """The working directory of the newest try of a run, on this disk; waits for it."""
        newest = self.ask("runs/get", {"run_name": name})["latest_job_submission"]["id"]
        folder = self.folder / "host" / str(newest) / "disk" / "workspace" / name
        self._wait(folder.is_dir, f"a container of {name}")
        return folder

    def start_server(self) -> None:
        """Start the server, or start it again on the same data."""
        home = self.folder / "server"
        home.mkdir(exist_ok=True)
        with (self.folder / "server.log").open("ab") as log:
            self._server = subprocess.Popen(
                [*_SERVER, "--host", "127.0.0.1", "--port", str(self.port)],
                env=os.environ
                | {
                    "HOME": str(home),
                    "DSTACK_SERVER_DIR": str(home),
                    "DSTACK_SERVER_ADMIN_TOKEN": TOKEN,
                },
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        self._wait(self._healthy, "the dstack server answers")

    def stop_server(self) -> None:
        """Stop the server; what it knows stays on the disk."""
        assert self._server is not None
        self._server.send_signal(signal.SIGTERM)
        self._server.wait(_LIMIT)

    def take_in_host(self) -> None:
        """Start a stand-in host and have the server take it into a fleet."""
        port = free_port(ADDRESS)
        with (self.folder / "host.log").open("ab") as log:
            host = subprocess.Popen(
                [*_HOST, str(self.folder / "host"), str(self.commands), ADDRESS, str(port)],
                stdout=subprocess.PIPE,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        self._others.append(host)
        assert host.stdout is not None
        assert host.stdout.readline() == b"ready\n", (self.folder / "host.log").read_text()
        self._apply_fleet(port)
        self._wait(self._idle, "the host is taken in")

    def log_in(
        self, name: str = PROJECT, *, home: Path | None = None, url: str = "", token: str = TOKEN
    ) -> None:
        """Write the login of a person, as `dstack project add` does."""
        file = (home or self.home) / ".dstack" / "config.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        project = {"name": name, "url": url or self.url, "token": token, "default": True}
        file.write_text(yaml.safe_dump({"projects": [project]}))

    def at_work(self) -> list[str]:
        """The names of the runs that are not over."""
        over = ("done", "failed", "terminated")
        runs = self.ask("/api/runs/list", {"project_name": PROJECT, "only_active": False})
        return [one["run_spec"]["run_name"] for one in runs if one["status"] not in over]

    def end_runs(self) -> None:
        """End every run at once, and wait until the host is free again."""
        if names := self.at_work():
            self.ask("runs/stop", {"runs_names": names, "abort": True})
        self._wait(lambda: not self.at_work() and self._idle(), "the host is free")

    def start_other(self, name: str) -> None:
        """Start a run of somebody else, under this name."""
        task = {"type": "task", "image": "any/image", "user": "root", "commands": ["sleep 600"]}
        configuration = {**task, "resources": {"cpu": "x86:1..", "gpu": "0.."}}
        spec = {"run_name": name, "configuration": configuration}
        self.ask("runs/apply", {"plan": {"run_spec": spec}, "force": False})

    def close(self) -> None:
        """End everything that was started here."""
        for process in [*self._others, *([self._server] if self._server else [])]:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(20)
                process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()

    def _apply_fleet(self, port: int) -> None:
        key = self.folder / "key"
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
        subprocess.run(keygen, check=True)
        keys = {"private": key.read_text(), "public": key.with_suffix(".pub").read_text()}
        hosts = [{"hostname": ADDRESS, "port": port}]
        configuration = {
            "type": "fleet",
            "name": "lab",
            "ssh_config": {"user": "lab", "ssh_key": keys, "hosts": hosts},
        }
        spec = {"configuration": configuration, "profile": {}}
        self.ask("fleets/apply", {"plan": {"spec": spec}, "force": False})

    def _healthy(self) -> bool:
        with contextlib.suppress(httpx2.HTTPError):
            return httpx2.get(self.url + "/healthcheck", timeout=5).is_success
        return False

    def _idle(self) -> bool:
        instances = self.ask("fleets/get", {"name": "lab"})["instances"]
        return [one["status"] for one in instances] == ["idle"]

    def _wait(self, condition: Any, what: str) -> None:
        end = time.monotonic() + _LIMIT
        while not condition():
            assert time.monotonic() < end, f"not in {_LIMIT:.0f} s: {what}; see {self.folder}"
            time.sleep(0.2)


def free_port(address: str) -> int:
    """A port that nobody listens on now."""
    with socket.socket() as one:
        one.bind((address, 0))
        port: int = one.getsockname()[1]
        return port


@contextlib.contextmanager
def lab(folder: Path) -> Iterator[Lab]:
    """A server, a host in its fleet, and a login; all ended after it."""
    commands = folder / "commands"
    commands.mkdir(parents=True)
    made = Lab(folder, free_port("127.0.0.1"), commands)
    try:
        made.start_server()
        made.log_in()
        made.take_in_host()
        yield made
    finally:
        made.close()
