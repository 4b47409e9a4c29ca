"""`ftui files RUN`: what is kept of a run, and where, in plain lines."""

from __future__ import annotations

from ftui.errors import ExitCode, UsageError
from ftui.plain import console
from ftui.plain.runs import sure
from ftui.runs.cleanup import size_words
from ftui.runs.listing import ago
from ftui.runs.model import Run
from ftui.runs.store import read_record
from ftui.targets import keeping
from ftui.targets.base import Storing
from ftui.targets.stored import Heap
from ftui.text import counted


def listing(run: Run, *, as_json: bool) -> int:
    """The heaps. Raises TargetUnavailable, RunNotFound."""
    place = keeping(read_record(run).target)
    heaps = place.stored(run)
    if as_json:
        console.document([_document(heap) for heap in heaps])
    elif not heaps:
        console.say(f"There is nothing of {run.name} on {place.storage}.")
    else:
        console.table([_row(heap) for heap in heaps])
        where = "" if isinstance(place, Storing) else f": {run.folder}"
        console.say(f"on {place.storage}{where}")
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
    place = keeping(target)
    if isinstance(place, Storing):
        return place
    hint = f"it is in {run.folder}; ftui runs --clean makes room there"
    raise UsageError(f"all of {run.name} is on {place.storage}", hint=hint)


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
