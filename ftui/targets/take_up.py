"""Following a run again that is at work elsewhere while nobody here follows it."""

from __future__ import annotations

import contextlib
from typing import Protocol, runtime_checkable

from ftui.errors import UsageError
from ftui.runs.model import Run, RunState
from ftui.runs.store import read_record, state
from ftui.targets import get


@runtime_checkable
class Followed(Protocol):
    """A target whose runs are followed by a process of this machine, which may be killed."""

    def attach(self, run: Run) -> None:
        """Follow a run that is at work. Raises UsageError when it is not, or somebody does."""
        ...


def take_up(run: Run) -> None:
    """See to it that the run is followed, if it is at work elsewhere; else nothing happens.

    Raises TargetUnavailable when that cannot be found out, RunNotFound, OSError.
    """
    target = get(read_record(run).target)
    if isinstance(target, Followed) and state(run) is RunState.INTERRUPTED:
        with contextlib.suppress(UsageError):
            target.attach(run)
