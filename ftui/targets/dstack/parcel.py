"""What travels to the machine: everything on this disk that a config names, in the run folder.

A dstack server takes files of at most 2 MiB each (DSTACK_SERVER_CODE_UPLOAD_LIMIT). A larger one
travels in parts, which the container puts together; what is too large for that belongs on the hub
or on a volume.
"""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = "inputs"
"""Where they are, seen from the run folder and from the container's working directory."""
PART_BYTES = 2**21 - 2**16
"""The largest file that travels whole: a tar archive is a little larger than what is in it."""
TOTAL_BYTES = 32 * 2**20
"""The most that travels: a server keeps what it is given in its database."""

_KEYS = ("base_model", "tokenizer_config", "deepspeed")
_LISTS = ("datasets", "test_datasets", "pretraining_dataset")
_ODD = re.compile(r"[^A-Za-z0-9._-]")
_PART = ".part"

Place = tuple[Any, ...]


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


def local_inputs(config: Mapping[str, Any]) -> list[tuple[Place, Path]]:
    """Files and folders of this machine that a config names by absolute paths, and where."""
    return [(place, Path(value)) for place, value in _named(config) if Path(value).is_absolute()]


def total_bytes(config: Mapping[str, Any]) -> int:
    """How much would travel. Raises OSError."""
    paths = {path for _, path in local_inputs(config)}
    return sum(file.stat().st_size for path in paths for file in _files(path))


def pack(config: Mapping[str, Any], folder: Path, checkpoint: str = "") -> Parcel:
    """Copy everything into the run folder's `inputs`, larger files also in parts.

    What is there already, of an earlier launch, stays; but of checkpoints only the given one, which
    is seen from the run folder. Raises OSError.
    """
    for old in (folder / FOLDER).glob("checkpoint-*"):
        shutil.rmtree(old)
    if checkpoint:
        _copy(folder / checkpoint, folder / FOLDER / Path(checkpoint).name)
    packed = copy.deepcopy(dict(config))
    names: dict[Path, str] = {}
    for place, path in local_inputs(config):
        if path not in names:
            names[path] = _free_name(path, set(names.values()))
            _copy(path, folder / FOLDER / names[path])
        _put(packed, place, f"./{FOLDER}/{names[path]}")
    return _listed(packed, folder)


def parts(file: Path) -> list[Path]:
    """The parts of a file that is too large to travel whole, in their order."""
    count = -(-file.stat().st_size // PART_BYTES)
    return [file.with_name(f"{file.name}{_PART}{number:03}") for number in range(count)]


def _listed(config: Mapping[str, Any], folder: Path) -> Parcel:
    """The parcel in a run folder whose config has its final paths."""
    sent, joined, size = [], [], 0
    for file in sorted(_files(folder / FOLDER)):
        name = file.relative_to(folder).as_posix()
        if file.stat().st_size > PART_BYTES:
            joined.append(name)
        else:
            sent.append(name)
            size += file.stat().st_size
    return Parcel(config, tuple(sent), tuple(joined), size)


def _named(config: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    for key in _KEYS:
        if isinstance(config.get(key), str):
            yield (key,), config[key]
    for key in _LISTS:
        entries = config.get(key)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict) and isinstance(entry.get("path"), str):
                yield (key, index, "path"), entry["path"]


def _put(config: Any, place: Place, value: str) -> None:
    for step in place[:-1]:
        config = config[step]
    config[place[-1]] = value


def _free_name(path: Path, taken: set[str]) -> str:
    """A name that no shell and no YAML has trouble with."""
    stem, end = _ODD.sub("_", path.stem) or "input", _ODD.sub("_", path.suffix)
    names = (f"{stem}{number or ''}{end}" for number in range(len(taken) + 1))
    return next(name for name in names if name not in taken)


def _copy(source: Path, target: Path) -> None:
    for file in _files(source):
        copied = target / file.relative_to(source) if source.is_dir() else target
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copied)
        if copied.stat().st_size > PART_BYTES:
            _split(copied)


def _split(file: Path) -> None:
    with file.open("rb") as whole:
        for part in parts(file):
            part.write_bytes(whole.read(PART_BYTES))


def _files(path: Path) -> list[Path]:
    """The files below a folder, or the file itself; links are followed."""
    if path.is_file():
        return [path]
    return [file for file in path.rglob("*") if file.is_file()]
