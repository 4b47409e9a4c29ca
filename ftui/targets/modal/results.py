"""Bringing the results home: what results.json on the volume names, verified file by file.

`train` writes it when training has come to its end: each file of `out` with its sha256. Everything
comes into a folder of its own, and goes into `out` only when every sum is right. Checkpoints stay
behind when training came to its end; after a stop the newest one comes along.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ftui.errors import TargetUnavailable
from ftui.runs.checkpoints import NAME
from ftui.runs.model import Run
from ftui.targets.modal.api import Api
from ftui.targets.modal.app import place_of

FILE = "results.json"
_DRAFT = "out.part"
_LAST = "trainer_state.json"


class Damaged(TargetUnavailable):
    """A file did not arrive as it was sent."""


async def fetch(api: Api, run: Run) -> int:
    """Bring the results into the run's `out`; how many files came, each verified.

    Raises TargetUnavailable when a file is missing or wrong, and OSError.
    """
    sums = await _sums(api, run)
    draft = run.folder / _DRAFT
    shutil.rmtree(draft, ignore_errors=True)
    for name, digest in sums.items():
        place = draft / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if await _copied(api, f"{place_of(run)}/{name}", place) != digest:
            raise Damaged(f"{name} arrived damaged: its checksum differs")
    for name in sums:
        place = run.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(draft / name, place)  # noqa: PTH105 - the same as Path.replace
    shutil.rmtree(draft)
    return len(sums)


async def fetch_checkpoint(api: Api, run: Run) -> str:
    """Bring the newest checkpoint that was written to its end into `out`; its name, or nothing.

    For a run that did not come as far as summing up: each file has the size that the volume tells.
    Raises TargetUnavailable, OSError.
    """
    sizes = await api.sizes(f"/{place_of(run)}/out")
    name = _newest(sizes)
    if not name or (run.output_dir / name).exists():
        return name
    draft = run.folder / _DRAFT
    shutil.rmtree(draft, ignore_errors=True)
    for file, size in sizes.items():
        if PurePosixPath(file).parts[0] == name:
            place = draft / file
            place.parent.mkdir(parents=True, exist_ok=True)
            await _copied(api, f"{place_of(run)}/out/{file}", place)
            if place.stat().st_size != size:
                raise Damaged(f"{file} did not arrive whole")
    run.output_dir.mkdir(exist_ok=True)
    (draft / name).rename(run.output_dir / name)
    shutil.rmtree(draft)
    return name


def _newest(files: Iterable[str]) -> str:
    """`checkpoint-120`, of those that hold what transformers writes last; or nothing."""
    whole = [PurePosixPath(one).parts[0] for one in files if PurePosixPath(one).name == _LAST]
    steps = {int(match[1]): match[0] for match in map(NAME.fullmatch, whole) if match}
    return steps[max(steps)] if steps else ""


async def _sums(api: Api, run: Run) -> Mapping[str, str]:
    """By file, seen from the run folder: its sha256. Raises Damaged for a list that makes none."""
    text = b"".join([piece async for piece in api.read(f"{place_of(run)}/{FILE}")])
    try:
        raw: Any = json.loads(text)
        sums = {str(name): str(told["sha256"]) for name, told in raw.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Damaged(f"{FILE} cannot be read") from error
    if not sums:
        raise Damaged("there are no results")
    for name in sums:
        parts = PurePosixPath(name).parts
        if parts[0] != "out" or ".." in parts:
            raise Damaged(f"{FILE} names {name!r}, which is no result")
    return sums


async def _copied(api: Api, source: str, target: Path) -> str:
    """Copy a file; the sha256 of what came."""
    digest = hashlib.sha256()
    with target.open("wb") as file:
        async for piece in api.read(source):
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()
