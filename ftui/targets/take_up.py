"""Following a run again that is at work elsewhere while nobody here follows it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ftui.errors import FtuiError, UsageError
from ftui.runs.model import ProcessId, Run, RunState
from ftui.runs.store import read_record, state
from ftui.targets import get


@runtime_checkable
class Followed(Protocol):
    """A target whose runs are followed by a process of this machine, which may be killed."""

    def attach(self, run: Run) -> None:
        """Follow a run that is at work. Raises UsageError when it is not, or somebody does."""
        ...


def take_up(run: Run) -> bool:
    """See to it that the run is followed, if it is at work elsewhere; whether that was needed.

    Raises TargetUnavailable when that cannot be found out, RunNotFound, OSError.
    """
    target = get(read_record(run).target)
    if not isinstance(target, Followed) or state(run) is not RunState.INTERRUPTED:
        return False
    try:
        target.attach(run)
    except UsageError:
        return False
    return True


class Rescue:
    """Takes a run up again for its viewer, once for each follower that was killed."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._tried: ProcessId | None = None

    def look(self, standing: RunState) -> bool:
        """Whether it is followed anew; may take a few seconds. Raises RunNotFound."""
        if standing is not RunState.INTERRUPTED:
            return False
        follower = read_record(self._run).supervisor
        if follower is None or follower == self._tried:
            return False
        self._tried = follower
        try:
            return take_up(self._run)
        except (FtuiError, OSError):  # it is shown as interrupted; watching it again tells why
            return False
