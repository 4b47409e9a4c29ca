"""What the screens do to a run; the targets are imported when that is asked for."""

from __future__ import annotations

from ftui.runs.model import Run

STOP_MEANS = "It saves a checkpoint and its weights, then ends. x again ends it at once, unsaved."
"""What is said where a person is asked whether to stop a run."""


def stop_run(run: Run) -> object:
    """Ask for a clean end; asked again, end it at once. Raises RunNotFound, OSError."""
    from ftui.runs.store import read_record
    from ftui.targets import get

    return get(read_record(run).target).stop(run)


def resume_run(run: Run) -> object:
    """Go on from the last checkpoint of use. Raises FtuiError, OSError."""
    from ftui.targets.resume import resume

    return resume(run)
