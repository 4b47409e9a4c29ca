"""`ftui runs`: the runs, several of them side by side, and making room."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Sequence
from typing import Any

from ftui.errors import ExitCode, FtuiError, UsageError
from ftui.plain import console
from ftui.runs.cleanup import Level, finish_removals, size_words, usage
from ftui.runs.cleanup import clean as clean_run
from ftui.runs.compare import compare as side_by_side
from ftui.runs.compare import facts, read
from ftui.runs.endpoints import GLYPH
from ftui.runs.listing import FIRST_RUN, Entry, Listing, ago, chosen
from ftui.runs.model import RunState
from ftui.runs.store import find
from ftui.text import counted


def listing(words: Sequence[str], *, sort: str, as_json: bool) -> int:
    """The runs that contain the words. Those whose record cannot be read are told too."""
    entries = Listing().look()
    shown = chosen(entries, sort, words)
    if as_json:
        console.document([_document(entry) for entry in shown])
    elif not entries:
        console.say(f"No runs yet. Make the first one: {FIRST_RUN}")
    elif not shown:
        console.say(f"None of {counted(len(entries), 'run')} contains {' '.join(words)}.")
    else:
        console.table([_row(entry) for entry in shown])
        for entry in shown:
            if entry.left:
                console.say(f"{entry.endpoint}: ftui export {entry.run.name} --end ends it")
    return ExitCode.OK


def _document(entry: Entry) -> dict[str, Any]:
    usable = entry.loss is not None and math.isfinite(entry.loss)
    return {
        "name": entry.run.name,
        "state": entry.word,
        "glyph": entry.glyph,
        "target": entry.target,
        "step": entry.step,
        "max_steps": entry.max_steps,
        "loss": entry.loss if usable else None,
        "started": entry.started,
        "folder": str(entry.run.folder),
        "endpoints": [
            {"target": one.target, "name": one.name, "until": one.until} for one in entry.left
        ],
    }


def _row(entry: Entry) -> tuple[str, ...]:
    loss = f"loss {entry.loss:.3f}" if entry.loss is not None else ""
    steps = f"{entry.step}/{entry.max_steps}" if entry.max_steps else ""
    state, target = f"{entry.glyph} {entry.word}", entry.target or "-"
    endpoint = f"{GLYPH} endpoint" if entry.left else ""
    told = (steps, loss or entry.problem, ago(entry.started), endpoint)
    return (state, entry.run.name, target, *told)


# ── Side by side ─────────────────────────────────────────────────────────────────────────────


def compare(names: Sequence[str], *, as_json: bool) -> int:
    """What tells the runs apart. Raises UsageError, RunNotFound, OSError."""
    runs = list(dict.fromkeys(find(name) for name in names))
    if len(runs) < 2:
        raise UsageError("name two runs or more to compare", hint="ftui runs --compare A B")
    found = side_by_side([read(run) for run in runs])
    if as_json:
        console.document(
            {
                "runs": [dataclasses.asdict(outcome) for outcome in found.outcomes],
                "settings": [dataclasses.asdict(each) for each in found.differences],
            }
        )
        return ExitCode.OK
    console.table([(label, *values) for label, values in facts(found)])
    console.line()
    if found.differences:
        console.line("settings that differ")
        console.table([(each.place, *each.words) for each in found.differences])
    else:
        console.say("Their settings are the same.")
    return ExitCode.OK


# ── Making room ──────────────────────────────────────────────────────────────────────────────


def clean(names: Sequence[str], *, whole: bool, yes: bool) -> int:
    """Remove checkpoints and prepared rows, or whole runs, after saying what that frees.

    Without names: the checkpoints and prepared rows of every run that is done for good, which
    loses nothing. 1 when some run could not be cleaned. Raises UsageError, RunNotFound.
    """
    level = Level.EVERYTHING if whole else Level.LEFTOVERS
    plan = [(entry, usage(entry.run).frees(level)) for entry in _to_clean(names, whole=whole)]
    plan = [(entry, size) for entry, size in plan if size]
    if not plan:
        console.say("There is nothing to remove.")
        return ExitCode.OK
    for entry, size in plan:
        console.line(f"{size_words(size):>9}  {entry.run.name}  {level.value}{_loss(entry, level)}")
    if not yes and not sure(f"Remove {size_words(sum(size for _, size in plan))}?"):
        return ExitCode.OK
    return _remove([entry for entry, _ in plan], level)


def _to_clean(names: Sequence[str], *, whole: bool) -> list[Entry]:
    entries = {entry.run: entry for entry in Listing().look()}
    if names:
        runs = [find(name, whole=True) for name in names]  # what is removed is named in full
        return [entries[run] for run in dict.fromkeys(runs)]
    if whole:
        raise UsageError("name the runs to remove", hint="ftui runs --clean --all-of-it NAME")
    return [entry for entry in entries.values() if entry.state is RunState.DONE]


def _loss(entry: Entry, level: Level) -> str:
    resumable = level is Level.LEFTOVERS and entry.state is not RunState.DONE
    return "; it cannot be resumed then" if resumable else ""


def sure(question: str) -> bool:
    """Whether a person agrees to a removal. Raises UsageError where nobody can be asked."""
    import click

    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked here", hint="add -y to remove it")
    return click.confirm(question, default=False, err=True)


def _remove(entries: Sequence[Entry], level: Level) -> int:
    freed, code = 0, ExitCode.OK
    for entry in entries:
        try:
            freed += clean_run(entry.run, level, if_still=entry.state)
        except (FtuiError, OSError) as error:
            console.say(f"▲ {entry.run.name} could not be cleaned up: {error}")
            code = ExitCode.RUN_FAILED
    try:
        finish_removals()
    except OSError as error:
        console.say(f"▲ something is left of what was removed: {error}")
        code = ExitCode.RUN_FAILED
    console.say(f"{'✓' if code is ExitCode.OK else '▲'} {size_words(freed)} freed")
    return code
