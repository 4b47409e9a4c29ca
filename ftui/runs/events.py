"""Events: what happened in a run, one JSON object a line, and the history they add up to.

Written by ftui/axolotl_plugin (inside axolotl) and by the supervisor; read by every viewer.
`{"v": 1, "ts": 1795339679.1, "event": "log", "step": 12, "max_steps": 375, "epoch": 0.1,
  "values": {"loss": 0.41, "grad_norm": 0.6, "learning_rate": 0.002}}`

Of ftui: launched (pid; of a later try also again, from_step, aside: see Try) · stop_requested
(why, if a tripwire asked) · exit (code; negative = signal;
why, if it never began; what evidence.py notes: oom_kills, machine_oom_kills, disk_free, peak_rss,
memory, log_size).
Of axolotl: train_begin (vocabulary: tokens the model chooses from; warmup_steps) · step · log ·
evaluating (again and again while it lasts) · eval · saving · save (path) · train_end · saved (the
final weights).
JSON has no word for a float that is not finite: it is written "nan", "inf" or "-inf" and read back
as that float, so that an exploding grad norm is seen.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VERSION = 1

_PACES = 50
"""So many of the newest steps say how long one takes."""
_PACES_FROM = 3
"""Steps before there is anything to say of their pace: the first ones may compile."""
_SIGNS = ("step", "log", "evaluating", "eval", "saving", "save")
"""Events that only a trainer at work writes."""
_NOT_FINITE = ("nan", "inf", "-inf")


@dataclass(frozen=True)
class Event:
    """One line of events.jsonl. `time` is seconds since the epoch."""

    kind: str
    time: float
    step: int = 0
    max_steps: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Point:
    """One value of one series at one optimizer step."""

    step: int
    value: float


@dataclass(frozen=True)
class Try:
    """How the newest try of a run began, as its launch tells."""

    again: bool = False
    """Whether another one was before it."""
    from_step: int = 0
    """The step of the checkpoint that it goes on from; 0 = it begins again."""
    aside: str = ""
    """The folder in which lies what was of no use to it, seen from the run's."""

    @property
    def words(self) -> str:
        """`goes on from step 120`, `begins again; …`; nothing for the first try."""
        if not self.again:
            return ""
        if self.from_step:
            return f"goes on from step {self.from_step:,}" + self.kept
        return f"begins again from nothing{self.kept}"

    @property
    def kept(self) -> str:
        """Where the rest of the earlier work is, if there is any."""
        if not self.aside:
            return ""
        what = "what came after it" if self.from_step else "what it had trained"
        return f"; {what} is kept in {self.aside}"


def parse(line: str) -> Event | None:
    """The event in a line, or None when the line is torn, foreign or from a newer version."""
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict) or raw.get("v") != VERSION:
        return None
    kind, values = raw.get("event"), raw.get("values")
    if not isinstance(kind, str):
        return None
    return Event(
        kind=kind,
        time=_number(raw.get("ts")),
        step=int(_number(raw.get("step"))),
        max_steps=int(_number(raw.get("max_steps"))),
        values=_floats(values) if isinstance(values, dict) else {},
    )


def middle(values: Iterable[float]) -> float:
    """The middle one of some values (the median): odd ones at either end do not count."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def append(file: Path, kind: str, **values: Any) -> None:
    """Add an event of ftui's own to an events file, after whatever torn line it may end with.

    Raises OSError (disk full, no permission).
    """
    event = {"v": VERSION, "ts": round(time.time(), 3), "event": kind, "values": values}
    handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        size = os.fstat(handle).st_size
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        os.write(handle, (b"\n" if torn else b"") + json.dumps(event).encode() + b"\n")
    finally:
        os.close(handle)


def _number(value: Any) -> float:
    """A finite number; 0 for anything else."""
    return float(value) if _is_number(value) and math.isfinite(value) else 0.0


def _is_number(value: Any) -> bool:
    """Whether it is a float, or an int that fits one."""
    fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**1000
    return fits or isinstance(value, float)


def _floats(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: float(value) if value in _NOT_FINITE else value for name, value in values.items()}


@dataclass
class History:
    """All that a run's events say, grown event by event. Series are in the order of their steps."""

    step: int = 0
    max_steps: int = 0
    newest_try: Try = Try()
    """How the try that is at work now, or was last, began."""
    last_time: float = 0.0
    series: dict[str, list[Point]] = field(default_factory=dict)
    """By axolotl's own name: loss, eval_loss, learning_rate, grad_norm, tokens/train_per_sec…"""
    checkpoints: list[Point] = field(default_factory=list)
    training: bool = False
    """Whether the newest launch has come as far as training."""
    stop_requested: bool = False
    stop_reason: str = ""
    """Why ftui itself asked it to stop; empty when a person did."""
    vocabulary: int = 0
    """How many tokens the model chooses from; 0 = unknown, or of no matter for the loss."""
    warmup_steps: int = 0
    """Steps in which the learning rate still grows."""
    pause: str = ""
    """What the trainer does since the newest step, if that is no step: evaluating, saving."""
    last_sign: float | None = None
    """When the trainer showed last that it is at work on the steps."""
    train_ended: bool = False
    """The last step is done; the final weights may still be on their way to the disk."""
    saved: bool = False
    """The final weights are on the disk."""
    exit_code: int | None = None
    """The trainer's exit code once the supervisor saw it; negative = signal."""
    _begun: Point = Point(0, 0.0)
    """The step at which training (last) began, and when."""
    _stepped: float = 0.0
    """When the newest step was seen."""
    _before: float = 0.0
    """Seconds of training of the earlier tries."""
    _try_begun: float | None = None
    """When the newest try began to train, and when it was heard of last."""
    _try_heard: float = 0.0
    _paces: deque[float] = field(default_factory=lambda: deque(maxlen=_PACES))
    """Seconds a step, of the newest steps, without the evaluations and checkpoints between them."""

    def add(self, event: Event) -> None:
        """Take one event in."""
        self._add_time(event)
        self.max_steps = event.max_steps or self.max_steps
        self._add_sign(event)
        if event.step > self.step:
            self.step, self._stepped = event.step, event.time
        match event.kind:
            case "launched":
                self._launch(event)
            case "train_begin":
                self._begin(event)
            case "log" | "eval":
                self._add_values(event)
            case "save":
                self.checkpoints.append(Point(event.step, event.time))
            case "stop_requested":
                self.stop_requested = True
                self.stop_reason = str(event.values.get("why", ""))
            case "train_end":
                self.train_ended = True
            case "saved":
                self.saved = True
            case "exit":
                self.exit_code = int(_number(event.values.get("code")))

    def extend(self, events: Iterable[Event]) -> None:
        """Take several events in, in their order."""
        for event in events:
            self.add(event)

    def latest(self, name: str) -> float | None:
        """The newest value of a series, or None."""
        points = self.series.get(name)
        return points[-1].value if points else None

    @property
    def seconds_left(self) -> float | None:
        """How long the steps to come will take at the pace since training (last) began."""
        done = self.step - self._begun.step
        if done <= 0 or not self.max_steps:
            return None
        return (self._stepped - self._begun.value) / done * (self.max_steps - self.step)

    @property
    def seconds(self) -> float | None:
        """How long it has trained, without the pauses between its tries; None before it did."""
        if self._try_begun is None:
            return self._before or None
        return self._before + max(self._try_heard - self._try_begun, 0.0)

    @property
    def seconds_a_step(self) -> float | None:
        """How long one of the newest steps takes (the median); None before a few are done."""
        return middle(self._paces) if len(self._paces) >= _PACES_FROM else None

    def _add_time(self, event: Event) -> None:
        """What a new try begins with is no part of the one before it."""
        self.last_time = max(self.last_time, event.time)
        if self.exit_code is None and event.kind not in ("launched", "train_begin"):
            self._try_heard = max(self._try_heard, event.time)

    def _add_sign(self, event: Event) -> None:
        """The trainer is at work: on a new step, or on something between two of them."""
        if event.kind not in _SIGNS:
            return
        steps = event.step - self.step
        if steps > 0:
            if self.last_sign is not None and event.time > self.last_sign:
                self._paces.append((event.time - self.last_sign) / steps)
            self.pause = ""
        if event.kind in ("evaluating", "saving"):
            self.pause = event.kind
        self.last_sign = event.time

    def _launch(self, event: Event) -> None:
        """Another try, of which nothing is known yet."""
        self.training = self.stop_requested = self.train_ended = self.saved = False
        self.exit_code, self.stop_reason = None, ""
        self._before, self._try_begun = self.seconds or 0.0, None
        self.newest_try = Try(
            again=event.values.get("again") is True,
            from_step=int(_number(event.values.get("from_step"))),
            aside=str(event.values.get("aside", "")),
        )

    def _begin(self, event: Event) -> None:
        """Training begins at the event's step: what an earlier try did after it is done again."""
        self.vocabulary = int(_number(event.values.get("vocabulary")))
        self.warmup_steps = int(_number(event.values.get("warmup_steps")))
        self.pause, self.last_sign = "", event.time
        self._paces.clear()
        self._before, self._try_begun = self.seconds or 0.0, event.time
        self._try_heard = event.time
        self.training = True
        self.step, self._stepped = event.step, event.time
        self._begun = Point(event.step, event.time)
        self.checkpoints = [point for point in self.checkpoints if point.step <= event.step]
        for name, points in self.series.items():
            self.series[name] = [point for point in points if point.step <= event.step]

    def _add_values(self, event: Event) -> None:
        for name, value in event.values.items():
            if _is_number(value):
                number = math.nan if name == "loss" and _stands_in(event) else float(value)
                self.series.setdefault(name, []).append(Point(event.step, number))


def _stands_in(event: Event) -> bool:
    """Whether the loss is 0 because it was no number: transformers says so (its nan filter)."""
    norm = event.values.get("grad_norm")
    return event.values["loss"] == 0 and isinstance(norm, float) and math.isnan(norm)
