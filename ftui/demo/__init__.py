"""The built-in tiny base model `nano` and its dataset `nl2sql`, with the scripts that made them."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from functools import cache
from pathlib import Path

from ftui import paths
from ftui.errors import TargetUnavailable, UsageError

PREFIX = "builtin:"


def resolve(reference: str) -> Path:
    """The file or folder behind `builtin:nano`, `builtin:nl2sql/train.jsonl` or
    `builtin:deepspeed/zero3.json`, as an absolute path.

    It is unpacked once into FTUI_HOME/demo/<hash of its content>/, so that a run that points at it
    outlives an upgrade of ftui. Raises UsageError for a reference to nothing,
    TargetUnavailable when it cannot be written (disk full, no permission).
    """
    shipped(reference)
    part, _, rest = reference.removeprefix(PREFIX).partition("/")
    source = _sources()[part]
    unpacked = paths.home() / "demo" / _digest(source) / part
    if not unpacked.is_dir():
        _unpack(source, unpacked)
    return unpacked / rest if rest else unpacked


def referred(path: str) -> str:
    """`builtin:nano` for the folder that it was unpacked to; anything else stays what it is."""
    try:
        inside = Path(path).relative_to(paths.home() / "demo")
    except ValueError:
        return path
    return PREFIX + "/".join(inside.parts[1:])


def shipped(reference: str) -> Path:
    """Where ftui itself has what a reference names; unpacks nothing. Raises UsageError."""
    part, _, rest = reference.removeprefix(PREFIX).partition("/")
    source = _sources().get(part)
    if source is None or ".." in rest.split("/") or not (source / rest).exists():
        known = ", ".join(PREFIX + name for name in _sources())
        raise UsageError(f"there is nothing built in as {reference}", hint=f"There is {known}.")
    return source / rest


def _sources() -> dict[str, Path]:
    here = Path(__file__).resolve().parent
    return {
        "nano": here / "nano",
        "nl2sql": here / "nl2sql",
        "deepspeed": paths.builtin_presets_dir() / "deepspeed",
    }


@cache
def _digest(folder: Path) -> str:
    """Twelve hex digits of what a folder holds."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(folder).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:12]


def _unpack(source: Path, target: Path) -> None:
    """Copy beside the target, then rename: no reader ever sees half of it."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as scratch:
            copy = shutil.copytree(source, Path(scratch) / target.name)
            copy.rename(target)
    except OSError as error:
        if not target.is_dir():  # else another process was faster; its copy is the same
            why = (error.strerror or str(error)).lower()
            raise TargetUnavailable(
                f"cannot unpack the built-in {source.name}", where=str(target), why=why
            ) from error
