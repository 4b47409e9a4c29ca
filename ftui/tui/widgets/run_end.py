"""The end-of-run card: what came of a run, what went wrong and why, the next keys and commands."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from textual.content import Content

from ftui.runs.history import History
from ftui.runs.model import Run, RunState
from ftui.text import duration, printable, shorten
from ftui.tui import theme
from ftui.tui.watcher import Ending, Glance
from ftui.tui.widgets.run_words import nice_path
from ftui.tui.widgets.ticks import short

if TYPE_CHECKING:
    from ftui.runs.failures import Diagnosis

_LONGEST_EVIDENCE = 120


def card(run: Run, glance: Glance, history: History) -> Content:
    """All of it, for a run that has ended. What to do next comes before what can wait."""
    assert glance.end is not None
    end, wrong = glance.end, glance.end.wrong
    bad = glance.state in (RunState.FAILED, RunState.INTERRUPTED)
    facts = _how_far(run, end, history) if bad else _what_came_of_it(run, end, history)
    following = [Content("Next"), *_next(run, glance)]
    lines = []
    if history.stop_reason:
        reason = f"{theme.WARNING} {printable(history.stop_reason)}"
        lines = [Content.styled(reason, "$warning"), Content("")]
    if wrong is not None:
        lines += _what_went_wrong(wrong, told=wrong.what in history.stop_reason)
        return Content("\n").join([*lines, Content(""), *following, Content(""), *facts])
    return Content("\n").join([*lines, *facts, Content(""), *following])


def _what_went_wrong(wrong: Diagnosis, *, told: bool) -> list[Content]:
    """The cause in a word, what happened, why, what to do, and the line of the log that says so.

    `told`: what happened is told already.
    """
    cause = f"{wrong.cause.glyph} {wrong.cause.value}"
    what = "" if told else f"   {printable(wrong.what)}"
    lines = [Content.assemble((cause, "bold $error"), what)]
    if wrong.why:
        lines.append(Content.styled(printable(wrong.why), "$secondary"))
    if wrong.advice:
        lines.append(Content(f"→ {printable(wrong.advice)}"))
    line = wrong.evidence
    if line is not None and line.text.strip() != wrong.what:
        where = f"train.log:{line.number}" if line.number else "train.log"
        words = shorten(printable(line.text), _LONGEST_EVIDENCE)
        lines.append(Content.styled(f"{where}  {words}", "$secondary"))
    return lines


def _how_far(run: Run, end: Ending, history: History) -> list[Content]:
    lines = []
    if history.step:
        lines.append(_fact("reached", f"step {history.step:,} of {history.max_steps:,}"))
    if end.going_on is not None and end.going_on.checkpoint is not None:
        lines.append(_fact("kept", end.going_on.place))
    if history.cost_words:
        lines.append(_fact("cost", history.cost_words))
    lines += _earlier(history)
    files = f"{run.log_file.name}, {run.config_file.name}"
    return [*lines, _fact("files", f"{files} in {nice_path(run.folder)}")]


def _what_came_of_it(run: Run, end: Ending, history: History) -> list[Content]:
    lines = []
    loss = history.latest("loss")
    if loss is not None:
        lines.append(_fact("final loss", short(loss)))
    evaluated = [
        point for point in history.series.get("eval_loss", []) if math.isfinite(point.value)
    ]
    if evaluated:
        best = min(evaluated, key=lambda point: point.value)
        lines.append(_fact("best eval", f"{short(best.value)} at step {best.step:,}"))
    lines.append(_fact("steps", f"{history.step:,} of {history.max_steps:,}"))
    if history.seconds is not None:
        lines.append(_fact("time", duration(history.seconds)))
    if history.cost_words:
        lines.append(_fact("cost", history.cost_words))
    if end.memory:
        lines.append(_fact("memory", end.memory))
    where = nice_path(run.output_dir) if end.weights else "no weights were saved"
    return [*lines, _fact("weights", where), *_earlier(history)]


def _earlier(history: History) -> list[Content]:
    """Where the work of an earlier try is that the newest one did not build on."""
    kept = history.newest_try.aside
    return [_fact("earlier", f"what was of no use to this try is in {kept}")] if kept else []


def _next(run: Run, glance: Glance) -> list[Content]:
    assert glance.end is not None
    end, lines = glance.end, []
    if end.going_on is not None and end.fix is not None:
        lines += [
            _fact("r", "see what to change, and go on"),
            _command(f"ftui resume {run.name} --fix"),
        ]
    elif end.going_on is not None:
        lines += [_fact("r", end.going_on.short_words), _command(f"ftui resume {run.name}")]
    if end.weights and glance.state.worth_talking and end.wrong is None:
        return [
            _fact("c", "talk with it, beside its base model"),
            _command(f"ftui chat {run.name}"),
            _command(f"ftui eval {run.name}"),
            *lines,
        ]
    return [
        *lines,
        _fact("/", "search the log; & shows only some lines"),
        _command(f"ftui logs {run.name}"),
        _command(f"ftui --preset {printable(glance.record.preset)}"),
    ]


def _fact(label: str, value: str) -> Content:
    return Content.assemble((f"{label:11}", "$secondary"), value)


def _command(text: str) -> Content:
    return Content.styled(f"{'':11}{text}", "$accent")
