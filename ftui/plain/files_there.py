"""`ftui files RUN`: what is kept of a run where it was trained, in plain lines."""

from __future__ import annotations

from ftui.errors import ExitCode, UsageError
from ftui.plain import console
from ftui.plain.runs import sure
from ftui.runs.cleanup import size_words
from ftui.runs.listing import ago
from ftui.runs.model import Run
from ftui.runs.store import read_record
from ftui.targets import storing
from ftui.targets.base import Storing
from ftui.targets.stored import Heap
from ftui.text import counted


def listing(run: Run, *, as_json: bool) -> int:
    """The heaps. Raises UsageError, TargetUnavailable, RunNotFound."""
    place = _place(run)
    heaps = place.stored(run)
    if as_json:
        console.document([_document(heap) for heap in heaps])
    elif not heaps:
        console.say(f"There is nothing of {run.name} on {place.storage}.")
    else:
        console.table([_row(heap) for heap in heaps])
    return ExitCode.OK


def fetch(run: Run, name: str) -> int:
    """Bring a heap home. Raises UsageError, TargetUnavailable, RunNotFound, OSError."""
    place = _place(run)
    got = place.fetch(run, _named(run, place, name), lambda size: None)
    console.say(f"✓ {got.words} ({run.folder})")
    return ExitCode.OK


def discard(run: Run, name: str, *, yes: bool) -> int:
    """Remove a heap where it is kept, after a yes. Raises UsageError, TargetUnavailable."""
    place = _place(run)
    heap = _named(run, place, name)
    if yes or sure(f"Remove {name} ({size_words(heap.size)}) from {place.storage} for good?"):
        place.discard(run, heap)
        console.say(f"✓ {name} is no more on {place.storage}")
    return ExitCode.OK


def _place(run: Run) -> Storing:
    target = read_record(run).target
    place = storing(target)
    if place is None:
        hint = f"its folder is {run.folder}"
        raise UsageError(f"{target} keeps nothing of {run.name} elsewhere", hint=hint)
    return place


def _named(run: Run, place: Storing, name: str) -> Heap:
    heaps = {heap.name: heap for heap in place.stored(run)}
    if name not in heaps:
        hint = f"there is {', '.join(heaps)}" if heaps else f"{place.storage} has nothing of it"
        raise UsageError(f"{run.name} has no {name!r} there", hint=hint)
    return heaps[name]


def _document(heap: Heap) -> dict[str, object]:
    files = [{"path": one.path, "bytes": one.size, "written": one.time} for one in heap.files]
    return {"name": heap.name, "bytes": heap.size, "written": heap.time, "files": files}


def _row(heap: Heap) -> tuple[str, ...]:
    files = counted(len(heap.files), "file")
    return (heap.name, size_words(heap.size), ago(heap.time), files, heap.words)
