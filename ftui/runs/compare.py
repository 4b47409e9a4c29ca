"""What tells runs apart: the settings that differ, and what each came to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftui.runs.events import Point
from ftui.runs.history import History
from ftui.runs.model import Run, RunRecord, RunState
from ftui.runs.store import read_record, state_of
from ftui.runs.tail import read_history
from ftui.text import duration

_NONE = "—"
"""Stands where there is no value."""
_NOISE = ("output_dir", "dataset_prepared_path")
"""Places in the run's own folder: they differ always and mean nothing."""


@dataclass(frozen=True)
class Side:
    """One of the runs to compare, and all that its files say."""

    run: Run
    record: RunRecord
    state: RunState
    history: History


@dataclass(frozen=True)
class Outcome:
    """What a run came to. A figure is None where there is none, or none that is a number."""

    name: str
    state: RunState
    preset: str
    target: str
    step: int
    max_steps: int
    loss: float | None
    best_loss: float | None
    eval_loss: float | None
    best_eval_loss: float | None
    seconds: float | None
    """Of training, without the pauses between its tries."""


@dataclass(frozen=True)
class Difference:
    """A setting that is not the same in all runs: its dotted place, and its value in each."""

    place: str
    values: tuple[Any, ...]
    """In the order of the runs; None where it is not set."""

    @property
    def words(self) -> tuple[str, ...]:
        """The values as people read them."""
        return tuple(map(_words, self.values))


@dataclass(frozen=True)
class Comparison:
    """Several runs side by side."""

    outcomes: tuple[Outcome, ...]
    differences: tuple[Difference, ...]


def read(run: Run) -> Side:
    """All that a run's files say. Raises RunNotFound when its record cannot be read, OSError."""
    record, history = read_record(run), read_history(run)
    return Side(run, record, state_of(run, record, history), history)


def compare(sides: Sequence[Side]) -> Comparison:
    """Put runs side by side, in their order."""
    return Comparison(tuple(map(_outcome, sides)), tuple(_differences(sides)))


def facts(comparison: Comparison) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What the runs are and came to, a label and each run's words; not what none of them has."""
    outcomes = comparison.outcomes
    rows: dict[str, list[str]] = {
        "run": [each.name for each in outcomes],
        "state": [f"{each.state.glyph} {each.state}" for each in outcomes],
        "preset": [each.preset for each in outcomes],
        "target": [each.target for each in outcomes],
        "steps": [f"{each.step:,} / {each.max_steps:,}" for each in outcomes],
        "loss": [_figure(each.loss) for each in outcomes],
        "best loss": [_figure(each.best_loss) for each in outcomes],
        "eval loss": [_figure(each.eval_loss) for each in outcomes],
        "best eval loss": [_figure(each.best_eval_loss) for each in outcomes],
        "time": [_NONE if each.seconds is None else duration(each.seconds) for each in outcomes],
    }
    return ((label, tuple(row)) for label, row in rows.items() if set(row) != {_NONE})


def _figure(value: float | None) -> str:
    return _NONE if value is None else f"{value:.4g}"


def _outcome(side: Side) -> Outcome:
    history = side.history
    return Outcome(
        name=side.run.name,
        state=side.state,
        preset=side.record.preset,
        target=side.record.target,
        step=history.step,
        max_steps=history.max_steps,
        loss=_last(history.series.get("loss", ())),
        best_loss=_least(history.series.get("loss", ())),
        eval_loss=_last(history.series.get("eval_loss", ())),
        best_eval_loss=_least(history.series.get("eval_loss", ())),
        seconds=history.seconds,
    )


def _last(points: Sequence[Point]) -> float | None:
    return points[-1].value if points and math.isfinite(points[-1].value) else None


def _least(points: Sequence[Point]) -> float | None:
    return min((point.value for point in points if math.isfinite(point.value)), default=None)


# ── Settings ─────────────────────────────────────────────────────────────────────────────────


def _differences(sides: Sequence[Side]) -> Iterator[Difference]:
    """The places in the order in which the runs name them, the first run's first."""
    settings = [dict(_flat(side.record.settings)) for side in sides]
    for place in dict.fromkeys(place for each in settings for place in each):
        values = tuple(each.get(place) for each in settings)
        if place not in _NOISE and not _same(values) and not _own_places(sides, values):
            yield Difference(place, values)


def _flat(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting under its dotted place; a list of plain values is one setting."""
    below: Iterator[tuple[object, Any]] | None = None
    if isinstance(value, Mapping) and value:
        below = iter(value.items())
    elif isinstance(value, list) and any(isinstance(each, (Mapping, list)) for each in value):
        below = iter(enumerate(value))
    if below is None:
        if value is not None:  # axolotl takes null for unset
            yield place, value
        return
    for key, each in below:
        yield from _flat(each, f"{place}.{key}" if place else str(key))


def _same(values: Sequence[Any]) -> bool:
    """1 and 1.0 are the same; 1 and true are not, and neither is a list with one of them."""
    first = values[0]
    return all(_key(each) == _key(first) for each in values)


def _key(value: Any) -> Any:
    if isinstance(value, list):
        return [_key(each) for each in value]
    return (isinstance(value, bool), None if value != value else value)  # NaN equals itself here


def _own_places(sides: Sequence[Side], values: Sequence[Any]) -> bool:
    """Whether each value is the same place in its own run's folder."""
    seen = set()
    for side, value in zip(sides, values, strict=True):
        if not isinstance(value, str) or not Path(value).is_relative_to(side.run.folder):
            return False
        seen.add(Path(value).relative_to(side.run.folder))
    return len(seen) == 1


def _words(value: Any) -> str:
    if value is None:
        return _NONE
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(_words, value)) if isinstance(value, list) else str(value)
