"""What a target keeps of a run elsewhere, in the heaps that a person thinks of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from ftui.text import counted

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_OLD_TRY = re.compile(r"out\.\d+")
"""Where lies what a later try had no use for (runs/old_try.py)."""
_LOG = "feed"
_INPUTS = "inputs"
_ENDPOINT = "endpoint"


@dataclass(frozen=True)
class StoredFile:
    """A file, seen from the run's folder there: `out/checkpoint-60/optimizer.pt`."""

    path: str
    size: int
    time: float
    """When it was written, in seconds since the epoch."""


@dataclass(frozen=True)
class Heap:
    """Files that belong together, such as those of a checkpoint."""

    name: str
    """As a person names it: `checkpoint-60`, `weights`."""
    words: str
    """What it is."""
    files: tuple[StoredFile, ...]
    folder: str | None = None
    """The folder that holds these files and no others; empty: all of the run."""

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(file.size for file in self.files)

    @property
    def time(self) -> float:
        """When the newest of it was written."""
        return max((file.time for file in self.files), default=0.0)


@dataclass(frozen=True)
class Fetched:
    """What was brought home, and how it is known that it is whole."""

    folder: str
    """Seen from the run folder."""
    files: int
    summed: int
    """So many of them have the sha256 that was noted when they were saved; all, their size."""

    @property
    def words(self) -> str:
        """`9 files in out/checkpoint-60, each verified by its sha256`."""
        what = "sha256" if self.summed == self.files else "size"
        more = f", {self.summed} by their sha256" if 0 < self.summed < self.files else ""
        where = f"{counted(self.files, 'file')} in {self.folder}"
        return f"{where}, each verified by its {what}{more}"


def heaps(files: Iterable[StoredFile]) -> tuple[Heap, ...]:
    """The files as heaps: the newest checkpoint first, and last everything, if there is any."""
    found: dict[str, list[StoredFile]] = {}
    for file in files:
        found.setdefault(_name(PurePosixPath(file.path).parts), []).append(file)
    made = [_heap(name, tuple(mine)) for name, mine in found.items()]
    made.sort(key=_order)
    whole = tuple(file for heap in made for file in heap.files)
    everything = Heap("everything", "all of the above", whole, folder="")
    return (*made, everything) if made else ()


def _name(parts: tuple[str, ...]) -> str:
    below = parts[1] if parts[0] == "out" and len(parts) > 2 else ""
    if _CHECKPOINT.fullmatch(below) or below == "merged":
        return below
    if _OLD_TRY.fullmatch(parts[0]):
        return "set-aside"
    if len(parts) == 1 and (parts[0].endswith(".log") or parts[0] == "events.jsonl"):
        return "log"
    folders = {"out": "weights", _LOG: "log", _INPUTS: "inputs", _ENDPOINT: "endpoint"}
    return folders.get(parts[0], "other")


_WORDS = {
    "weights": "adapter, or whole model",
    "merged": "adapter in its base",
    "set-aside": "of earlier tries",
    "log": "log and events",
    "inputs": "rows, model: sent along",
    "endpoint": "what is served there",
    "other": "config, records",
}
_FOLDERS = {"merged": "out/merged", "log": _LOG, "inputs": _INPUTS, "endpoint": _ENDPOINT}


def _heap(name: str, files: tuple[StoredFile, ...]) -> Heap:
    folder = _FOLDERS.get(name) if name in _WORDS else f"out/{name}"
    alone = folder is not None and all(file.path.startswith(f"{folder}/") for file in files)
    words = _WORDS.get(name, "can be resumed from")
    return Heap(name, words, files, folder if alone else None)


def _order(heap: Heap) -> tuple[int, int]:
    checkpoint = _CHECKPOINT.fullmatch(heap.name)
    if checkpoint:
        return 0, -int(checkpoint[1])
    return 1 + list(_WORDS).index(heap.name), 0
