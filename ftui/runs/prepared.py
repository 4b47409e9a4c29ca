"""The tokenized rows of a run, which a trainer that is killed may leave half written.

axolotl takes the folder for whole when it is there at all, and stops at it on the next try
("neither a `Dataset` directory nor a `DatasetDict` directory", measured with 0.19).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ftui.runs.model import Run

_LAST_WRITTEN = "dataset_info.json"
"""datasets writes the rows first, then state.json, then this (arrow_dataset.py, 4.8)."""


def remove_torn(run: Run) -> None:
    """Remove what an earlier try left half written, and its notes of who is at work.

    To be called when nothing of the run is running. Raises OSError.
    """
    if not run.prepared_dir.is_dir():
        return
    for path in run.prepared_dir.iterdir():
        if not path.is_dir():  # axolotl's lock, its count of processes, its flag
            path.unlink()
        elif not _is_whole(path):
            shutil.rmtree(path)


def _is_whole(folder: Path) -> bool:
    """Whether every part of a saved dataset was written to its end."""
    parts = {rows.parent for rows in folder.rglob("*.arrow")}
    return bool(parts) and all(_reads(part / _LAST_WRITTEN) for part in parts)


def _reads(file: Path) -> bool:
    try:
        json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    return True
