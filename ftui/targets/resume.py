"""Going on with a run where it was started, as it was or with what made it fail changed."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ftui import paths
from ftui.config.edit_text import apply_edits
from ftui.errors import ConfigError, RunNotFound, UsageError
from ftui.plan.yaml_source import YamlProblem, mapping
from ftui.runs.failures import Diagnosis
from ftui.runs.lock import claimed
from ftui.runs.model import Run, RunRecord
from ftui.runs.old_try import aside, keep_config, out_aside
from ftui.runs.resume import Resumption, resumption
from ftui.runs.store import read_record, write_record
from ftui.targets import get
from ftui.targets.base import GoingOn

_ANEW = "what is changed is of use from the first step on"


@dataclass(frozen=True)
class Fix:
    """What a diagnosis changes in the config of a run."""

    diagnosis: Diagnosis
    before: str
    after: str


def fix_for(run: Run, wrong: Diagnosis) -> Fix | None:
    """What to change in config.yml before the run is tried again; None where no setting mends it.

    `wrong`: what went wrong (ftui.runs.failure). Raises ConfigError when the config cannot be read.
    """
    if not wrong.edits:
        return None
    before = paths.read_config(run.config_file)
    try:
        after = apply_edits(before, wrong.edits)
    except YamlProblem as problem:
        where = f"{run.config_file}:{problem.line}"
        raise ConfigError(problem.message, where=where) from problem
    return Fix(wrong, before, after) if after != before else None


def resume(run: Run, fix: Fix | None = None, *, if_still: Resumption | None = None) -> Resumption:
    """Launch a run again, from its last checkpoint of use, with its config changed if a fix is
    given; where it goes on.

    `if_still`: what a person was told of where it would go on, and agreed to. The old config is
    kept as config.1.yml (or .2, …); checkpoints of no use to the next try, in out.1. From the look
    at the checkpoints on until the trainer ends, nobody else works with the run.

    Raises UsageError when it runs already, is done, or is not as it was told; ConfigError when the
    config was changed meanwhile; RunNotFound, RuntimeMissing, TargetUnavailable, OSError.
    """
    target = get(read_record(run).target)
    with claimed(run) as claim:
        found = resumption(run)
        if if_still is not None and found != if_still:
            raise _changed_meanwhile(run, found)
        if fix is not None and not fix.diagnosis.resumes:
            found = replace(found, checkpoint=None, passed_over=(), anew=_ANEW)
        old_try = aside(run, found.passed_over) if found.checkpoint else out_aside(run)
        with _changed(run, fix), old_try as kept:
            found = replace(found, aside=kept)
            told = dataclasses.asdict(found.as_try) if found.again else {}
            target.launch(run, GoingOn(claim, found.place, told))
    return found


def _changed_meanwhile(run: Run, found: Resumption) -> UsageError:
    return UsageError(
        f"{run.name} is not as it was a moment ago: now it {found.words}",
        hint="look again, and go on with it if that is what you want",
    )


@contextlib.contextmanager
def _changed(run: Run, fix: Fix | None) -> Iterator[None]:
    """The run with its config and its record changed; as it was again when it is not launched."""
    if fix is None:
        yield
        return
    record = read_record(run)
    settings = mapping(fix.after).data
    kept = keep_config(run, fix.before)
    with _undoing(kept.unlink):
        paths.write_back(run.config_file, fix.after, known=fix.before)
        with _undoing(lambda: _put_back(run, fix, record)):
            write_record(run, replace(record, settings=settings))
            yield


def _put_back(run: Run, fix: Fix, record: RunRecord) -> None:
    paths.write_atomic(run.config_file, fix.before)
    write_record(run, replace(read_record(run), settings=record.settings))


@contextlib.contextmanager
def _undoing(undo: Callable[[], None]) -> Iterator[None]:
    """Undo what was done before, as far as that can be done, where this ends in an error."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError, RunNotFound):
            undo()
        raise
