"""Runs on a stand-in for Modal, with Modal's real client and container runtime.

`axolotl` is a trainer that a test directs; everything else is what a person gets.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ftui.errors import TargetUnavailable, UsageError
from ftui.runs import store
from ftui.runs.checkpoints import checkpoints
from ftui.runs.history import Cost
from ftui.runs.model import Run, RunState
from ftui.runs.stop import Answer
from ftui.runs.tail import EventFollower
from ftui.targets.modal import options, position
from ftui.targets.modal.target import ModalTarget
from ftui.targets.resume import resume
from ftui.targets.take_up import take_up
from tests.standins import secrets
from tests.standins.modal_server.lab import Lab, lab
from tests.standins.modal_server.people import (
    LIMIT,
    come_to,
    come_to_end,
    end_follower,
    launched,
    let,
    log_of,
    plan_of,
)
from tests.standins.modal_server.state import TOKEN
from tests.standins.runs import failure_words, history, state, told_in_order, wait_for

STEPS = 6


@pytest.fixture(scope="module")
def modal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("modal")) as made:
        yield made


@pytest.fixture
def target(modal: Lab, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModalTarget]:
    """The target of a person who is logged in; nothing of theirs is at work afterwards."""
    for name, value in modal.env.items():
        monkeypatch.setenv(name, value)
    for name in secrets.NAMES:
        monkeypatch.delenv(name, raising=False)
    modal.play_scripted(STEPS)
    yield ModalTarget()
    for run in store.list_runs():
        end_follower(run)
    modal.mend()


def cost_of(run: Run) -> Cost:
    told = history(run).cost
    assert told is not None
    return told


def told_steps(run: Run) -> list[int]:
    """The steps of the loss, as any viewer sees them."""
    return [point.step for point in history(run).series.get("loss", [])]


def test_a_run_outlives_its_follower_and_a_lost_connection(
    modal: Lab, target: ModalTarget, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [*secrets.plant(monkeypatch), TOKEN[1]]
    run = launched()
    assert state(run) is RunState.STARTING
    with pytest.raises(UsageError, match=r"running|busy"):
        target.launch(run)
    let(modal, run, 2)
    come_to(run, 2)
    assert state(run) is RunState.TRAINING

    end_follower(run)
    assert state(run) is RunState.INTERRUPTED
    let(modal, run, 3)
    take_up(run)  # what `ftui watch` does, in a process that knows nothing but the folder
    come_to(run, 3)
    assert state(run) is RunState.TRAINING
    [everything] = target.stored(run)[-1:]
    with pytest.raises(UsageError, match="may be at work"):
        target.discard(run, everything)
    assert cost_of(run).an_hour == pytest.approx(4 * 0.0473 + 16 * 0.008, abs=1e-3)
    with pytest.raises(UsageError, match=r"running|busy"):
        target.attach(run)

    modal.state.faults.offline = True
    let(modal, run, STEPS)
    container = modal.container(run)
    wait_for(lambda: "saved" in (container / "truth").read_text(), "the weights", LIMIT)
    assert not state(run).ended
    modal.state.faults.offline = False
    come_to_end(run)

    assert state(run) is RunState.DONE, failure_words(run)
    assert told_steps(run) == list(range(1, STEPS + 1))
    truth = (container / "truth").read_text().split()
    assert told_in_order(run) == truth
    assert cost_of(run).an_hour == 0
    log = run.log_file.read_text()
    assert log.count(f"asked to train {STEPS} steps") == 1
    assert "@ftui" not in log
    weights = Path("out") / "adapter_model.safetensors"
    assert (run.folder / weights).read_bytes() == (container / weights).read_bytes()
    assert "each verified by its sha256" in log
    assert secrets.found(values, home) == []
    assert modal.at_work() == []
    assert modal.deployed() == []


def test_a_killed_container_is_replaced_and_goes_on_from_its_last_checkpoint(
    modal: Lab, target: ModalTarget
) -> None:
    run = launched()
    step = random.randint(1, STEPS - 1)  # checkpoints are of every second one
    let(modal, run, step)
    come_to(run, step)
    modal.kill()
    wait_for(lambda: history(run).newest_try.again, "another try", LIMIT)
    begun = history(run).newest_try.from_step
    assert begun % 2 == 0, f"killed at {step}"
    assert step - 2 <= begun <= step  # a checkpoint of that very step may not have been whole
    let(modal, run, STEPS)
    come_to_end(run)

    assert state(run) is RunState.DONE, failure_words(run)
    assert told_steps(run) == list(range(1, STEPS + 1)), f"killed at {step}"
    told = "try 2, in another container: " + (f"it goes on from step {begun}" if begun else "")
    assert told in run.log_file.read_text()
    phases = [event.values["words"] for event in EventFollower(run).poll() if event.kind == "phase"]
    assert any(told in words for words in phases)
    [call] = modal.calls_of(run)
    assert call.retries == 1


def test_a_preempted_run_goes_on_though_no_retries_are_allowed(
    modal: Lab, target: ModalTarget
) -> None:
    plan = replace(plan_of(), machine={"retries": "0"})
    run = launched(plan)
    let(modal, run, 3)
    come_to(run, 3)
    modal.take_away()
    wait_for(lambda: history(run).newest_try.again, "another try", LIMIT)
    assert history(run).newest_try.from_step == 3  # saved in the seconds that were left
    let(modal, run, STEPS)
    come_to_end(run)
    assert state(run) is RunState.DONE, failure_words(run)
    assert told_steps(run) == list(range(1, STEPS + 1))
    assert "takes this machine away (preemption)" in log_of(run)


def test_a_run_is_stopped_with_a_checkpoint_and_goes_on_from_it(
    modal: Lab, target: ModalTarget
) -> None:
    run = launched()
    let(modal, run, 3)
    come_to(run, 3)

    assert target.stop(run) is Answer.ASKED
    assert target.stop(run) is Answer.ALREADY
    come_to_end(run)
    assert state(run) is RunState.STOPPED, failure_words(run)
    assert [one.step for one in checkpoints(run) if not one.problem] == [3]
    assert target.stop(run) is Answer.NOT_RUNNING

    found = resume(run)
    assert found.place == "out/checkpoint-3"
    let(modal, run, STEPS)
    come_to_end(run)
    assert state(run) is RunState.DONE, failure_words(run)
    assert told_steps(run) == list(range(1, STEPS + 1))


def test_a_stop_that_modal_cannot_be_told_of_is_passed_on_later(
    modal: Lab, target: ModalTarget
) -> None:
    run = launched()
    let(modal, run, 3)
    come_to(run, 3)
    modal.state.faults.offline = True
    told = subprocess.run(
        [str(Path(sys.executable).with_name("ftui")), "stop", run.name],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert "the stop has not reached Modal yet" in told.stdout + told.stderr
    assert "nothing to save" not in told.stdout + told.stderr
    assert history(run).stop_waits_for == "Modal"
    assert target.stop(run) is Answer.WAITS
    assert state(run) is RunState.STOPPING
    assert modal.at_work()

    modal.state.faults.offline = False
    come_to_end(run)
    assert state(run) is RunState.STOPPED, failure_words(run)
    assert [one.step for one in checkpoints(run) if not one.problem] == [3]
    assert modal.at_work() == []


def test_a_stop_while_the_image_is_built_ends_it_at_once(modal: Lab, target: ModalTarget) -> None:
    modal.state.images.clear()
    modal.state.faults.building = True
    run = launched()
    wait_for(lambda: "building the image" in log_of(run), "the build", LIMIT)
    assert target.stop(run) is Answer.LOADING
    come_to_end(run)
    assert state(run) is RunState.STOPPED
    assert modal.calls_of(run) == []
    assert modal.deployed() == []


def test_a_stop_before_there_is_a_machine_ends_it(modal: Lab, target: ModalTarget) -> None:
    market = target.market(replace(plan_of(), gpus=2))
    assert market.source.startswith("Modal's rates of ")
    [offer] = [one for one in market.offers if one.wishes["gpu"] == "H100"]
    assert offer.place == "workspace standin"
    assert offer.dollars == pytest.approx(2 * (3.95 + 4 * 0.0473 + 16 * 0.008))

    modal.machines(there=False)
    run = launched()
    wait_for(lambda: "waiting for a machine (queued)" in log_of(run), "the queue", LIMIT)
    assert target.stop(run) is Answer.LOADING
    come_to_end(run)
    assert state(run) is RunState.STOPPED
    assert modal.at_work() == []


def test_an_impatient_stop_ends_it_for_good(modal: Lab, target: ModalTarget) -> None:
    run = launched()
    let(modal, run, 1)
    come_to(run, 1)
    run.stop_file.touch()
    os.utime(run.stop_file, (0, 0))  # asked long ago

    assert target.stop(run) is Answer.ENDED
    come_to_end(run)
    assert state(run) is RunState.STOPPED
    assert modal.at_work() == []


def test_a_trainer_that_refuses_its_config_is_not_tried_again(
    modal: Lab, target: ModalTarget
) -> None:
    modal.play("echo it hurts; exit 42")
    run = launched()
    come_to_end(run)
    assert state(run) is RunState.FAILED
    assert history(run).exit_code == 42
    assert "it hurts\n" in log_of(run)
    [call] = modal.calls_of(run)
    assert call.retries == 0


def test_a_trainer_that_crashes_is_tried_as_often_as_allowed(
    modal: Lab, target: ModalTarget
) -> None:
    begun = '{"v": 1, "ts": 1, "event": "train_begin", "step": 0, "max_steps": 6}'
    modal.play(f"echo '{begun}' >>events.jsonl; sleep 1; exit 7")
    run = launched(replace(plan_of(), machine={"retries": "1"}))
    come_to_end(run)
    assert state(run) is RunState.FAILED
    [call] = modal.calls_of(run)
    assert call.retries == 1
    assert "exit code 7" in failure_words(run)


def test_the_limit_of_hours_ends_it_with_a_checkpoint(
    modal: Lab, target: ModalTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(options._RANGES, "max_hours", (0.0, 1.0))
    plan = replace(plan_of(), machine={"max_hours": "0.001"})
    run = launched(plan)
    let(modal, run, 3)
    come_to_end(run)
    assert state(run) is RunState.STOPPED, failure_words(run)
    assert "the time is up" in log_of(run)
    assert [one.step for one in checkpoints(run) if not one.problem] == [3]
    assert modal.at_work() == []


def test_a_run_whose_launcher_was_killed_before_it_wrote_the_call_down(
    modal: Lab, target: ModalTarget
) -> None:
    run = launched()
    let(modal, run, 2)
    come_to(run, 2)
    end_follower(run)
    forget_call(run)

    take_up(run)
    let(modal, run, STEPS)
    come_to_end(run)
    assert state(run) is RunState.DONE, failure_words(run)
    assert told_steps(run) == list(range(1, STEPS + 1))
    assert len(modal.calls_of(run)) == 1


def test_a_queued_run_whose_call_nobody_wrote_down_is_ended_by_a_stop(
    modal: Lab, target: ModalTarget
) -> None:
    modal.machines(there=False)
    run = launched()
    wait_for(lambda: "waiting for a machine (queued)" in log_of(run), "the queue", LIMIT)
    end_follower(run)
    forget_call(run)
    assert target.stop(run) is Answer.ENDED
    assert state(run) is RunState.STOPPED
    assert target.stop(run) is Answer.NOT_RUNNING
    assert modal.at_work() == []
    assert modal.deployed() == []


def forget_call(run: Run) -> None:
    """As a launcher leaves it that is killed just after the spawning."""
    record = store.read_record(run)
    kept = {"modal": {**record.extra["modal"], "call": ""}}
    store.write_record(run, replace(record, extra=kept))
    position.write(run, replace(position.read(run), call="", function=""))


def test_a_run_that_was_lost_for_good_goes_on_from_the_checkpoint_that_came_home(
    modal: Lab, target: ModalTarget
) -> None:
    run = launched(replace(plan_of(), machine={"retries": "0"}))
    let(modal, run, 5)
    come_to(run, 5)
    noted = modal.kept(run) / "sums" / "checkpoint-4.json"
    wait_for(noted.exists, "what the newest checkpoint is", LIMIT)
    modal.kill()
    come_to_end(run)
    assert state(run) is RunState.FAILED
    assert "Runner failed" in failure_words(run)
    assert modal.at_work() == []
    look_into_volume(modal, run, target)

    assert resume(run).place == "out/checkpoint-4"
    let(modal, run, STEPS)
    come_to_end(run)
    assert state(run) is RunState.DONE, failure_words(run)
    assert told_steps(run) == list(range(1, STEPS + 1))


def look_into_volume(modal: Lab, run: Run, target: ModalTarget) -> None:
    """What it keeps is listed, brought home as it was saved, and removed."""
    heaps = {heap.name: heap for heap in target.stored(run)}
    assert list(heaps)[:2] == ["checkpoint-4", "checkpoint-2"]
    assert list(heaps)[-1] == "everything"
    got = target.fetch(run, heaps["checkpoint-2"], lambda size: None)
    assert (got.folder, got.files, got.summed) == ("out/checkpoint-2", 3, 3)
    weights = Path("out/checkpoint-2/adapter_model.safetensors")
    assert (run.folder / weights).read_bytes() == (modal.kept(run) / weights).read_bytes()
    modal.state.faults.damages = "/checkpoint-4/optimizer"
    with pytest.raises(TargetUnavailable, match=r"optimizer\.pt arrived damaged"):
        target.fetch(run, heaps["checkpoint-4"], lambda size: None)
    modal.state.faults.damages = ""
    target.discard(run, heaps["checkpoint-2"])
    assert "checkpoint-2" not in [heap.name for heap in target.stored(run)]
    target.discard(run, heaps["everything"])
    assert target.stored(run) == ()
    assert not modal.kept(run).exists()
    assert not list(run.folder.glob("fetching-*"))


def test_a_stop_while_another_try_loads_keeps_what_the_first_one_saved(
    modal: Lab, target: ModalTarget
) -> None:
    run = launched()
    let(modal, run, 5)
    come_to(run, 5)
    modal.play("sleep 600")  # the next try loads, and loads
    modal.kill()
    wait_for(lambda: history(run).newest_try.again, "another try", LIMIT)
    target.stop(run)
    come_to_end(run)
    assert state(run) is RunState.STOPPED
    assert [one.step for one in checkpoints(run) if not one.problem] == [4]
    assert modal.at_work() == []
