"""What travels to the machine: everything on this disk that a config names, in the run folder.

A dstack server takes files of at most 2 MiB each (DSTACK_SERVER_CODE_UPLOAD_LIMIT). A larger one
travels in parts, which the container puts together; what is too large for that belongs on the hub.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftui.paths import VOLUME
from ftui.targets.remote.inputs import FOLDER, bring, copy_files, files_below, local_inputs

PART_BYTES = 2**21 - 2**16
"""The largest file that travels whole: a tar archive is a little larger than what is in it."""
TOTAL_BYTES = 32 * 2**20
"""The most that travels: a server keeps what it is given in its database."""

ELSEWHERE = f"name them by their hub ids, or by {VOLUME}/… with --machine volume=NAME"
"""Where larger ones are for a run on dstack."""
_PART = ".part"


@dataclass(frozen=True)
class Parcel:
    """A config whose paths are seen from the run folder, and the files that it needs there."""

    config: Mapping[str, Any]
    files: tuple[str, ...]
    """What is sent, seen from the run folder; it has the same name in the container."""
    joined: tuple[str, ...]
    """Files that the container puts together from their parts."""
    size: int
    """Bytes that travel."""


def total_bytes(config: Mapping[str, Any]) -> int:
    """How much would travel. Raises OSError."""
    paths = {path for _, path in local_inputs(config)}
    return sum(file.stat().st_size for path in paths for file in files_below(path))


def pack(config: Mapping[str, Any], folder: Path, checkpoint: str = "") -> Parcel:
    """Copy everything into the run folder's `inputs`, larger files also in parts.

    What is there already, of an earlier launch, stays; but of checkpoints only the given one, which
    is seen from the run folder. Raises OSError.
    """
    for old in (folder / FOLDER).glob("checkpoint-*"):
        shutil.rmtree(old)
    if checkpoint:
        copy_files(folder / checkpoint, folder / FOLDER / Path(checkpoint).name, split)
    return _listed(bring(config, folder, split), folder)


def parts(file: Path) -> list[Path]:
    """The parts of a file that is too large to travel whole, in their order."""
    count = -(-file.stat().st_size // PART_BYTES)
    return [file.with_name(f"{file.name}{_PART}{number:03}") for number in range(count)]


def _listed(config: Mapping[str, Any], folder: Path) -> Parcel:
    """The parcel in a run folder whose config has its final paths."""
    sent, joined, size = [], [], 0
    for file in sorted(files_below(folder / FOLDER)):
        name = file.relative_to(folder).as_posix()
        if file.stat().st_size > PART_BYTES:
            joined.append(name)
        else:
            sent.append(name)
            size += file.stat().st_size
    return Parcel(config, tuple(sent), tuple(joined), size)


def split(file: Path) -> None:
    """A file that is too large to travel whole, in parts beside it."""
    if file.stat().st_size <= PART_BYTES:
        return
    with file.open("rb") as whole:
        for part in parts(file):
            part.write_bytes(whole.read(PART_BYTES))
