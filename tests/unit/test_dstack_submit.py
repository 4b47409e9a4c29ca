"""What a training on dstack is submitted with, and whose run it is when dstack says no."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ftui.errors import UsageError
from ftui.plan.plan import Needs, start
from ftui.plan.presets import find
from ftui.runs.model import Run
from ftui.runs.store import read_record
from ftui.targets.dstack import login, preflight
from ftui.targets.dstack.api import Api, Refused
from ftui.targets.dstack.submit import Submitted, remember, remembered, submit
from ftui.targets.dstack.target import DstackTarget
from ftui.targets.prepare import prepare
from tests.standins.dstack_server import DstackServer
from tests.standins.dstack_service import logged_in


@pytest.fixture
def dstack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DstackServer]:
    with logged_in(tmp_path, monkeypatch) as server:
        yield server


def prepared(**machine: str) -> Run:
    plan = dataclasses.replace(start(find("nano-sql-lora")), target="dstack", machine=machine)
    target = DstackTarget()
    run = prepare(plan, target)
    target.write(run, plan)
    return run


async def submitted(run: Run) -> Submitted:
    async with Api(login.find()) as api:
        return await submit(api, run, Needs(0, 0.0))


@pytest.mark.parametrize(
    ("machine", "hours"),
    [
        ({"max_duration": "2h"}, 3.0),
        ({"max_duration": "2h", "retry_duration": "30m"}, 2.5),
        ({"max_duration": "2h", "spot_policy": "on-demand"}, 3.0),
    ],
)
async def test_all_tries_together_have_an_end(
    dstack: DstackServer, machine: dict[str, str], hours: float
) -> None:
    run = prepared(**machine)
    await submitted(run)
    [one] = dstack.runs.values()
    until = int(dict(line.split("=") for line in one["spec"]["configuration"]["env"])["FTUI_UNTIL"])
    assert until == pytest.approx(time.time() + hours * 3600, abs=60)
    document = yaml.safe_load((run.folder / "train.dstack.yml").read_text())
    assert "env" not in document, "with dstack apply alone it is of use at any time"


@pytest.mark.parametrize("board", [True, False])
async def test_how_to_come_to_its_tensorboard_is_said(dstack: DstackServer, board: bool) -> None:
    plan = dataclasses.replace(start(find("nano-sql-lora")), target="dstack")
    target, asked = DstackTarget(), plan.with_settings(use_tensorboard=board)
    run = prepare(asked, target)
    target.write(run, asked)
    words = f"TensorBoard: http://localhost:6006 while `dstack attach {run.name}` runs"
    assert (await submitted(run)).board == (words if board else "")
    assert (words in (run.folder / "train.dstack.yml").read_text()) is board


async def test_a_member_who_is_told_no_secrets_trains_all_the_same(dstack: DstackServer) -> None:
    dstack.manages = False
    run = prepared()
    assert (await submitted(run)).advice == []
    assert len(dstack.runs) == 1


@pytest.mark.parametrize("before", [{}, {"project": "main", "name": "amber", "id": "earlier"}])
async def test_a_run_that_dstack_refuses_is_not_taken_for_ours(
    dstack: DstackServer, before: dict[str, Any]
) -> None:
    run = prepared()
    remember(run, before)
    dstack.overtaken_by = "theirs"
    with pytest.raises(Refused, match="Cannot override"):
        await submitted(run)
    kept = remembered(read_record(run))
    assert {key: kept[key] for key in kept if key != "options"} == before


async def test_what_dstack_may_have_taken_is_kept(dstack: DstackServer) -> None:
    run = prepared()
    dstack.garbles = True
    with pytest.raises(Refused, match="no dstack server"):
        await submitted(run)
    kept = remembered(read_record(run))
    assert (kept["name"], kept["id"]) == (run.name, "")


async def test_a_run_that_is_at_work_is_not_changed(
    dstack: DstackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepared()

    async def overlooked(_: Api, name: str) -> None:
        dstack.begin(name, "theirs")

    monkeypatch.setattr(preflight, "refuse_taken", overlooked)
    with pytest.raises(UsageError, match="is at work"):
        await submitted(run)
    assert remembered(read_record(run)) == {}


async def test_not_even_a_plan_that_would_change_a_run_does(dstack: DstackServer) -> None:
    dstack.begin("amber", "theirs")
    async with Api(login.find()) as api:
        plan = await api.plan({"run_name": "amber", "file_archives": []})
        assert (plan["action"], plan["current_resource"]) == ("update", {"id": "theirs"})
        with pytest.raises(Refused, match="Cannot override"):
            await api.apply(plan)
