"""The files of a run that are all on this machine, as the heaps that a person thinks of."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ftui.runs.model import Run
from ftui.targets.stored import Heap, StoredFile, heaps


class AtHome:
    """The run folder: nothing has to be brought home, and `ftui runs --clean` makes room."""

    storage = "this machine"

    def stored(self, run: Run) -> tuple[Heap, ...]:
        """What the run folder holds; links are not followed, and what goes meanwhile is passed."""
        return heaps(_files(run.folder))


def _files(folder: Path) -> Iterator[StoredFile]:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            with contextlib.suppress(FileNotFoundError):
                found = path.lstat()
                inside = path.relative_to(folder).as_posix()
                yield StoredFile(inside, found.st_size, found.st_mtime)
