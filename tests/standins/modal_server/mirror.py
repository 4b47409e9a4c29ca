"""Making one folder like another, while somebody may be writing in the first."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path


def mirror(source: Path, target: Path) -> None:
    """Make `target` hold what `source` does; a file that is gone meanwhile is left out."""
    target.mkdir(parents=True, exist_ok=True)
    wanted = set()
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        wanted.add(inside)
        with contextlib.suppress(FileNotFoundError):
            _copy(path, target / inside)
    for path in sorted(target.rglob("*"), reverse=True):
        if path.relative_to(target) not in wanted:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    status = source.stat()
    if target.exists():
        there = target.stat()
        if (there.st_size, there.st_mtime_ns) == (status.st_size, status.st_mtime_ns):
            return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
