"""What the screens do to a run; the targets are imported when that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ftui.runs.model import Run

if TYPE_CHECKING:
    from ftui.runs.resume import Resumption
    from ftui.targets.resume import Fix

Stop = Callable[[Run], str | None]
"""What became of the request, in words; nothing where all of it is seen elsewhere."""
Resume = Callable[[Run, "Fix | None", "Resumption | None"], "Resumption"]

STOP_MEANS = "It saves a checkpoint and its weights, then ends. x again ends it at once, unsaved."
"""What is said where a person is asked whether to stop a run."""


def stop_run(run: Run) -> str | None:
    """Ask for a clean end; asked again, end it at once. Raises FtuiError, OSError."""
    from ftui.runs.store import read_record
    from ftui.targets import get

    target = get(read_record(run).target)
    return target.stop(run).words(target.title)


def rented_again(run: Run) -> str:
    """What going on means where a machine is rented for it; empty on one's own. Raises FtuiError,
    OSError."""
    from ftui.runs.store import read_record
    from ftui.targets import get
    from ftui.targets.base import Offering

    target = get(read_record(run).target)
    if not isinstance(target, Offering):
        return ""
    return f"{target.title} is asked for a machine again, within the limits of before."


def resume_run(run: Run, fix: Fix | None, if_still: Resumption | None) -> Resumption:
    """Go on as the person was told, with a fix where they agreed to one.

    Raises FtuiError, OSError.
    """
    from ftui.targets.resume import resume

    return resume(run, fix, if_still=if_still)
