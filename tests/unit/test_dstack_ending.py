"""Ending a run on dstack at once, and following it again, ends and follows nobody else's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ftui.errors import TargetUnavailable
from ftui.runs import events, store
from ftui.runs.model import Run, RunRecord
from ftui.targets.dstack import login, supervise
from ftui.targets.dstack.api import Api, Unreachable
from ftui.targets.dstack.target import DstackTarget
from tests.standins.dstack_server import DstackServer
from tests.standins.dstack_service import logged_in

KNOWN = {"project": "main", "name": "amber", "id": "ours"}


@pytest.fixture
def dstack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DstackServer]:
    with logged_in(tmp_path, monkeypatch) as server:
        yield server


@pytest.fixture
def run(dstack: DstackServer) -> Run:
    made = store.create("amber")
    record = RunRecord(made.name, "amber", "Amber", "dstack", time.time(), {})
    store.write_record(made, replace(record, extra={"dstack": KNOWN}))
    events.append(made.events_file, "launched")
    return made


def test_a_run_is_ended_by_its_id(dstack: DstackServer, run: Run) -> None:
    dstack.begin("amber", "ours")
    assert DstackTarget().end(run, store.read_record(run))
    assert dstack.at_work() == []


def test_another_run_that_has_its_name_is_not_ended(dstack: DstackServer, run: Run) -> None:
    dstack.begin("amber", "theirs")
    DstackTarget().end(run, store.read_record(run))
    assert dstack.at_work() == ["amber"]


def test_a_server_that_hangs_up_is_told(dstack: DstackServer, run: Run) -> None:
    dstack.silent = True
    with pytest.raises(TargetUnavailable, match="does not answer"):
        DstackTarget().end(run, store.read_record(run))


async def test_a_run_is_followed_again_though_nobody_answers(
    dstack: DstackServer, run: Run
) -> None:
    dstack.silent = True
    async with Api(login.find()) as api:
        assert await supervise._goes_on(api, run, KNOWN, attach=True)
        with pytest.raises(Unreachable):  # a launch must know what is there
            await supervise._goes_on(api, run, KNOWN, attach=False)
        with pytest.raises(Unreachable):  # was it ever taken?
            await supervise._goes_on(api, run, {**KNOWN, "id": ""}, attach=True)
        events.append(run.events_file, "exit", code=1)
        with pytest.raises(Unreachable):
            await supervise._goes_on(api, run, KNOWN, attach=True)


async def test_nobody_elses_run_is_followed(dstack: DstackServer, run: Run) -> None:
    dstack.begin("amber", "theirs")
    async with Api(login.find()) as api:
        assert not await supervise._goes_on(api, run, KNOWN, attach=True)
