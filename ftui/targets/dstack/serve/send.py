"""Sending what is too large to travel with a configuration into the container, over ssh."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shlex
import signal
from collections.abc import Sequence
from pathlib import Path

from ftui.targets.dstack import shell
from ftui.targets.dstack.api import Json
from ftui.targets.dstack.serve.document import ARRIVED
from ftui.targets.dstack.shell import Shell, ShellFailed


async def send(files: Sequence[tuple[Path, str]], run: Json, key: str) -> None:
    """Send files into a run's container, each verified by its checksum, then say that they came.

    What is there already is not sent again. Raises ShellFailed, OSError.
    """
    with shell.opened(run, key) as door:
        names = " ".join(shlex.quote(there) for _, there in files)
        known = await _asked(door, f"sha256sum {names} 2>/dev/null || true")
        for here, there in files:
            digest = await asyncio.to_thread(_sum, here)
            place = shlex.quote(there)
            if f"{digest}  {there}" in known:
                continue
            if digest not in await _asked(door, f"cat >{place} && sha256sum {place}", here):
                raise ShellFailed(f"{here.name} arrived damaged: its checksum differs")
        await _asked(door, f"touch {ARRIVED}")


async def _asked(door: Shell, command: str, source: Path | None = None) -> str:
    """What a command prints that reads a file. Raises ShellFailed, OSError."""
    with (source or Path(os.devnull)).open("rb") as file:
        process = await asyncio.create_subprocess_exec(
            *door.argv(command),
            stdin=file,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # to end what it starts itself, too: a jump's own ssh
        )
    try:
        said, complaint = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    if process.returncode:
        why = complaint.decode(errors="replace").strip()
        raise ShellFailed("the container cannot be reached", why=why)
    return said.decode(errors="replace")


def _sum(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
