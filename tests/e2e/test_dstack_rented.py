"""Rented machines: each second costs, one is taken away, and the way to the server is cut.

The fleet's two hosts say so of themselves; what it means for a run is the server's own doing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ftui.plan.plan import start
from ftui.plan.presets import find
from ftui.runs.model import Run, RunState
from ftui.runs.tail import EventFollower
from ftui.targets.dstack.target import DstackTarget
from ftui.targets.prepare import prepare
from tests.standins.dstack_host.lab import Lab, lab
from tests.standins.dstack_host.person import (
    logged_in,
    paid,
    reads_live,
    same_weights,
)
from tests.standins.dstack_host.rented import rented
from tests.standins.dstack_host.wire import wire
from tests.standins.runs import allow, failure_words, history, state, told_in_order, wait_for

LIMIT = 400.0
STEPS = 4
DOLLARS = 36.0
"""A cent a second."""
MINUTE = 60.0


@pytest.fixture(scope="module")
def dstack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("dstack"), hosts=2) as made:
        made.play_scripted(STEPS)
        yield made


@pytest.fixture
def target(dstack: Lab, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DstackTarget]:
    """The target of a person who is logged in; nothing of theirs is at work afterwards."""
    with logged_in(dstack, monkeypatch) as target:
        yield target


def launched(target: DstackTarget) -> Run:
    plan = replace(start(find("nano-sql-lora")), target="dstack")
    plan = replace(plan, machine={"max_price": str(DOLLARS)})
    run = prepare(plan, target)
    target.write(run, plan)
    target.launch(run)
    return run


def come_to(run: Run, container: Path, step: int) -> None:
    allow(Run(container), step)
    wait_for(lambda: history(run).step >= step or state(run).ended, f"step {step}", LIMIT)
    assert history(run).step >= step, failure_words(run)


def charged(dstack: Lab, run: Run) -> float:
    """What it has cost by the server's own count, in dollars."""
    return float(dstack.ask("runs/get", {"run_name": run.name})["cost"])


def test_a_run_whose_machine_is_taken_away_is_tried_again_by_dstack(
    dstack: Lab, target: DstackTarget
) -> None:
    """Nobody resumes it. Both machines are paid for, each as long as it was had."""
    with rented(dstack, DOLLARS, spot=True):
        run = launched(target)
        lost = dstack.container(run.name)
        come_to(run, lost, 3)
        dstack.lose_host(0 if lost.is_relative_to(dstack.host(0)) else 1)
        wait_for(lambda: history(run).newest_try.again or state(run).ended, "another try", LIMIT)
        assert not state(run).ended, failure_words(run)
        container = dstack.container(run.name)
        assert container != lost
        allow(Run(container), STEPS)
        wait_for(lambda: state(run).ended, "the end", LIMIT)

    assert state(run) is RunState.DONE, failure_words(run)
    losses = [event.step for event in EventFollower(run).poll() if event.kind == "log"]
    assert losses == [1, 2, 3, *range(1, STEPS + 1)]
    assert [point.step for point in history(run).series["loss"]] == list(range(1, STEPS + 1))
    assert history(run).newest_try.words == "begins again from nothing"
    assert "its machine was taken away (spot interruption)" in run.log_file.read_text()
    assert same_weights(run, container)
    assert paid(run, DOLLARS) == charged(dstack, run) > 0


def test_a_minute_without_the_server_costs_a_minute_and_loses_nothing(
    dstack: Lab, target: DstackTarget
) -> None:
    with rented(dstack, DOLLARS), wire(dstack.port) as way:
        dstack.log_in(url=way.url)
        run = launched(target)
        container = dstack.container(run.name)
        come_to(run, container, 2)
        wait_for(lambda: reads_live(run), "the connection to the container", LIMIT)

        way.cut()
        at, began = time.time(), time.monotonic()
        come_to(run, container, 3)  # the container is reached all the same
        wait_for(lambda: history(run).silence is not None, "that nothing is heard", LIMIT)
        silence = history(run).silence
        assert silence is not None
        assert silence.since == pytest.approx(at, abs=MINUTE / 2)
        assert silence.words in run.log_file.read_text()
        allow(Run(container), STEPS)
        wait_for(lambda: time.monotonic() - began >= MINUTE, "the minute to be over", LIMIT)
        assert state(run) is RunState.TRAINING
        way.join()
        wait_for(lambda: state(run).ended, "the end", LIMIT)

    assert state(run) is RunState.DONE, failure_words(run)
    assert told_in_order(run) == (container / "truth").read_text().split()
    log = run.log_file.read_text()
    assert log.count(f"asked to train {STEPS} steps") == 1
    assert log.count("nothing is heard from") == log.count("answers again") == 1
    dollars = paid(run, DOLLARS)
    assert dollars == charged(dstack, run) >= MINUTE / 3600 * DOLLARS
    assert history(run).cost_words == f"${dollars:.2f}"
    assert f"${dollars:.2f} so far" in log
