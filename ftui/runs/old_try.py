"""What an earlier try of a run left behind, put where the next one does not take it for its own."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ftui.runs.checkpoints import Checkpoint
from ftui.runs.model import Run


def keep_config(run: Run, text: str) -> Path:
    """Keep a config as config.1.yml, or the next number that is free. Raises OSError."""
    for path in _numbered(run.folder, "config", ".yml"):
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            continue
        return path
    raise AssertionError("there is always a next number")


@contextlib.contextmanager
def out_aside(run: Run) -> Iterator[str]:
    """Rename out/ to out.1/, or the next number that is free; back, where this ends in an error.

    Gives that name; nothing where there is nothing to keep. Else a checkpoint of the earlier try
    would be the newest one until the next try is as far. Raises OSError.
    """
    if not run.output_dir.is_dir() or not any(run.output_dir.iterdir()):
        yield ""
        return
    aside = _free(run)
    run.output_dir.rename(aside)
    try:
        yield aside.name
    except BaseException:
        if not run.output_dir.exists():
            aside.rename(run.output_dir)
        raise


@contextlib.contextmanager
def aside(run: Run, checkpoints: Sequence[Checkpoint]) -> Iterator[str]:
    """Move these checkpoints from out/ to out.1/, in the same way. Raises OSError."""
    if not checkpoints:
        yield ""
        return
    folder = _free(run)
    folder.mkdir()
    moved = {one.path: folder / one.path.name for one in checkpoints}
    try:
        for path, new in moved.items():
            path.rename(new)
        yield folder.name
    except BaseException:
        for path, new in moved.items():
            if new.exists() and not path.exists():
                new.rename(path)
        with contextlib.suppress(OSError):  # it holds one that could not go back
            folder.rmdir()
        raise


def _free(run: Run) -> Path:
    return next(path for path in _numbered(run.folder, "out", "") if not path.exists())


def _numbered(folder: Path, name: str, end: str) -> Iterator[Path]:
    return (folder / f"{name}.{number}{end}" for number in itertools.count(1))
