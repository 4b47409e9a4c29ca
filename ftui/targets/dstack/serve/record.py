"""Which services on dstack ftui keeps: one file each in FTUI_HOME/servers.

Whoever keeps a service holds its file locked (flock), which the system lets go of however that
process ends. A file that nobody holds is of a service that was left behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ftui import paths
from ftui.errors import UsageError
from ftui.runs import endpoints
from ftui.runs.model import ProcessId, Run

TARGET = "dstack"
_END = f".{TARGET}"
_MOST_BYTES = 65536


@dataclass(frozen=True)
class Service:
    """A service on dstack, by what is needed to end it."""

    project: str
    name: str
    id: str = ""
    """dstack's own; empty while it is not known whether dstack took the service."""
    log: str = ""
    """The file in which a person is told what becomes of it."""
    folder: str = ""
    """That of its run, among whose endpoints it is noted as long as it may be at work."""


def file_of(run: Run) -> Path:
    """A run's file."""
    return paths.servers_dir() / f"{run.name}{_END}"


@contextlib.contextmanager
def claimed(run: Run) -> Iterator[int]:
    """The handle of a run's file, locked. Raises UsageError when somebody serves the run, OSError.

    A process that inherits the handle holds the lock as well.
    """
    file = file_of(run)
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = _locked(file, os.O_CREAT)
    if handle is None:
        raise UsageError(
            f"{run.name} is being served on dstack already",
            why="another ftui talks to it",
            hint="leave that chat, which ends it",
        )
    try:
        yield handle
    finally:
        known = os.fstat(handle)
        if known.st_nlink and not known.st_size:  # it is still ours, and nothing was begun
            file.unlink(missing_ok=True)
        os.close(handle)


def note_endpoint(service: Service, until: float, keeper: ProcessId | None) -> None:
    """Note it among its run's endpoints. Raises OSError."""
    run = Run(Path(service.folder))
    endpoints.note(run, endpoints.Served(TARGET, service.name, until, keeper))


def forget_endpoint(service: Service) -> None:
    """It is not at work any more."""
    if service.folder:  # an older record does not say
        with contextlib.suppress(OSError):  # the run's folder may be gone
            endpoints.forget(Run(Path(service.folder)), service.name)


@contextlib.contextmanager
def left(run: Run) -> Iterator[Service | None]:
    """The service of a run that nobody keeps, for us alone; None where there is none.

    What is on record of it is gone after the context, unless that raises. Raises UsageError when
    somebody keeps it, OSError.
    """
    with claimed(run) as handle:
        yield read(handle)
        forget(handle)


def left_behind() -> Iterator[tuple[Path, Service | None]]:
    """The services that nobody keeps, each locked as long as it is looked at."""
    for file in sorted(paths.servers_dir().glob(f"*{_END}")):
        handle = _locked(file)
        if handle is not None:
            try:
                yield file, read(handle)
            finally:
                os.close(handle)


def write(handle: int, service: Service) -> None:
    """Write a record down. Raises OSError."""
    data = json.dumps(asdict(service)).encode()
    os.pwrite(handle, data, 0)
    os.ftruncate(handle, len(data))
    os.fsync(handle)


def forget(handle: int) -> None:
    """Have the record say nothing: there is no service of ours. Raises OSError."""
    os.ftruncate(handle, 0)


def read(handle: int) -> Service | None:
    """The record; None when it is empty or torn."""
    try:
        return Service(**json.loads(os.pread(handle, _MOST_BYTES, 0)))
    except (ValueError, TypeError):
        return None


def _locked(file: Path, flags: int = 0) -> int | None:
    """The handle of a file that nobody else holds, locked now; None where somebody does."""
    try:
        handle = os.open(file, os.O_RDWR | os.O_NOFOLLOW | flags, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    if os.fstat(handle).st_nlink:
        return handle
    os.close(handle)  # it was removed by its holder a moment ago
    return _locked(file, flags)
