"""Launching a run that was made for that: where it is refused, nothing of it is left."""

from __future__ import annotations

import contextlib
from typing import Protocol, runtime_checkable

from ftui.errors import ConfigError, FtuiError
from ftui.runs.cleanup import remove_unstarted
from ftui.runs.model import Run, RunRecord
from ftui.runs.store import read_record
from ftui.targets.base import NotStarted, Target


@runtime_checkable
class Remembering(Protocol):
    """A target that tells of a run elsewhere whether the other side may have it."""

    def is_known(self, record: RunRecord) -> bool:
        """Whether it was ever told of the run."""
        ...


def launch(target: Target, run: Run) -> None:
    """Start a run that was just written; without it, when it is refused, there is no such run.

    Its folder stays where the other side may have taken the run all the same, where a log in it
    says something, and where its config is wrong. Raises what the target raises.
    """
    try:
        target.launch(run)
    except FtuiError as error:
        with contextlib.suppress(FtuiError, OSError):  # then it is a run that was never started
            if not _matters(target, run, error):
                remove_unstarted(run)
        raise


def _matters(target: Target, run: Run, error: FtuiError) -> bool:
    """Whether there is anything in the folder but what was written for the launch."""
    if isinstance(error, NotStarted | ConfigError):
        return True
    known = isinstance(target, Remembering) and target.is_known(read_record(run))
    told = any(log.stat().st_size for log in run.folder.glob("*.log"))
    return known or told or run.events_file.exists()
