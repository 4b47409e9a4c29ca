"""A shell in the run's container, over the person's own `ssh`, as `dstack attach` makes one.

The key is the one that the server keeps for the person. It lies in a folder of its own, readable by
nobody else, for as long as the shell is used.
"""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ftui.errors import TargetUnavailable

_CONTAINER_PORT = 10022
_CONNECT_SECONDS = 15
_COMMAND_SECONDS = 60.0
_HOST = "container"
_KEY = "key"

_CONFIG = """\
Host *
  IdentityFile {key}
  IdentitiesOnly yes
  BatchMode yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
  ConnectTimeout {seconds}
  ServerAliveInterval 15
"""


class ShellFailed(TargetUnavailable):
    """The container could not be reached, or a command in it failed."""


@dataclass(frozen=True)
class Shell:
    """Runs commands in the working directory of a container."""

    config: Path
    folder: str
    """The working directory, should the container not say it itself."""

    def run(self, command: str, *, seconds: float = _COMMAND_SECONDS) -> str:
        """What a command prints. Raises ShellFailed."""
        try:
            done = subprocess.run(
                self.argv(command),
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=seconds,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _failed(str(error)) from error
        if done.returncode:
            raise _failed(done.stderr.decode(errors="replace").strip())
        return done.stdout.decode(errors="replace")

    @contextlib.contextmanager
    def reading(self, command: str) -> Iterator[IO[bytes]]:
        """What a command prints, as it comes. Raises ShellFailed when it fails."""
        try:
            process = subprocess.Popen(
                self.argv(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            raise _failed(error.strerror or str(error)) from error
        with process:
            assert process.stdout is not None
            assert process.stderr is not None
            try:
                yield process.stdout
                process.stdout.read()
                said = process.stderr.read()
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            raise _failed(said.decode(errors="replace").strip())

    def forget_key(self) -> None:
        """Remove the key from the disk; what is connected stays so, nothing else will be."""
        (self.config.parent / _KEY).unlink(missing_ok=True)

    def argv(self, command: str) -> list[str]:
        """The command line of this machine that runs a command in the container."""
        here = f'cd "${{DSTACK_WORKING_DIR:-{self.folder}}}" && set -o pipefail && {command}'
        return ["ssh", "-F", str(self.config), _HOST, f"bash -c {shlex.quote(here)}"]


@contextlib.contextmanager
def opened(run: Mapping[str, Any], key: str) -> Iterator[Shell]:
    """A shell in the container of a run (`runs/get`). Raises ShellFailed when it has none."""
    hosts = "\n".join(_hosts(run))
    folder = str(run["run_spec"]["configuration"].get("working_dir") or "/dstack/run")
    with tempfile.TemporaryDirectory(prefix="ftui-dstack-") as scratch:
        identity, config = Path(scratch) / _KEY, Path(scratch) / "config"
        identity.touch(0o600)
        identity.write_text(key if key.endswith("\n") else key + "\n", encoding="utf-8")
        general = _CONFIG.format(key=identity, seconds=_CONNECT_SECONDS)
        config.write_text(f"{hosts}\n{general}", encoding="utf-8")
        yield Shell(config, folder)


def _hosts(run: Mapping[str, Any]) -> Iterator[str]:
    """The way to the container, as SSHAttach of dstack 0.22.5 goes it (core/services/ssh)."""
    job = run.get("latest_job_submission") or {}
    data, runtime = job.get("job_provisioning_data") or {}, job.get("job_runtime_data") or {}
    if not data.get("hostname"):
        raise _failed("its machine has no address yet")
    user = runtime.get("username") or "root"
    jump = data.get("ssh_proxy")
    if jump:
        yield _host("jump", jump["hostname"], jump["port"], jump["username"])
    via = "jump" if jump else ""
    if not data.get("dockerized"):
        yield _host(_HOST, data["hostname"], data.get("ssh_port") or 22, user, via)
        return
    yield _host("machine", data["hostname"], data.get("ssh_port") or 22, data["username"], via)
    port = (runtime.get("ports") or {}).get(str(_CONTAINER_PORT), _CONTAINER_PORT)
    yield _host(_HOST, "localhost", port, user, "machine")


def _host(name: str, address: str, port: int, user: str, via: str = "") -> str:
    lines = [f"Host {name}", f"  HostName {address}", f"  Port {port}", f"  User {user}"]
    return "\n".join(lines + ([f"  ProxyJump {via}"] if via else []))


def _failed(why: str) -> ShellFailed:
    return ShellFailed(
        "the container cannot be reached", why=why, hint="ftui needs ssh, as dstack attach does"
    )
