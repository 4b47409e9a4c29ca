"""Two hosts in one fleet: they train together, and one takes over when the other is lost.

A test may lose a host: afterwards it is there again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ftui.errors import TargetUnavailable
from ftui.plan.plan import Plan, start
from ftui.plan.presets import find
from ftui.runs.model import Run, RunState
from ftui.runs.tail import EventFollower
from ftui.targets.dstack.target import DstackTarget
from ftui.targets.prepare import prepare
from ftui.targets.resume import resume
from tests.standins.dstack_host.lab import ADDRESSES, Lab, lab
from tests.standins.dstack_host.person import logged_in, same_weights
from tests.standins.dstack_host.programs import play_axolotl
from tests.standins.runs import allow, failure_words, history, state, wait_for

LIMIT = 400.0
STEPS = 4


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


def launched(target: DstackTarget, plan: Plan) -> Run:
    run = prepare(plan, target)
    target.write(run, plan)
    target.launch(run)
    return run


def lose_at(dstack: Lab, run: Run, step: int) -> Path:
    """Lose the host of a run that has come to this step; the container that it was in."""
    container = dstack.container(run.name)
    allow(Run(container), step)
    wait_for(lambda: history(run).step >= step, f"step {step}", LIMIT)
    dstack.lose_host(0 if container.is_relative_to(dstack.host(0)) else 1)
    return container


def plan_of(**machine: str) -> Plan:
    plan = replace(start(find("nano-sql-lora")), target="dstack", machine=machine)
    return replace(plan, gpus=1) if machine else plan


def test_two_machines_train_together_and_the_first_one_tells(
    dstack: Lab, target: DstackTarget
) -> None:
    run = launched(target, plan_of(nodes="2"))
    first, second = (dstack.container(run.name, node) for node in (0, 1))
    assert first.parents[3] != second.parents[3]  # on two hosts
    for container in (first, second):
        allow(Run(container), STEPS)
    wait_for(lambda: state(run).ended, "the end", LIMIT)

    assert state(run) is RunState.DONE, failure_words(run)
    assert [point.step for point in history(run).series["loss"]] == list(range(1, STEPS + 1))
    assert same_weights(run, first)
    for rank, container in enumerate((first, second)):
        flags = (container / "arguments").read_text().partition(" -- ")[2].split()
        assert flags[flags.index("--node_rank") + 1] == str(rank)
        assert flags[flags.index("--nnodes") + 1] == "2"
        assert flags[flags.index("--nproc_per_node") + 1] == "1"
        assert flags[flags.index("--master_addr") + 1] in ADDRESSES


def test_the_real_axolotl_trains_on_two_machines(dstack: Lab, target: DstackTarget) -> None:
    play_axolotl(dstack, Path(os.environ["FTUI_TRAIN_PYTHON"]), together=True)
    kernels = {f"lora_{one}_kernel": False for one in ("mlp", "qkv", "o")}  # for GPUs alone
    plan = plan_of(nodes="2").with_settings(max_steps=2, evals_per_epoch=None, **kernels)
    try:
        run = launched(target, plan)
        wait_for(lambda: state(run).ended, "the end", LIMIT)
    finally:
        dstack.play_scripted(STEPS)

    assert state(run) is RunState.DONE, run.log_file.read_text()
    [begun] = [one for one in EventFollower(run).poll() if one.kind == "train_begin"]
    assert begun.values["world_size"] == 2
    assert [point.step for point in history(run).series["loss"]] == [1, 2]
    assert same_weights(run, dstack.container(run.name))
    assert dstack.at_work() == []


def test_more_machines_than_there_are(dstack: Lab, target: DstackTarget) -> None:
    with pytest.raises(TargetUnavailable, match="no machine"):
        launched(target, plan_of(nodes="3"))
    assert dstack.at_work() == []


def test_a_run_whose_host_is_lost_is_begun_again_on_another(
    dstack: Lab, target: DstackTarget
) -> None:
    run = launched(target, plan_of())
    lose_at(dstack, run, 2)

    wait_for(lambda: state(run).ended, "the end", LIMIT)
    assert state(run) is RunState.FAILED
    assert "its machine does not answer any more" in failure_words(run)

    assert resume(run).place == ""  # its checkpoints were on the machine
    allow(Run(dstack.container(run.name)), STEPS)
    wait_for(lambda: state(run).ended, "the end", LIMIT)
    assert state(run) is RunState.DONE, failure_words(run)
    assert [point.step for point in history(run).series["loss"]] == list(range(1, STEPS + 1))
