"""The processes of a run, wherever they went."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ftui.runs import process
from ftui.runs.model import Run

if TYPE_CHECKING:
    import psutil

VARIABLE = "FTUI_EVENTS"
"""train.sh gives it to the trainer, and every child inherits it. Its value is the run's own."""

Living = Mapping[str, "list[psutil.Process]"]
"""All processes of runs, by the events file that they write."""


def living() -> Living:
    """The processes of every run of this user, in one look (about 20 ms)."""
    found = process.by_variable(VARIABLE)
    return {os.path.realpath(path): processes for path, processes in found.items()}


def members(run: Run, found: Living | None = None) -> list[psutil.Process]:
    """The live processes that train: launcher, trainer, workers. Not the supervisor."""
    known = living() if found is None else found
    return list(known.get(os.path.realpath(run.events_file), ()))
