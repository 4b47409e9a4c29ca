"""A real `dstack server` of its own, and stand-in hosts in its fleet."""

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
import psutil
import yaml

TOKEN = "token-of-the-lab"
PROJECT = "main"
ADDRESSES = ("127.0.0.2", "127.0.0.3")
"""Of the hosts; one fleet an address."""
_HURRIED = (sys.executable, "-m", "tests.standins.dstack_host.server")
_USUAL = (str(Path(sys.executable).with_name("dstack")),)
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
    hurried: bool = True
    """Whether the server's own pauses are shorter than usual (server.py)."""
    _server: subprocess.Popen[bytes] | None = None
    _hosts: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _ports: list[int] = field(default_factory=list)
    """Where each host is reached."""

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

    def play(self, trainer: str, program: str = "axolotl") -> None:
        """Let `axolotl`, or another program, in the jobs to come be this shell script."""
        file = self.commands / program
        file.unlink(missing_ok=True)
        file.write_text(f"#!/bin/sh\n{trainer}\n")
        file.chmod(0o755)

    def play_scripted(self, steps: int) -> None:
        """Let it be the scripted trainer, which does as many steps as a test allows."""
        trainer = Path(__file__).parents[1] / "scripted_trainer.py"
        self.play(
            'echo "$@" >arguments\n'
            'case "$*" in *--resume-from-checkpoint*)\n'
            '  set -- "--resume_from_checkpoint=${*##*--resume-from-checkpoint }";;\n'
            "*) set --;; esac\n"
            f'exec {sys.executable} {trainer} {steps} "$@"'
        )

    def container(self, name: str, node: int = 0) -> Path:
        """The working directory of a run's newest try, on this disk; waits for it."""
        job = self.ask("runs/get", {"run_name": name})["jobs"][node]
        place = Path(str(job["job_submissions"][-1]["id"]), "disk", "workspace", name)
        folders = [self.host(number) / place for number in range(len(self._hosts))]
        self._wait(lambda: any(one.is_dir() for one in folders), f"a container of {name}")
        return next(one for one in folders if one.is_dir())

    def host(self, number: int) -> Path:
        """Where the files of a host are."""
        return self.folder / ("host" if number == 0 else f"host-{number}")

    def lose_host(self, number: int) -> None:
        """Have a host vanish with everything that runs on it."""
        self._hosts[number].kill()
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if Path(process.cwd()).is_relative_to(self.host(number)):
                    process.kill()

    def start_server(self) -> None:
        """Start the server, or start it again on the same data."""
        home = self.folder / "server"
        home.mkdir(exist_ok=True)
        program = (*(_HURRIED if self.hurried else _USUAL), "server", "-n", "-l", "ERROR")
        with (self.folder / "server.log").open("ab") as log:
            self._server = subprocess.Popen(
                [*program, "--host", "127.0.0.1", "--port", str(self.port)],
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

    def freeze_server(self) -> None:
        """Have it answer nothing; who asks is still let in, as on a network that hangs."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)

    def thaw_server(self) -> None:
        """Have it go on."""
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT)

    def take_in_hosts(self, count: int) -> None:
        """Start stand-in hosts and have the server take them into one fleet."""
        self._ports = [free_port(address) for address in ADDRESSES[:count]]
        for number in range(count):
            self._start_host(number)
        self._apply_fleet()
        self._wait(self._idle, "the hosts are taken in")

    def bring_back_hosts(self) -> None:
        """Have those that were lost be there again, with nothing on them."""
        for number, host in enumerate(self._hosts):
            if host.poll() is not None and host.stdout:
                host.stdout.close()
                self._start_host(number)

    def _start_host(self, number: int) -> None:
        folder, address, port = str(self.host(number)), ADDRESSES[number], self._ports[number]
        with (self.folder / "host.log").open("ab") as log:
            host = subprocess.Popen(
                [*_HOST, folder, str(self.commands), address, str(port)],
                stdout=subprocess.PIPE,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        self._hosts[number : number + 1] = [host]
        assert host.stdout is not None
        assert host.stdout.readline() == b"ready\n", (self.folder / "host.log").read_text()

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
        for process in [*self._hosts, *([self._server] if self._server else [])]:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(20)
                process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()

    def _apply_fleet(self) -> None:
        key = self.folder / "key"
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
        subprocess.run(keygen, check=True)
        keys = {"private": key.read_text(), "public": key.with_suffix(".pub").read_text()}
        places = zip(ADDRESSES, self._ports, strict=False)
        hosts = [{"hostname": address, "port": port} for address, port in places]
        configuration = {
            "type": "fleet",
            "name": "lab",
            "placement": "cluster" if len(hosts) > 1 else "any",
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
        free = [one["status"] == "idle" and not one["unreachable"] for one in instances]
        return free == [True] * len(self._hosts)

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
def lab(folder: Path, hosts: int = 1, *, hurried: bool = True) -> Iterator[Lab]:
    """A server, hosts in its fleet, and a login; all ended after it."""
    commands = folder / "commands"
    commands.mkdir(parents=True)
    made = Lab(folder, free_port("127.0.0.1"), commands, hurried)
    try:
        made.start_server()
        made.log_in()
        made.take_in_hosts(hosts)
        yield made
    finally:
        made.close()
