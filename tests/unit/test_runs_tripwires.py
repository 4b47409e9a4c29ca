"""Tripwires: each warns in time, and none does on a healthy training."""

from __future__ import annotations

import math
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftui.errors import UsageError
from ftui.runs.events import Event
from ftui.runs.history import History, middle
from ftui.runs.lookout import Lookout
from ftui.runs.model import Run
from ftui.runs.stop_on import parse
from ftui.runs.tripwires import Disk, Trip, Tripwire, tripped

BEGUN = 1000.0
STEPS = 375
VOCABULARY = 4096
GUESSING = math.log(VOCABULARY)


class Training:
    """Plays a training, event by event, on a clock of its own."""

    def __init__(self, *, warmup: int = 10, vocabulary: int = VOCABULARY) -> None:
        self.history = History()
        self.now = BEGUN
        self.step = 0
        self.tell("launched")
        self.tell("train_begin", warmup_steps=warmup, vocabulary=vocabulary)

    def tell(self, kind: str, **values: float | str) -> None:
        self.history.add(Event(kind, self.now, self.step, STEPS, values))

    def steps(self, count: int = 1, seconds: float = 0.5, **values: float) -> Training:
        for _ in range(count):
            self.now += seconds
            self.step += 1
            self.tell("step")
            self.tell("log", **{"loss": 2.0, "grad_norm": 0.6, **values})
        return self

    def trips(self, after: float = 0.0, disk: Disk | None = None) -> tuple[Trip, ...]:
        return tripped(self.history, self.now + after, disk=disk)

    def wires(self, after: float = 0.0, disk: Disk | None = None) -> list[Tripwire]:
        return [trip.wire for trip in self.trips(after, disk)]


# ── A healthy training ───────────────────────────────────────────────────────────────────────


def test_a_healthy_training_touches_none_at_any_moment() -> None:
    chance = random.Random(1)
    training = Training()
    room = Disk(free=2**33, checkpoint=2**30)
    for step in range(1, STEPS + 1):
        loss = GUESSING * math.exp(-step / 50) + 0.4 + chance.random() / 5
        norm = 0.6 * chance.lognormvariate(0, 0.7)
        training.steps(1, 0.3 * chance.lognormvariate(0, 1), loss=loss, grad_norm=norm)
        assert training.wires(after=10, disk=room) == []


def test_an_untrained_model_begins_about_where_guessing_is() -> None:
    training = Training(warmup=0)
    assert training.steps(20, loss=GUESSING + 0.3).wires() == []


def test_a_single_odd_batch_is_no_trip() -> None:
    training = Training().steps(40)
    for odd in ({"grad_norm": 500.0}, {"grad_norm": math.inf}, {"loss": 20.0}, {"loss": 0.0}):
        assert training.steps(2, **odd).wires() == []
        training.steps(5)


def test_fp16_finds_its_scale_in_the_first_steps() -> None:
    training = Training().steps(8, grad_norm=math.inf)
    assert training.wires() == []
    assert training.steps(1).wires() == []


@pytest.mark.parametrize("last", ["train_end", "exit", "stop_requested", "launched"])
def test_what_does_not_train_any_more_touches_none(last: str) -> None:
    training = Training().steps(30, grad_norm=math.nan, loss=0.0)
    assert training.wires() == [Tripwire.NAN]
    training.tell(last)
    assert training.wires(after=1e6, disk=Disk(1, 2)) == []


# ── Numbers, gradient, loss ──────────────────────────────────────────────────────────────────


def test_numbers_that_are_lost_are_told_once_with_their_step() -> None:
    """transformers reports a loss of 0 then, and grad_norm as NaN."""
    training = Training().steps(20).steps(3, loss=0.0, grad_norm=math.nan)
    [trip] = training.trips()
    assert (trip.wire, trip.since) == (Tripwire.NAN, 21)
    assert "grad_norm is nan" in trip.what
    assert trip.hint


def test_numbers_lost_from_the_first_step_on() -> None:
    assert Training().steps(10, loss=0.0, grad_norm=math.nan).wires() == [Tripwire.NAN]


def test_a_loss_of_nothing() -> None:
    [trip] = Training().steps(20).steps(3, loss=0.0, grad_norm=0.0).trips()
    assert (trip.wire, trip.since) == (Tripwire.NAN, 21)
    assert trip.what == "the loss is exactly 0 since step 21"


def test_an_evaluation_that_is_no_number_is_not_the_trainings() -> None:
    training = Training().steps(20)
    training.tell("eval", eval_loss=math.nan)
    assert training.steps(1).wires() == []


def test_an_exploding_gradient_is_told_with_what_is_usual() -> None:
    training = Training().steps(40, grad_norm=0.5)
    for norm in (2, 8, 32, 128):
        training.steps(1, grad_norm=float(norm))
    assert training.wires() == []
    [trip] = training.steps(1, grad_norm=512.0).trips()
    assert trip.wire is Tripwire.GRAD
    assert trip.what == "grad_norm is 512.0, usual were 0.50, since step 43"
    training.steps(30, grad_norm=512.0)
    assert training.wires() == [Tripwire.GRAD]


def test_large_gradients_may_be_usual() -> None:
    training = Training()
    for step in range(60):
        assert training.steps(1, grad_norm=300.0 + 10 * (step % 5)).wires() == []


def test_worse_than_guessing_only_after_the_warm_up() -> None:
    training = Training(warmup=10).steps(12, loss=11.0)
    assert training.wires() == []
    [trip] = training.steps(1, loss=11.0).trips()
    assert (trip.wire, trip.since) == (Tripwire.LOSS, 11)
    assert "11.00" in trip.what
    assert "4,096 tokens has 8.32" in trip.what
    assert training.steps(1, loss=3.0).wires() == []


def test_a_loss_that_is_not_of_tokens_has_no_bound() -> None:
    assert Training(vocabulary=0).steps(50, loss=500.0).wires() == []


# ── No step ──────────────────────────────────────────────────────────────────────────────────


def test_no_step_for_far_longer_than_one_takes() -> None:
    slow, quick = Training().steps(10, seconds=30.0), Training().steps(10, seconds=0.01)
    assert (slow.wires(599), slow.wires(601)) == ([], [Tripwire.STALL])
    assert (quick.wires(119), quick.wires(121)) == ([], [Tripwire.STALL])
    [trip] = slow.trips(3660)
    assert "1 h 1 min after step 10" in trip.what
    assert "took 30 s" in trip.what


@pytest.mark.parametrize("kind", ["evaluating", "saving"])
def test_an_evaluation_and_a_checkpoint_take_their_time(kind: str) -> None:
    training = Training().steps(10)
    training.tell(kind)
    assert training.wires(890) == []
    assert training.wires(910) == [Tripwire.STALL]
    training.now += 890
    training.tell(kind)  # a sign of life
    assert training.wires(890) == []
    training.now += 100
    training.steps(3)
    assert training.wires(130) == [Tripwire.STALL]


def test_what_lies_between_two_steps_does_not_count_as_a_steps_time() -> None:
    training = Training()
    for _ in range(10):
        training.steps(1, seconds=2.0)
        training.tell("evaluating")
        training.now += 300
        training.tell("eval", eval_loss=1.0)
        training.tell("saving")
        training.now += 60
        training.tell("save")
    assert training.history.seconds_a_step == pytest.approx(2.0)


def test_steps_that_share_an_event_share_its_time() -> None:
    training = Training()
    for _ in range(5):
        training.now += 0.5
        training.step += 20
        training.tell("step")
    assert training.history.seconds_a_step == pytest.approx(0.025)


def test_there_is_no_pace_before_a_few_steps_and_none_after_the_last() -> None:
    assert Training().steps(2, seconds=30).wires(1e6) == []
    training = Training().steps(10)
    training.step = STEPS
    training.tell("step")
    assert training.wires(1e6) == []


def test_a_resumed_run_has_a_pace_of_its_own() -> None:
    training = Training().steps(10, seconds=100.0)
    training.tell("launched")
    training.tell("train_begin")
    assert training.history.seconds_a_step is None
    assert training.steps(5, seconds=1.0).history.seconds_a_step == pytest.approx(1.0)


def test_a_clock_that_jumps_makes_no_pace_and_no_trip() -> None:
    training = Training().steps(10, seconds=1.0)
    training.now -= 7200
    training.steps(10, seconds=1.0)
    assert training.history.seconds_a_step == pytest.approx(1.0)
    assert training.wires(60) == []
    training.now += 7200
    training.steps(1, seconds=1.0)
    assert training.history.seconds_a_step == pytest.approx(1.0)


@given(st.lists(st.tuples(st.floats(-1e9, 1e9), st.integers(-5, 400)), max_size=30), st.floats())
def test_whatever_the_events_say_it_answers(told: list[tuple[float, int]], now: float) -> None:
    training = Training()
    for at, step in told:
        training.history.add(Event("log", at, step, STEPS, {"loss": at, "grad_norm": now}))
    tripped(training.history, now, disk=Disk(-1, 5))


# ── The disk ─────────────────────────────────────────────────────────────────────────────────


def test_a_disk_that_will_not_hold_the_next_checkpoint() -> None:
    training = Training().steps(4)
    training.tell("save")
    assert training.wires(disk=Disk(free=300, checkpoint=300)) == []
    [trip] = training.trips(disk=Disk(free=150 * 2**20, checkpoint=3 * 2**30))
    assert trip.wire is Tripwire.DISK
    assert trip.what == "150 MiB are free, the next checkpoint takes 3.0 GiB"


# ── Looking out ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float, float], None]:
    """Sets the two clocks of a viewer: of the day, and one that never jumps."""
    moments = {"time": BEGUN, "monotonic": 0.0}
    for name in moments:
        monkeypatch.setattr(f"time.{name}", lambda name=name: moments[name])

    def turn(day: float, steady: float) -> None:
        moments["time"] += day
        moments["monotonic"] += steady

    return turn


def test_who_comes_late_sees_at_once_that_nothing_happens(
    tmp_path: Path, clock: Callable[[float, float], None]
) -> None:
    training = Training().steps(10)
    clock(training.now - BEGUN + 500, 0)
    [trip] = Lookout(Run(tmp_path)).look(training.history)
    assert trip.wire is Tripwire.STALL


def test_a_laptop_that_slept_and_a_corrected_clock_are_no_stall(
    tmp_path: Path, clock: Callable[[float, float], None]
) -> None:
    training, watch = Training(), Lookout(Run(tmp_path))
    for _ in range(10):
        training.steps(1)
        clock(0.5, 0.5)
        assert watch.look(training.history) == ()
    clock(8 * 3600, 1)
    assert watch.look(training.history) == ()
    clock(-9 * 3600, 1)
    assert watch.look(training.history) == ()
    clock(130, 130)
    assert [trip.wire for trip in watch.look(training.history)] == [Tripwire.STALL]


def test_the_newest_checkpoint_says_what_the_next_one_takes(
    tmp_path: Path, clock: Callable[[float, float], None]
) -> None:
    run, training = Run(tmp_path), Training().steps(4)
    watch = Lookout(run)
    assert watch.look(training.history) == ()
    training.tell("save")
    assert watch.look(training.history) == (), "it is gone already"
    folder = run.output_dir / "checkpoint-4" / "inner"
    folder.mkdir(parents=True)
    with (folder / "weights").open("wb") as file:
        file.truncate(2**40 + shutil.disk_usage(tmp_path).free)  # a sparse file
    [trip] = Lookout(run).look(training.history)
    assert trip.wire is Tripwire.DISK
    assert "GiB are free, the next checkpoint takes" in trip.what


# ── What the flag takes ──────────────────────────────────────────────────────────────────────


def test_tripwires_are_named_on_the_command_line() -> None:
    assert parse("stall, NaN") == (Tripwire.NAN, Tripwire.STALL)
    assert parse("all") == tuple(Tripwire)
    for text in ("", ",", "nan,speed"):
        with pytest.raises(UsageError) as caught:
            parse(text)
        assert "nan, grad, loss, stall, disk" in caught.value.hint


def test_every_tripwire_has_a_word() -> None:
    assert all(wire.word for wire in Tripwire)


def test_middle_of_an_even_number_is_one_of_them() -> None:
    assert middle([3.0, 1.0, 2.0]) == 2.0
    assert middle([4.0, 1.0]) in (1.0, 4.0)
