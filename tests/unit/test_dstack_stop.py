"""A stop that the other side was not told of yet (targets/remote/supervised.py)."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ftui.errors import TargetUnavailable, UsageError
from ftui.plain import follow
from ftui.runs import events, process, store
from ftui.runs.lock import Busy
from ftui.runs.model import Run, RunRecord
from ftui.runs.stop import Answer
from ftui.runs.tail import read_history
from ftui.targets.remote import passed_on, supervised
from ftui.targets.remote.supervised import Supervised


@dataclass
class Target(Supervised):
    """Somebody whose runs are followed by this very process."""

    title: str = "dstack"
    reaches: bool = True
    ended: list[str] = field(default_factory=list)

    def is_known(self, record: RunRecord) -> bool:
        return True

    def end(self, run: Run, record: RunRecord) -> bool:
        if not self.reaches:
            raise TargetUnavailable("the dstack server does not answer")
        self.ended.append(run.name)
        return True


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    made = store.create("scripted")
    me = process.identify(os.getpid())
    record = RunRecord(made.name, "scripted", "Scripted", "dstack", time.time(), {})
    store.write_record(made, replace(record, trainer=me, supervisor=me))
    events.append(made.events_file, "launched")
    events.append(made.events_file, "train_begin")
    return made


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a delivery that does not come."""
    monkeypatch.setattr(supervised, "_DELIVERY_SECONDS", 0.0)


@pytest.fixture
def slow_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the test takes, all of it is within a moment."""
    monkeypatch.setattr(supervised, "_AT_ONCE_SECONDS", 3600.0)


def asked_long_ago(run: Run) -> None:
    os.utime(run.stop_file, (0, 0))


def test_it_is_asked_once_the_other_side_was_told(run: Run) -> None:
    def pass_on() -> None:
        while not run.stop_file.exists() or not read_history(run).stop_waits_for:
            time.sleep(0.01)
        passed_on.note(run)

    follower = threading.Thread(target=pass_on)
    follower.start()
    assert Target().stop(run) is Answer.ASKED
    follower.join()
    assert read_history(run).notices == ()


@pytest.mark.usefixtures("impatient")
def test_until_then_it_says_whom_the_stop_waits_for(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = Target(reaches=False)
    monkeypatch.setattr(follow, "get", lambda name: target)
    events.append(run.events_file, "silent", whom="the dstack server", since=time.time())
    follow.stop(run)
    first = capsys.readouterr().err
    assert "the stop has not reached dstack yet" in first
    assert "passed on as soon as dstack answers" in first
    assert "nothing is heard from the dstack server since" in first
    assert "saves" not in first

    asked_long_ago(run)
    follow.stop(run)
    assert "asked already; the stop still waits for dstack" in capsys.readouterr().err
    assert any("the stop waits" in words for words in read_history(run).notices)


class TakenUp(Target):
    """Somebody else takes the run up at the same moment, or it is not at work any more."""

    busy: int = 0
    at_work: bool = True

    def attach(self, run: Run) -> None:
        if not self.at_work:
            raise UsageError("it is not at work")
        if self.busy:
            self.busy -= 1
            raise Busy("it is busy")
        me = process.identify(os.getpid())
        store.write_record(run, replace(store.read_record(run), supervisor=me))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("busy", [0, 2])
def test_a_run_that_somebody_takes_up_is_stopped(run: Run, busy: int) -> None:
    store.write_record(run, replace(store.read_record(run), supervisor=None))
    target = TakenUp()
    target.busy = busy
    assert target.stop(run) is Answer.UNDELIVERED
    assert run.stop_file.exists()


def test_what_is_not_at_work_is_not_stopped(run: Run) -> None:
    store.write_record(run, replace(store.read_record(run), supervisor=None))
    target = TakenUp()
    target.at_work = False
    assert target.stop(run) is Answer.NOT_RUNNING
    assert not run.stop_file.exists()


@pytest.mark.usefixtures("impatient")
def test_nothing_is_ended_unsaved_while_the_first_request_is_on_its_way(run: Run) -> None:
    target = Target()
    assert target.stop(run) is Answer.UNDELIVERED
    asked_long_ago(run)
    assert target.stop(run) is Answer.WAITS
    assert target.ended == []


@pytest.mark.usefixtures("slow_clock")
def test_impatience_begins_once_the_other_side_was_told(run: Run) -> None:
    events.append(run.events_file, "stop_requested", through="dstack")
    run.stop_file.touch()
    asked_long_ago(run)
    passed_on.note(run)
    target = Target()
    assert target.stop(run) is Answer.ALREADY
    asked_long_ago(run)
    assert target.stop(run) is Answer.ENDED
    assert target.ended == [run.name]


@pytest.mark.usefixtures("impatient", "slow_clock")
def test_two_who_ask_at_the_same_moment_ask_for_the_same(run: Run) -> None:
    target = Target()
    assert target.stop(run) is Answer.UNDELIVERED
    assert target.stop(run) is Answer.WAITS
    passed_on.note(run)
    assert target.stop(run) is Answer.ALREADY
    assert target.ended == []


@pytest.mark.parametrize(
    ("became", "answer"),
    [(passed_on.INTERRUPTED, Answer.INTERRUPTED), (passed_on.OVER, Answer.OVER)],
)
def test_nobody_is_told_that_it_saves_where_it_does_not(
    run: Run, became: str, answer: Answer
) -> None:
    passed_on.note(run, became)
    assert Target().stop(run) is answer
    assert "it saves" not in answer.words("dstack")


def test_an_end_that_fails_after_the_stop_was_told_is_an_error(run: Run) -> None:
    events.append(run.events_file, "stop_requested", through="dstack")
    events.append(run.events_file, "stop_passed_on")
    run.stop_file.touch()
    asked_long_ago(run)
    with pytest.raises(TargetUnavailable):
        Target(reaches=False).stop(run)
