"""Looking at what the volume keeps of a run, bringing some of it home, and removing it there."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path, PurePosixPath
from typing import TypeVar

from ftui.errors import UsageError
from ftui.runs.model import Run
from ftui.targets.modal import results
from ftui.targets.modal.api import Api
from ftui.targets.modal.app import ENDPOINT, app_name, endpoint_app, place_of
from ftui.targets.stored import Fetched, Heap, StoredFile, heaps

ELSEWHERE = "volume"
"""Where what is not of `out` comes to lie in the run folder: nothing of the run's own is lost."""
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
    if heap.folder in ("", ENDPOINT) and asyncio.run(_is_served(run, heap)):
        raise UsageError(
            f"the endpoint of {run.name} reads it: it is left alone",
            hint=f"end it first: ftui export {run.name} --end",
        )

    async def remove(api: Api) -> None:
        top = f"/{place_of(run)}"
        if heap.folder is not None:
            await api.remove(f"{top}/{heap.folder}".rstrip("/"))
            return
        for file in heap.files:
            await api.remove(f"{top}/{file.path}")

    asyncio.run(_asked(run, remove))


async def _is_served(run: Run, heap: Heap) -> bool:
    """Whether one of the endpoints whose files these are is in place."""
    parts = [PurePosixPath(file.path).parts for file in heap.files]
    for name in {part[1] for part in parts if part[0] == ENDPOINT and len(part) > 2}:
        async with Api(endpoint_app(place_of(run), name)) as api:
            if await api.is_deployed():
                return True
    return False


async def _asked(run: Run, action: Callable[[Api], Awaitable[_T]]) -> _T:
    async with Api(app_name(place_of(run))) as api:
        return await action(api)
