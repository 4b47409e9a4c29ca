"""Going on with a run, in plain lines: where from, and what is changed before."""

from __future__ import annotations

from ftui.errors import UsageError
from ftui.plain import console
from ftui.plain.diff import agreed, show_diff
from ftui.plain.files import told
from ftui.runs.failure import what_went_wrong
from ftui.runs.model import Run
from ftui.runs.resume import resumption
from ftui.runs.store import state
from ftui.runs.tail import read_history
from ftui.targets.resume import Fix, fix_for
from ftui.targets.resume import resume as resume_run


def resume(run: Run, *, fix: bool, yes: bool) -> bool:
    """Go on from the last checkpoint of use, and say which that is; False for a no.

    With `fix`, what made it fail is changed first: the change is shown and asked about.
    """
    change = None
    if fix:
        with told(run):
            resumption(run)  # refuses what runs or is done, before anything is asked
            change = _fix(run)
        show_diff(change.before, change.after, str(run.config_file))
        if not (yes or agreed("Write it and go on?")):
            console.say("Nothing was written, nothing was started.")
            return False
    with told(run):
        found = resume_run(run, change)
    for useless in found.passed_over:
        console.say(f"▲ {useless.path.name} is passed over: {useless.problem}")
    console.say(f"● {run.name} {found.words}")
    return True


def _fix(run: Run) -> Fix:
    """What mends the run, once it is said what went wrong. Raises UsageError when nothing does."""
    history = read_history(run)
    standing = state(run, history)
    wrong = what_went_wrong(run, standing, history)
    if wrong is None:
        raise UsageError(
            f"{run.name} is {standing}: there is nothing to fix",
            hint=f"go on with it as it is: ftui resume {run.name}",
        )
    change = fix_for(run, wrong)
    if change is None:
        raise UsageError(
            "no setting is known that mends this",
            where=run.name,
            why=wrong.what,
            hint=wrong.hint or f"try it again as it is: ftui resume {run.name}",
        )
    console.say(f"{wrong.cause.glyph} {wrong.cause.value}: {wrong.what}")
    console.say(f"  {wrong.why}" if wrong.why else "")
    console.say(f"→ {wrong.advice}")
    return change
