"""Going on with a run where it was started, as it was or with what made it fail changed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ftui import paths
from ftui.config.edit_text import apply_edits
from ftui.errors import ConfigError, RunNotFound
from ftui.plan.yaml_source import YamlProblem, mapping
from ftui.runs.failures import Diagnosis
from ftui.runs.model import Run, RunRecord
from ftui.runs.old_try import aside, keep_config, out_aside
from ftui.runs.resume import Resumption, resumption
from ftui.runs.store import read_record, write_record
from ftui.targets import get

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


def resume(run: Run, fix: Fix | None = None) -> Resumption:
    """Launch a run again, from its last checkpoint of use, with its config changed if a fix is
    given; where it goes on.

    The old config is kept as config.1.yml (or .2, …); checkpoints of no use to the next try, in
    out.1. Raises UsageError when it runs already or is done, ConfigError when the config was
    changed meanwhile, RuntimeMissing, TargetUnavailable, OSError.
    """
    target = get(read_record(run).target)
    found = resumption(run)
    if fix is not None and not fix.diagnosis.resumes:
        found = replace(found, checkpoint=None, passed_over=(), anew=_ANEW)
    fresh = found.checkpoint is None and (fix is not None or bool(found.passed_over))
    old_try = out_aside(run) if fresh else aside(run, found.passed_over)
    with _changed(run, fix), old_try:
        target.launch(run, found.place)
    return found


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
