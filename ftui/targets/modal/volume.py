"""Looking at what the volume keeps of a run, bringing some of it home, and removing it there."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path, PurePosixPath
from typing import TypeVar

from ftui.errors import UsageError
from ftui.runs import endpoints
from ftui.runs.model import Run
from ftui.targets.modal import results
from ftui.targets.modal.api import Api
from ftui.targets.modal.app import ENDPOINT, LEFT, app_name, endpoint_app, place_of
from ftui.targets.stored import Fetched, Heap, StoredFile, heaps

ELSEWHERE = "volume"
"""Where what is not of `out` comes to lie in the run folder: nothing of the run's own is lost."""
_READ_BY_NONE = re.compile(r"checkpoint-\d+|merged|log")
"""Heaps that no endpoint reads."""
_T = TypeVar("_T")


def stored(run: Run) -> tuple[Heap, ...]:
    """Everything of a run; nothing where the volume has none. Raises TargetUnavailable."""

    async def look(api: Api) -> tuple[Heap, ...]:
        found = await api.entries(f"/{place_of(run)}")
        return heaps(StoredFile(path, one.size, one.time) for path, one in found.items())

    return asyncio.run(_asked(run, look))


def fetch(run: Run, heap: Heap, on_bytes: Callable[[int], None]) -> Fetched:
    """Bring a heap into the run folder, all of it or nothing.

    `on_bytes` hears of each piece how long it is. Raises TargetUnavailable, OSError.
    """
    inside = all(file.path.startswith("out/") for file in heap.files)
    into = run.folder if inside else run.folder / ELSEWHERE
    draft = Path(tempfile.mkdtemp(prefix="fetching-", dir=run.folder))

    async def bring(api: Api) -> int:
        sizes = {file.path: file.size for file in heap.files}
        return await results.bring(api, run, sizes, draft, into, on_bytes)

    try:
        summed = asyncio.run(_asked(run, bring))
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    place = (heap.folder or "out") if inside else ELSEWHERE
    return Fetched(place, len(heap.files), summed)


def discard(run: Run, heap: Heap) -> None:
    """Remove a heap from the volume for good. Raises UsageError, TargetUnavailable."""
    _refuse_served(run, heap)

    async def remove(api: Api) -> None:
        top = f"/{place_of(run)}"
        if heap.folder is not None:
            await api.remove(f"{top}/{heap.folder}".rstrip("/"))
            return
        for file in heap.files:
            await api.remove(f"{top}/{file.path}")

    asyncio.run(_asked(run, remove))


def _refuse_served(run: Run, heap: Heap) -> None:
    """Raises UsageError where an endpoint reads some of it, or is just about to."""
    if _READ_BY_NONE.fullmatch(heap.name):
        return
    what = f"the endpoint of {run.name} reads it: it is left alone"
    noted = {one.name for one in endpoints.known(run) if one.target == "modal"}
    if noted and heap.folder in ("", ENDPOINT):
        hint = f"leave its chat, or end it first: ftui export {run.name} --end"
        raise UsageError(what, hint=hint)
    served = asyncio.run(_served(run, heap, noted))
    if served:
        raise UsageError(what, hint=f"end it first: modal app stop {served}")


async def _served(run: Run, heap: Heap, noted: Collection[str]) -> str:
    """The app of an endpoint that reads it, though nobody noted it here; empty where none does.

    One that was deployed by hand reads the run's own files.
    """
    parts = [PurePosixPath(file.path).parts for file in heap.files]
    names = {part[1] for part in parts if part[0] == ENDPOINT and len(part) > 2}
    for name in sorted({LEFT, *names}):
        app = endpoint_app(place_of(run), name)
        if app not in noted:
            async with Api(app) as api:
                if await api.is_deployed():
                    return app
    return ""


async def _asked(run: Run, action: Callable[[Api], Awaitable[_T]]) -> _T:
    async with Api(app_name(place_of(run))) as api:
        return await action(api)
