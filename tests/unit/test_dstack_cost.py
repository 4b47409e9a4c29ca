"""What a run on dstack costs, and what becomes of its machine when it is over."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ftui.runs import process, store
from ftui.runs.events import append
from ftui.runs.history import Cost
from ftui.runs.model import ProcessId, Run
from ftui.runs.tail import read_history
from ftui.targets.dstack import machine
from ftui.targets.dstack.api import Unreachable
from ftui.targets.dstack.cost import Meter
from ftui.targets.dstack.follow import Follower
from tests.unit.test_dstack_follow import Server, container, run, told

__all__ = ["container", "run"]


def costs(folder: Run) -> list[tuple[float, float]]:
    """Every `cost` that was told: dollars so far, dollars an hour."""
    lines = map(json.loads, folder.events_file.read_text().splitlines())
    values = [line["values"] for line in lines if line["event"] == "cost"]
    return [(one["dollars"], one["an_hour"]) for one in values]


def at_work(dollars: float, *prices: float, status: str = "running") -> dict[str, Any]:
    """A run on machines of these prices an hour."""
    jobs = [
        {"job_submissions": [{"status": status, "job_provisioning_data": {"price": price}}]}
        for price in prices
    ]
    return {"status": status, "cost": dollars, "jobs": jobs}


async def test_what_it_costs_is_told_at_the_start_and_at_the_end(run: Run, container: Path) -> None:
    await Follower(run, run.name, 0.0).follow(
        Server(told("running"), told("running"), {**told("failed", exit_status=1), "cost": 1.26})
    )
    assert costs(run) == [(1.25, 2.5), (1.26, 0.0)]
    cost = read_history(run).cost
    assert cost is not None
    assert cost.an_hour == 0


async def test_a_run_that_goes_on_costs_what_it_did_before_too(run: Run, container: Path) -> None:
    append(run.events_file, "cost", dollars=4.0, an_hour=0)
    await Follower(run, run.name, 0.0).follow(Server(told("failed", exit_status=1)))
    await Follower(run, run.name, 0.0).follow(Server(told("failed", exit_status=1)))
    assert costs(run) == [(4.0, 0), (5.25, 0), (5.25, 0)]


def test_all_machines_count_and_those_of_a_finished_try_no_more(tmp_path: Path) -> None:
    folder = Run(tmp_path)
    meter = Meter(folder, 0.0)
    meter.look(at_work(0.0, 2.0, 3.0))
    meter.look(at_work(9.0, 2.0, 3.0))  # within the same minute
    meter.look(at_work(9.0, 2.0, 3.0, status="terminated"))
    assert costs(folder) == [(0.0, 5.0), (9.0, 0.0)]


def test_what_costs_nothing_is_no_event(tmp_path: Path) -> None:
    folder = Run(tmp_path)
    meter = Meter(folder, 0.0)
    for status in ("running", "done"):
        meter.look(at_work(0.0, 0.0, status=status))
    meter.end()
    assert not folder.events_file.exists()


def test_a_run_that_the_server_has_forgotten_costs_nothing_more(tmp_path: Path) -> None:
    folder = Run(tmp_path)
    meter = Meter(folder, 0.0)
    meter.look(at_work(1.0, 2.0))
    meter.end()
    cost = read_history(folder).cost
    assert isinstance(cost, Cost)
    assert (cost.dollars, cost.an_hour) == (1.0, 0.0)


# ── The machine afterwards ───────────────────────────────────────────────────────────────────


NEW, OLD = "2026-11-28T10:00:05Z", "2026-11-27T00:00:00Z"
"""When a machine was made: for the run, and before it."""


class Fleets(Server):
    """Tells of one fleet, whose only instance is in one state after the other."""

    def __init__(self, *states: str | Exception, created: str = NEW, backend: str = "aws") -> None:
        super().__init__(told("terminated"))
        self.states, self.created, self.backend = list(states), created, backend
        self.idle: object = None
        self.lost = False

    async def fleets(self) -> Any:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, Exception):
            raise state
        instance = {"hostname": "10.0.0.1", "backend": self.backend, "status": state}
        spec = {"configuration": {"idle_duration": self.idle}}
        told_more = {"created": self.created, "unreachable": self.lost}
        return [{"spec": spec, "instances": [{**instance, **told_more}]}]


@pytest.mark.parametrize(
    ("state", "idle", "created", "words"),
    [
        ("terminated", None, NEW, "is given back (terminated)"),
        ("terminating", None, NEW, "is given back (terminating)"),
        ("idle", None, NEW, "idle ($2.50/h), and given back when unused for 5"),
        ("idle", 60, NEW, "given back when unused for 1 min"),
        ("idle", 3600, OLD, "given back when unused for 1 h"),
        ("idle", None, OLD, "given back when unused for 72 h"),
        ("idle", -1, OLD, "keeps it until somebody ends it"),
    ],
)
async def test_what_becomes_of_the_machine(
    state: str, idle: object, created: str, words: str
) -> None:
    server = Fleets(state, created=created)
    server.idle = idle
    assert words in await machine.afterwards(server, told("terminated"))


async def test_a_machine_of_the_fleets_own_is_not_given_back() -> None:
    there = told("terminated")
    there["latest_job_submission"]["job_provisioning_data"] |= {"backend": "remote", "price": 0.0}
    found = await machine.left(Fleets("idle", backend="remote"), there)
    assert found.words == "its machine is idle; the fleet's own, and not given back"
    assert not found.costs


async def test_a_machine_that_is_lost_is_said_to_be(run: Run) -> None:
    server = Fleets("idle")
    server.lost = True
    assert "idle and does not answer" in await machine.afterwards(server, told("failed"))


async def ended(folder: Run, server: Fleets) -> Follower:
    """A follower that saw the run end, and is the one that the record names."""
    me = process.identify(os.getpid())
    store.write_record(folder, replace(store.read_record(folder), supervisor=me))
    follower = Follower(folder, folder.name, 0.0)
    await follower.follow(server)
    assert read_history(folder).exit_code is not None
    return follower


async def test_that_it_is_given_back_is_waited_for_and_said(
    run: Run, container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftui.targets.dstack.follow._SEE_OFF_SECONDS", 0.0)
    server = Fleets("idle", "idle", Unreachable("away"), "terminating", "terminated")
    follower = await ended(run, server)
    assert "idle ($2.50/h)" in run.log_file.read_text()
    assert "(terminated)" not in run.log_file.read_text()

    await follower.see_off(server)
    assert "its machine is given back (terminated)" in run.log_file.read_text()


async def test_who_waits_for_that_leaves_a_run_alone_that_goes_on(
    run: Run, container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftui.targets.dstack.follow._SEE_OFF_SECONDS", 0.0)
    server = Fleets("idle", "terminated")
    follower = await ended(run, server)
    store.write_record(run, replace(store.read_record(run), supervisor=ProcessId(1, 0.0)))
    before = {file.name: file.read_bytes() for file in run.folder.iterdir() if file.is_file()}
    await follower.see_off(server)
    assert before == {file.name: file.read_bytes() for file in run.folder.iterdir()}


async def test_nobody_waits_for_more_than_an_hour_and_asks_ever_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    clock = SimpleNamespace(monotonic=lambda: sum(pauses))
    monkeypatch.setattr(machine, "time", clock)
    monkeypatch.setattr(machine, "asyncio", SimpleNamespace(sleep=pause))
    there = Fleets("idle", created=OLD)
    known = machine.Left("its machine is idle", costs=True, seconds=72 * 3600.0, run=told("done"))
    words = await machine.given_back(there, known, 10.0)
    assert pauses == [10.0] * 60 + [60.0] * 50
    assert words.endswith("; dstack fleet lists it")


async def test_a_machine_that_is_never_given_back_is_said_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ftui.targets.dstack.machine._PATIENCE_SECONDS", 0.0)
    known = machine.Left("its machine is terminating", costs=True, run=told("terminated"))
    words = await machine.given_back(Fleets("terminating"), known, 0.0)
    assert words == "its machine is terminating; dstack fleet lists it"
