"""Going on with a run where it was started."""

from __future__ import annotations

from ftui.runs.model import Run
from ftui.runs.resume import Resumption, resumption
from ftui.runs.store import read_record
from ftui.targets import get


def resume(run: Run) -> Resumption:
    """Launch a run again, from its last whole checkpoint; where that is.

    Raises UsageError when it runs already or is done, RuntimeMissing, TargetUnavailable, OSError.
    """
    found = resumption(run)
    get(read_record(run).target).launch(run, found.place)
    return found
