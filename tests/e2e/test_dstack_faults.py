"""Runs on a real dstack server and a stand-in GPU host, with a trainer that a test directs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ftui.errors import TargetUnavailable, UsageError
from ftui.plan.plan import Plan, start
from ftui.plan.presets import find
from ftui.runs.checkpoints import checkpoints
from ftui.runs.model import Run, RunState
from ftui.runs.stop import Answer
from ftui.targets.dstack.target import DstackTarget
from ftui.targets.prepare import prepare
from ftui.targets.resume import resume
from ftui.targets.take_up import take_up
from tests.standins import secrets
from tests.standins.dstack_host.lab import PROJECT, Lab, lab
from tests.standins.dstack_host.person import (
    end_follower,
    logged_in,
    reads_live,
    same_weights,
)
from tests.standins.runs import allow, failure_words, history, state, told_in_order, wait_for

LIMIT = 300.0
"""Seconds for dstack to start or to end a container, on a busy machine too."""
STEPS = 6


@pytest.fixture(scope="module")
def dstack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("dstack")) as made:
        made.play_scripted(STEPS)
        yield made


@pytest.fixture
def target(dstack: Lab, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DstackTarget]:
    """The target of a person who is logged in; nothing of theirs is at work afterwards."""
    with logged_in(dstack, monkeypatch) as target:
        yield target


def plan_of(preset: str = "nano-sql-lora", **settings: object) -> Plan:
    return replace(start(find(preset)).with_settings(**settings), target="dstack")


def come_to(run: Run, step: int) -> None:
    wait_for(lambda: history(run).step >= step or state(run).ended, f"step {step}", LIMIT)
    assert history(run).step >= step, failure_words(run)


def told_steps(run: Run) -> list[int]:
    """The steps of the loss, as any viewer sees them."""
    return [point.step for point in history(run).series.get("loss", [])]


def test_a_run_outlives_its_follower_and_a_restart_of_the_server(
    dstack: Lab, target: DstackTarget, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = secrets.plant(monkeypatch)
    run = prepare(plan_of(), target)
    target.launch(run)
    assert state(run) is RunState.STARTING
    with pytest.raises(UsageError, match=r"running|busy"):
        target.launch(run)

    container = dstack.container(run.name)
    allow(Run(container), 2)
    come_to(run, 2)
    assert state(run) is RunState.TRAINING

    end_follower(run)
    assert state(run) is RunState.INTERRUPTED
    allow(Run(container), 3)
    take_up(run)  # what `ftui watch` does
    come_to(run, 3)
    assert state(run) is RunState.TRAINING
    with pytest.raises(UsageError, match=r"running|busy"):
        target.attach(run)

    wait_for(lambda: reads_live(run), "the connection to the container", LIMIT)
    dstack.freeze_server()
    allow(Run(container), 4)
    come_to(run, 4)
    dstack.thaw_server()

    dstack.stop_server()
    allow(Run(container), STEPS)
    wait_for(lambda: "saved" in (container / "truth").read_text(), "the weights", LIMIT)
    dstack.start_server()
    wait_for(lambda: state(run).ended, "the end", LIMIT)

    assert state(run) is RunState.DONE, failure_words(run)
    assert told_steps(run) == list(range(1, STEPS + 1))
    assert told_in_order(run) == (container / "truth").read_text().split()
    log = run.log_file.read_text()
    assert log.count(f"asked to train {STEPS} steps") == 1
    assert "@ftui" not in log
    assert same_weights(run, container)
    assert secrets.found(values, home) == []


def test_a_run_is_stopped_with_a_checkpoint_and_goes_on_from_it(
    dstack: Lab, target: DstackTarget
) -> None:
    run = prepare(plan_of(), target)
    target.launch(run)
    container = dstack.container(run.name)
    allow(Run(container), 3)
    come_to(run, 3)

    assert target.stop(run) is Answer.ASKED
    assert target.stop(run) is Answer.ALREADY
    wait_for(lambda: state(run).ended, "the end", LIMIT)
    assert state(run) is RunState.STOPPED, failure_words(run)
    assert [one.step for one in checkpoints(run) if not one.problem] == [3]
    assert target.stop(run) is Answer.NOT_RUNNING

    found = resume(run)
    assert found.place == "out/checkpoint-3"
    allow(Run(dstack.container(run.name)), STEPS)
    wait_for(lambda: state(run).ended, "the end", LIMIT)
    assert state(run) is RunState.DONE, failure_words(run)
    assert told_steps(run) == list(range(1, STEPS + 1))


def test_an_impatient_stop_ends_it_for_good(dstack: Lab, target: DstackTarget) -> None:
    run = prepare(plan_of(), target)
    target.launch(run)
    container = dstack.container(run.name)
    allow(Run(container), 1)
    come_to(run, 1)
    run.stop_file.touch()
    os.utime(run.stop_file, (0, 0))  # asked long ago

    assert target.stop(run) is Answer.ENDED
    wait_for(lambda: state(run).ended, "the end", LIMIT)
    assert state(run) is RunState.STOPPED
    assert dstack.at_work() == []


def test_the_exit_code_of_the_trainer_is_told(dstack: Lab, target: DstackTarget) -> None:
    dstack.play("echo it hurts; exit 42")
    try:
        run = prepare(plan_of(), target)
        target.launch(run)
        wait_for(lambda: state(run).ended, "the end", LIMIT)
    finally:
        dstack.play_scripted(STEPS)
    assert state(run) is RunState.FAILED
    assert history(run).exit_code == 42
    assert "it hurts\n" in run.log_file.read_text()
    assert "42" in failure_words(run)


def test_the_files_of_a_run_work_with_dstack_alone(
    dstack: Lab, target: DstackTarget, tmp_path: Path
) -> None:
    plan = plan_of()
    run = prepare(plan, target)
    target.write(run, plan)
    done = subprocess.run(
        ["sh", str(run.script_file), "-y", "-d"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    container = dstack.container(run.name)
    allow(Run(container), STEPS)
    wait_for((container / "out" / "adapter_model.safetensors").is_file, "the weights", LIMIT)
    (container / "fetched").touch()  # as its train.dstack.yml says
    wait_for(lambda: run.name not in dstack.at_work(), "the end", LIMIT)
    assert dstack.ask("runs/get", {"run_name": run.name})["status"] == "done"


# ── Refused before anything runs ─────────────────────────────────────────────────────────────


def refused(dstack: Lab, target: DstackTarget, plan: Plan) -> TargetUnavailable:
    run = prepare(plan, target)
    with pytest.raises(TargetUnavailable) as caught:
        target.launch(run)
    assert state(run) is RunState.CREATED
    assert dstack.at_work() == []
    return caught.value


def test_a_secret_that_the_run_needs_and_the_project_lacks(
    dstack: Lab, target: DstackTarget, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    plan = plan_of(wandb_project="ftui")
    error = refused(dstack, target, plan)
    assert "wandb_api_key" in error.what
    assert error.hint == 'dstack secret set wandb_api_key "$WANDB_API_KEY"'

    values = secrets.plant(monkeypatch)
    assert "--machine create_secrets=yes" in refused(dstack, target, plan).hint
    assert dstack.ask("secrets/list") == []  # nobody has said so

    run = prepare(plan, target)
    target.write(run, replace(plan, machine={"create_secrets": "yes"}))
    target.launch(run)
    assert [one["name"] for one in dstack.ask("secrets/list")] == ["wandb_api_key"]
    kept = dstack.ask("secrets/get", {"name": "wandb_api_key"})
    assert kept["value"] == os.environ["WANDB_API_KEY"]
    document = yaml.safe_load((run.folder / "train.dstack.yml").read_text())
    assert document["env"] == ["WANDB_API_KEY=${{ secrets.wandb_api_key }}"]
    assert secrets.found(values, home) == []


def test_a_project_without_a_fleet(
    dstack: Lab, target: DstackTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    dstack.ask("/api/projects/create", {"project_name": "empty"})
    dstack.log_in("empty")
    monkeypatch.setenv("DSTACK_PROJECT", "empty")
    error = refused(dstack, target, plan_of())
    assert "no fleet" in error.what
    assert "type: fleet" in error.hint
    dstack.log_in(PROJECT)


def test_what_there_is_for_a_plan(dstack: Lab, target: DstackTarget) -> None:
    plan = replace(plan_of("llama3-8b-qlora"), machine={"gpu": "H100"})
    market = target.market(plan)
    [offer] = market.offers
    assert offer.gpu is not None
    assert (offer.gpu.name, offer.gpu.compute_capability) == ("RTX 4090", "sm_89")
    assert (offer.count, offer.dollars, offer.place) == (1, 0.0, "a fleet of one's own")
    assert market.source.startswith("dstack's offers of ")
    target.check(offer.wishes)

    assert target.market(replace(plan, gpus=8)).offers == ()
    [any_machine] = target.market(plan_of()).offers
    assert any_machine.gpu is None
    assert dstack.at_work() == []


def test_a_machine_that_nobody_has(dstack: Lab, target: DstackTarget) -> None:
    error = refused(dstack, target, plan_of("llama3-70b-lora-fsdp"))
    assert "no machine" in error.what
    assert "8" in error.why or "80GB" in error.why


def test_a_name_that_is_in_use(
    dstack: Lab, target: DstackTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepare(plan_of(), target)
    dstack.start_other(run.name)
    with pytest.raises(UsageError, match="is at work"):
        target.launch(run)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"token": "wrong"}, "refuses the login"),
        ({"url": "http://127.0.0.1:9"}, "does not answer"),
        ({"name": "nobody"}, "no project 'nobody'"),
    ],
)
def test_a_login_that_does_not_work(
    dstack: Lab,
    target: DstackTarget,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, str],
    words: str,
) -> None:
    dstack.log_in(home=tmp_path / "other", **change)
    monkeypatch.setenv("HOME", str(tmp_path / "other"))
    run = prepare(plan_of(), target)
    with pytest.raises(TargetUnavailable, match=words) as caught:
        target.launch(run)
    assert caught.value.hint
    assert state(run) is RunState.CREATED
