"""A person who is logged in to a lab, and what came home of their runs."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ftui.runs import process, store
from ftui.runs.model import Run
from ftui.runs.tail import EventFollower
from ftui.targets.dstack.target import DstackTarget
from tests.standins.dstack_host.lab import Lab
from tests.standins.runs import state, wait_for

_WEIGHTS = Path("out") / "adapter_model.safetensors"


@contextlib.contextmanager
def logged_in(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[DstackTarget]:
    """The target of this person. Afterwards nothing of theirs is at work, and all hosts are there
    again."""
    lab.log_in()
    monkeypatch.setenv("HOME", str(lab.home))
    monkeypatch.delenv("DSTACK_PROJECT", raising=False)
    yield DstackTarget()
    for run in store.list_runs():
        end_follower(run)
    lab.bring_back_hosts()
    lab.end_runs()


def end_follower(run: Run) -> None:
    """Kill whoever follows a run."""
    supervisor = store.read_record(run).supervisor
    if supervisor and process.alive(supervisor):
        os.kill(supervisor.pid, signal.SIGKILL)
        wait_for(lambda: not process.alive(supervisor), "the end of the follower")


def reads_live(run: Run) -> bool:
    """Whether its follower is connected to the container."""
    follower = store.read_record(run).supervisor
    assert follower is not None
    found = psutil.Process(follower.pid).children(recursive=True)
    return any("events.jsonl" in " ".join(one.cmdline()) for one in found)


def same_weights(run: Run, container: Path) -> bool:
    """Whether the run's weights are those of a container."""
    return (run.folder / _WEIGHTS).read_bytes() == (container / _WEIGHTS).read_bytes()


def paid(run: Run, hourly: float) -> float:
    """What a run has cost by now, as told last, in dollars. It never grows less; and it grows by
    `hourly` or not at all: not after its end."""
    costs = [event.values for event in EventFollower(run).poll() if event.kind == "cost"]
    assert {one["an_hour"] for one in costs} <= {0, hourly}
    assert costs[-1]["an_hour"] == (0 if state(run).ended else hourly)
    dollars = [float(one["dollars"]) for one in costs]
    assert dollars == sorted(dollars)
    return dollars[-1]
