"""Bringing the results home: what results.json on the volume names, verified file by file.

`train` writes it when training has come to its end: each file of `out` with its sha256. Everything
comes into a folder of its own, and goes into `out` only when every sum is right. Checkpoints stay
behind when training came to its end; after a stop the newest one comes along.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ftui.errors import TargetUnavailable
from ftui.runs.checkpoints import NAME
from ftui.runs.model import Run
from ftui.targets.modal.api import Api
from ftui.targets.modal.app import place_of
from ftui.targets.modal.failures import Missing

FILE = "results.json"
_SUMS = "sums"
"""What modal_app.py sums up of each checkpoint, `sums/checkpoint-120.json`."""
_DRAFT = "out.part"
_LAST = "trainer_state.json"
"""Of a checkpoint; where it is, everything is."""


class Damaged(TargetUnavailable):
    """A file did not arrive as it was sent."""


async def fetch(api: Api, run: Run) -> int:
    """Bring the results into the run's `out`; how many files came, each verified.

    Raises TargetUnavailable when a file is missing or wrong, and OSError.
    """
    sums = await _sums(api, run, FILE)
    draft = run.folder / _DRAFT
    shutil.rmtree(draft, ignore_errors=True)
    for name, digest in sums.items():
        place = draft / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if await _copied(api, f"{place_of(run)}/{name}", place) != digest:
            raise Damaged(f"{name} arrived damaged: its checksum differs")
    _put_in_place(sums, draft, run.folder)
    return len(sums)


async def fetch_checkpoint(api: Api, run: Run) -> str:
    """Bring the newest checkpoint that was written to its end into `out`; its name, or nothing.

    For a run that did not come as far as summing up. Raises TargetUnavailable, OSError.
    """
    sizes = await api.sizes(f"/{place_of(run)}/out")
    name = _newest(sizes)
    if name and not (run.output_dir / name / _LAST).exists():
        mine = {file: size for file, size in sizes.items() if PurePosixPath(file).parts[0] == name}
        files = {f"out/{file}": size for file, size in mine.items()}
        await bring(api, run, files, run.folder / _DRAFT, run.folder)
    return name


async def bring(
    api: Api,
    run: Run,
    files: Mapping[str, int],
    draft: Path,
    into: Path,
    on_bytes: Callable[[int], None] = lambda count: None,
) -> int:
    """Bring files home, by their sizes on the volume: first into a draft folder, then `into` one.

    Each is compared with the sha256 that was noted when it was saved, where one was, and with its
    size; how many had a sha256. All of them come, or none; `on_bytes` hears of each piece. Raises
    TargetUnavailable, OSError.
    """
    _refuse_elsewhere(files)
    sums = await _noted_sums(api, run, files)
    shutil.rmtree(draft, ignore_errors=True)
    for name, size in files.items():
        place = draft / name
        place.parent.mkdir(parents=True, exist_ok=True)
        digest = await _copied(api, f"{place_of(run)}/{name}", place, on_bytes)
        if place.stat().st_size != size or digest != sums.get(name, digest):
            raise Damaged(f"{name} arrived damaged: it is not what was saved")
    _put_in_place(files, draft, into)
    return sum(name in sums for name in files)


async def _noted_sums(api: Api, run: Run, files: Iterable[str]) -> Mapping[str, str]:
    """What was noted of checkpoints and results as they were saved, where it can be read."""
    parts = {PurePosixPath(name).parts for name in files}
    checkpoints = {each[1] for each in parts if len(each) > 2 and NAME.fullmatch(each[1])}
    found: dict[str, str] = {}
    for noted in (FILE, *(f"{_SUMS}/{name}.json" for name in sorted(checkpoints))):
        with contextlib.suppress(Missing, Damaged):
            found |= await _sums(api, run, noted)
    return found


def _refuse_elsewhere(names: Iterable[str]) -> None:
    """Raises Damaged for a name that leads out of the run folder."""
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise Damaged(f"the volume has a file {name!r}, which is no part of the run")


def _put_in_place(names: Iterable[str], draft: Path, into: Path) -> None:
    for name in sorted(names, key=lambda name: PurePosixPath(name).name == _LAST):
        place = into / name
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(draft / name, place)  # noqa: PTH105 - the same as Path.replace
    shutil.rmtree(draft)


def _newest(files: Iterable[str]) -> str:
    """`checkpoint-120`, of those that hold what transformers writes last; or nothing."""
    whole = [PurePosixPath(one).parts[0] for one in files if PurePosixPath(one).name == _LAST]
    steps = {int(match[1]): match[0] for match in map(NAME.fullmatch, whole) if match}
    return steps[max(steps)] if steps else ""


async def _sums(api: Api, run: Run, noted: str) -> Mapping[str, str]:
    """By file, seen from the run folder: its sha256. Raises Damaged for a list that makes none."""
    text = b"".join([piece async for piece in api.read(f"{place_of(run)}/{noted}")])
    try:
        raw: Any = json.loads(text)
        sums = {str(name): str(told["sha256"]) for name, told in raw.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Damaged(f"{noted} cannot be read") from error
    if not sums:
        raise Damaged("there are no results")
    for name in sums:
        parts = PurePosixPath(name).parts
        if parts[0] != "out" or ".." in parts:
            raise Damaged(f"{noted} names {name!r}, which is no result")
    return sums


async def _copied(
    api: Api, source: str, target: Path, on_bytes: Callable[[int], None] = lambda count: None
) -> str:
    """Copy a file; the sha256 of what came."""
    digest = hashlib.sha256()
    with target.open("wb") as file:
        async for piece in api.read(source):
            digest.update(piece)
            file.write(piece)
            on_bytes(len(piece))
    return digest.hexdigest()
