"""The history of a run: what its events add up to."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from ftui.runs.events import Event, Point, is_number, number
from ftui.text import clock

_PACES = 50
"""So many of the newest steps say how long one takes."""
_PACES_FROM = 3
"""Steps before there is anything to say of their pace: the first ones may compile."""
_SIGNS = ("step", "log", "evaluating", "eval", "saving", "save")
"""Events that only a trainer at work writes."""


def middle(values: Iterable[float]) -> float:
    """The middle one of some values (the median): odd ones at either end do not count."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


@dataclass(frozen=True)
class Cost:
    """What a run on a rented machine costs, in dollars."""

    dollars: float
    """Of all its tries, by the time of the event."""
    an_hour: float
    """0 once it costs nothing more."""
    time: float
    """When that was so, in seconds since the epoch."""


@dataclass(frozen=True)
class Silence:
    """Whoever runs it elsewhere does not answer."""

    whom: str
    """`the dstack server`."""
    since: float
    """Seconds since the epoch."""

    @property
    def words(self) -> str:
        """`nothing is heard from the dstack server since 14:05:31`."""
        return f"nothing is heard from {self.whom} since {clock(self.since, '%H:%M:%S')}"


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
    stop_through: str = ""
    """Who has to be told of that, as `dstack`; empty on this machine."""
    stop_passed_on: bool = False
    """Whether they were, or need not be any more."""
    stop_became: str = ""
    """What became of it, where nobody saves for it: `interrupted`, or `over` before it came."""
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
    phase: str = ""
    """Where a run elsewhere stands, in words of its target, until it trains."""
    silence: Silence | None = None
    """Since when nothing is heard of a run elsewhere; None while its events come."""
    cost: Cost | None = None
    """What was told last of what it costs; None on a machine of one's own."""
    unavailable: bool = False
    """Whether it ended before it had begun, because its target could not take it."""
    exit_code: int | None = None
    """The trainer's exit code once the supervisor saw it; negative = signal."""
    _begun: Point = field(default_factory=lambda: Point(0, 0.0))
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
            case "cost":
                self._add_cost(event)
            case "phase":
                self.phase = str(event.values.get("words", ""))
            case "silent" | "heard":
                self._add_contact(event)
            case _:
                self._add_ending(event)

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
    def dollars_in_all(self) -> float | None:
        """What it will have cost when it is done at this pace; None where nobody can say."""
        if self.cost is None or not self.cost.an_hour or self.seconds_left is None:
            return None
        if self.exit_code is not None or not self.training:
            return None
        since = max(self.last_time - self.cost.time, 0.0)
        return self.cost.dollars + (since + self.seconds_left) / 3600 * self.cost.an_hour

    @property
    def cost_words(self) -> str:
        """`$0.42 of about $3.10`, `$3.05`; nothing on a machine of one's own."""
        if self.cost is None:
            return ""
        in_all = "" if self.dollars_in_all is None else f" of about ${self.dollars_in_all:.2f}"
        return f"${self.cost.dollars:.2f}{in_all}"

    @property
    def stop_waits_for(self) -> str:
        """Who was not reached yet with a request to stop: `dstack`; empty = nobody."""
        over = self.stop_passed_on or self.exit_code is not None
        return "" if over else self.stop_through

    @property
    def notices(self) -> tuple[str, ...]:
        """What is in the way of word to a run elsewhere, or from it: a short sentence each."""
        found = []
        if self.silence is not None:
            found.append(f"{self.silence.words}; the run goes on, and is asked again")
        if self.stop_waits_for and self.silence is not None:  # else it arrives in a moment
            found.append(
                f"the stop waits: it is passed on as soon as {self.stop_waits_for} answers"
            )
        return tuple(found)

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

    def _add_ending(self, event: Event) -> None:
        """It is on its way to the end, or there."""
        match event.kind:
            case "stop_requested":
                self.stop_requested = True
                self.stop_reason = str(event.values.get("why", ""))
                self.stop_through = str(event.values.get("through", ""))
            case "stop_passed_on":  # may come before the request is noted
                self.stop_passed_on = True
                self.stop_became = str(event.values.get("became", ""))
            case "train_end":
                self.train_ended = True
            case "saved":
                self.saved = True
            case "exit":
                self.exit_code = int(number(event.values.get("code")))
                self.unavailable = event.values.get("unavailable") is True
                self.silence = None

    def _launch(self, event: Event) -> None:
        """Another try, of which nothing is known yet."""
        self.training = self.stop_requested = self.stop_passed_on = False
        self.train_ended = self.saved = False
        self.exit_code, self.silence, self.unavailable = None, None, False
        self.stop_reason = self.stop_through = self.stop_became = self.phase = ""
        self._before, self._try_begun = self.seconds or 0.0, None
        self.newest_try = Try(
            again=event.values.get("again") is True,
            from_step=int(number(event.values.get("from_step"))),
            aside=str(event.values.get("aside", "")),
        )

    def _begin(self, event: Event) -> None:
        """Training begins at the event's step: what an earlier try did after it is done again."""
        self.vocabulary = int(number(event.values.get("vocabulary")))
        self.warmup_steps = int(number(event.values.get("warmup_steps")))
        self.pause, self.phase, self.last_sign = "", "", event.time
        self._paces.clear()
        self._before, self._try_begun = self.seconds or 0.0, event.time
        self._try_heard = event.time
        self.training = True
        self.step, self._stepped = event.step, event.time
        self._begun = Point(event.step, event.time)
        self.checkpoints = [point for point in self.checkpoints if point.step <= event.step]
        for name, points in self.series.items():
            self.series[name] = [point for point in points if point.step <= event.step]

    def _add_cost(self, event: Event) -> None:
        dollars, an_hour = (number(event.values.get(key)) for key in ("dollars", "an_hour"))
        self.cost = Cost(dollars, an_hour, event.time)

    def _add_contact(self, event: Event) -> None:
        whom, since = str(event.values.get("whom", "")), number(event.values.get("since"))
        self.silence = Silence(whom, since) if event.kind == "silent" else None

    def _add_values(self, event: Event) -> None:
        for name, value in event.values.items():
            if is_number(value):
                told = math.nan if name == "loss" and _stands_in(event) else float(value)
                self.series.setdefault(name, []).append(Point(event.step, told))


def _stands_in(event: Event) -> bool:
    """Whether the loss is 0 because it was no number: transformers says so (its nan filter)."""
    norm = event.values.get("grad_norm")
    return event.values["loss"] == 0 and isinstance(norm, float) and math.isnan(norm)
