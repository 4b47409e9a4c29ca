"""A follower that is killed: whoever looks at its run has it followed again, and sees it go on."""

from __future__ import annotations

import dataclasses
import os

import pytest

from ftui.errors import TargetUnavailable
from ftui.runs import process, store
from ftui.runs.model import ProcessId, Run, RunState
from ftui.targets.take_up import Rescue
from tests.ui.conftest import shows
from tests.ui.monitors import GONE, Stage, make_run, tell, train


class Elsewhere:
    """A target whose run goes on without its follower."""

    name, title = "local", "Elsewhere"

    def __init__(self) -> None:
        self.attached = 0
        self.closed = False

    def attach(self, run: Run) -> None:
        self.attached += 1
        if self.closed:
            raise TargetUnavailable("the server does not answer")
        follow(run, process.identify(os.getpid()))


def follow(run: Run, follower: ProcessId | None) -> None:
    record = store.read_record(run)
    store.write_record(run, dataclasses.replace(record, trainer=follower, supervisor=follower))


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    made = Elsewhere()
    monkeypatch.setattr("ftui.targets.take_up.get", lambda name: made)
    return made


@pytest.fixture
def run() -> Run:
    """A run that trains elsewhere, and whose follower was killed."""
    made = make_run()
    follow(made, GONE)
    train(made, 50)
    return made


async def test_the_monitor_takes_it_up(run: Run, target: Elsewhere) -> None:
    async with Stage(run).run_test(size=(120, 40)) as pilot:
        await shows(pilot, "● training", "step 50 / 375")
    assert target.attached == 1


async def test_where_that_cannot_be_it_is_interrupted_and_asked_for_once(
    run: Run, target: Elsewhere
) -> None:
    target.closed = True
    async with Stage(run).run_test(size=(120, 40)) as pilot:
        await shows(pilot, "✗ interrupted", "nobody here follows it any more", "ftui watch")
        await pilot.pause(1.0)
    assert target.attached == 1


def test_a_stop_that_nobody_heard_of_is_no_end(run: Run, target: Elsewhere) -> None:
    run.stop_file.touch()
    assert store.state(run) is RunState.INTERRUPTED
    tell(run, "exit", code=0)
    assert store.state(run) is RunState.STOPPED


def test_each_follower_that_dies_has_one_after_it(run: Run, target: Elsewhere) -> None:
    rescue = Rescue(run)
    assert rescue.look(RunState.INTERRUPTED)
    assert not rescue.look(RunState.TRAINING)
    follow(run, dataclasses.replace(GONE, started=2.0))
    assert rescue.look(RunState.INTERRUPTED)
    assert target.attached == 2
