"""Tripwires: what says, while a run still trains, that it will come to no good.

All of it is told from the run's events and two sizes on the disk. Each limit lies well beyond what
a healthy training does, since a warning that is wrong once is never believed again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile

from ftui.runs.events import Point
from ftui.runs.history import History, middle
from ftui.runs.numbers import NUMBERS
from ftui.text import duration

GLYPH = "▲"

_IN_A_ROW = 3
"""So many logged values in a row: one batch may be odd."""
_AT_THE_START = 10
"""fp16 finds its scale in the first steps: their grad norms may be infinite, and are left out."""
_EXPLODED = 10.0
"""A grad norm is exploding at this many times the usual one, and above this number: clipping
(max_grad_norm, 1 by default) deals with less."""
_USUAL_FROM = 20
"""So many grad norms before it say what is usual."""
_SAMPLE = 500
"""A long series is judged by so many of its values: a viewer looks four times a second."""
_GUESSING = 1.05
"""A model that knows nothing yet is at the loss of guessing, give or take."""
_STALLED = 20.0
"""Step times differ by ten times where rows differ in length and a machine is shared."""
_STALLED_SECONDS = 120.0
"""Short steps stand still for a minute where torch compiles anew, or a network disk is slow."""
_PAUSED_SECONDS = 900.0
"""A large checkpoint takes minutes to write, and so do answers that an evaluation writes."""


class Tripwire(StrEnum):
    """What is watched for, by the name that `--stop-on` takes."""

    NAN = "nan"
    GRAD = "grad"
    LOSS = "loss"
    STALL = "stall"
    DISK = "disk"

    @property
    def word(self) -> str:
        """What it warns of, in two or three words."""
        return _WORDS[self]


_WORDS: Mapping[Tripwire, str] = {
    Tripwire.NAN: "numbers lost",
    Tripwire.GRAD: "gradient explodes",
    Tripwire.LOSS: "worse than guessing",
    Tripwire.STALL: "no step",
    Tripwire.DISK: "disk nearly full",
}


@dataclass(frozen=True)
class Disk:
    """What a next checkpoint needs and what there is, in bytes."""

    free: int
    checkpoint: int
    """The size of the newest checkpoint."""


@dataclass(frozen=True)
class Trip:
    """A tripwire that was touched."""

    wire: Tripwire
    what: str
    """What is seen, with its figures: one sentence, small at the beginning, no full stop."""
    why: str
    hint: str
    since: int
    """The step since which it is so."""

    @property
    def words(self) -> str:
        """One line: `▲ numbers lost: grad_norm is nan since step 21`."""
        return f"{GLYPH} {self.wire.word}: {self.what}"


def tripped(history: History, now: float, *, disk: Disk | None = None) -> tuple[Trip, ...]:
    """What is wrong with a run that trains, by its events up to `now`, and its disk.

    Nothing for one that does not train any more, or was asked to stop. `disk` is None where there
    is no checkpoint yet.
    """
    over = history.train_ended or history.exit_code is not None or history.stop_requested
    if over or not history.training:
        return ()
    found = [_numbers(history), _gradient(history), _loss(history), _stall(history, now)]
    if disk is not None:
        found.append(_disk(history, disk))
    return tuple(trip for trip in found if trip is not None)


def _numbers(history: History) -> Trip | None:
    """Values that are no numbers, or a loss of nothing at all."""
    newest = (history.latest(name) for name in NUMBERS)
    if not all(value is None or math.isfinite(value) for value in newest):
        return _not_finite(history)
    zeros = _newest(history, "loss", lambda value: value == 0)
    if len(zeros) < _IN_A_ROW:
        return None
    return Trip(
        Tripwire.NAN,
        what=f"the loss is exactly 0 since step {zeros[0].step:,}",
        why="no token of the rows is learnt, or all of them are known by heart",
        hint="see what is learnt of each row: ftui data FILE",
        since=zeros[0].step,
    )


def _not_finite(history: History) -> Trip | None:
    # What knows the failures is large, and wanted for this alone.
    from ftui.runs.failures import Trial, numbers_lost

    lost = numbers_lost(history, Trial({}))
    if lost is None or lost.bad_since is None:
        return None
    wanted = _IN_A_ROW if lost.bad_since > 1 else _AT_THE_START
    if not any(
        len(_newest(history, name, lambda value: not math.isfinite(value))) >= wanted
        for name in NUMBERS
    ):
        return None
    return Trip(Tripwire.NAN, lost.what, lost.why, lost.hint, lost.bad_since)


def _gradient(history: History) -> Trip | None:
    points = history.series.get("grad_norm", [])
    if len(points) < _USUAL_FROM + _IN_A_ROW:
        return None
    low = min(point.value for point in points[-_IN_A_ROW:])
    if not low > _EXPLODED:  # NaN compares as false: that is another tripwire's
        return None
    before = points[:-_IN_A_ROW]
    usual = middle(point.value for point in before[:: len(before) // _SAMPLE + 1])
    limit = max(_EXPLODED * usual, _EXPLODED)
    high = _newest(history, "grad_norm", lambda value: value > limit)
    if len(high) < _IN_A_ROW:
        return None
    return Trip(
        Tripwire.GRAD,
        what=f"grad_norm is {high[-1].value:,.1f}, usual were {usual:,.2f}, "
        f"since step {high[0].step:,}",
        why="each step overshoots further than the one before; the numbers are lost next",
        hint="stop it, and begin anew with a smaller learning_rate or more warmup_steps",
        since=high[0].step,
    )


def _loss(history: History) -> Trip | None:
    if history.vocabulary < 2:
        return None
    guessing = math.log(history.vocabulary)
    high = [
        point
        for point in _newest(history, "loss", lambda value: value > guessing * _GUESSING)
        if point.step > history.warmup_steps
    ]
    if len(high) < _IN_A_ROW:
        return None
    return Trip(
        Tripwire.LOSS,
        what=f"the loss is {high[-1].value:.2f} since step {high[0].step:,}; guessing among "
        f"{history.vocabulary:,} tokens has {guessing:.2f}",
        why="the model got worse than one that knows nothing: the steps are too large, or the "
        "rows are no text of its tokenizer",
        hint="stop it, and begin anew with a smaller learning_rate; look at the rows: ftui data",
        since=high[0].step,
    )


def _stall(history: History, now: float) -> Trip | None:
    usual, sign = history.seconds_a_step, history.last_sign
    all_done = 0 < history.max_steps <= history.step
    if usual is None or sign is None or all_done:
        return None
    limit = max(_STALLED * usual, _PAUSED_SECONDS if history.pause else _STALLED_SECONDS)
    if now - sign <= limit:
        return None
    during = f" while {history.pause}" if history.pause else ""
    return Trip(
        Tripwire.STALL,
        what=f"nothing happened for {duration(now - sign)}{during} after step {history.step:,}; "
        f"a step took {_seconds(usual)}",
        why="the trainer waits for something: another process, a disk, the network, the GPU",
        hint="see the end of its log; `nvidia-smi` and `top` tell whether anything works",
        since=history.step,
    )


def _disk(history: History, disk: Disk) -> Trip | None:
    if not 0 <= disk.free < disk.checkpoint:
        return None
    return Trip(
        Tripwire.DISK,
        what=f"{_size(disk.free)} are free, the next checkpoint takes {_size(disk.checkpoint)}",
        why="a checkpoint that does not fit ends the run, and is of no use",
        hint="make room now: old runs and ~/.cache/huggingface are the largest",
        since=history.checkpoints[-1].step if history.checkpoints else 0,
    )


def _newest(history: History, name: str, odd: Callable[[float], bool]) -> Sequence[Point]:
    """The newest values in a row that are odd, the oldest of them first."""
    points = history.series.get(name, [])
    return list(takewhile(lambda point: odd(point.value), reversed(points)))[::-1]


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 10 else duration(value)


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
