"""A run does not belong to ftui: it starts detached, goes on whoever dies, and stops when told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from ftui.errors import RuntimeMissing, TargetUnavailable, UsageError
from ftui.runs import process
from ftui.runs.checkpoints import checkpoints, last_whole
from ftui.runs.members import members
from ftui.runs.model import Run, RunState
from ftui.runs.stop import Answer, end, stop
from ftui.targets.local import LocalTarget
from ftui.targets.resume import resume
from tests.standins import runs
from tests.standins.runs import allow, failure_words, history, state, supervisor, trainer, wait_for

Launch = Callable[..., Run]


@pytest.fixture
def launch(made: list[Run]) -> Launch:
    """Launches a scripted run."""

    def launch(steps: int = 3, manner: str = "") -> Run:
        run = runs.make_run(steps, manner)
        made.append(run)
        LocalTarget().launch(run)
        return run

    return launch


def _training(run: Run, step: int = 1) -> Run:
    """The run, once it has come to a step."""
    allow(run, step)
    wait_for(lambda: history(run).step >= step, f"step {step}")
    return run


def _until(run: Run, wanted: RunState) -> None:
    wait_for(lambda: state(run) is wanted, f"state {wanted}")


def test_a_run_goes_from_start_to_done(launch: Launch) -> None:
    run = launch(steps=3)
    assert state(run) in (RunState.STARTING, RunState.TRAINING)
    _training(run, 1)
    assert state(run) is RunState.TRAINING
    allow(run, 3)
    _until(run, RunState.DONE)
    told = history(run)
    assert [point.step for point in told.series["loss"]] == [1, 2, 3]
    wait_for(lambda: history(run).exit_code == 0, "the exit event")
    assert run.log_file.read_text() == "asked to train 3 steps\n"


def test_training_is_in_a_session_of_its_own(launch: Launch) -> None:
    run = _training(launch())
    sessions = {os.getsid(one.pid) for one in (trainer(run), supervisor(run))}
    assert len(sessions) == 2
    assert os.getsid(0) not in sessions


def test_the_run_survives_the_death_of_ftui(made: list[Run]) -> None:
    run = runs.make_run(steps=4)
    made.append(run)
    with runs.launched_by_another(run) as kill_it:
        _training(run, 2)
        kill_it()
    allow(run, 4)
    _until(run, RunState.DONE)
    assert [point.step for point in history(run).series["loss"]] == [1, 2, 3, 4]


def test_the_run_survives_the_death_of_its_supervisor(launch: Launch) -> None:
    run = _training(launch(steps=3))
    os.kill(supervisor(run).pid, signal.SIGKILL)
    wait_for(lambda: not process.alive(supervisor(run)), "the supervisor's end")
    assert state(run) is RunState.TRAINING
    allow(run, 3)
    _until(run, RunState.DONE)
    assert history(run).exit_code is None


def test_a_killed_trainer_is_a_failed_run(launch: Launch) -> None:
    run = _training(launch())
    os.kill(trainer(run).pid, signal.SIGKILL)
    _until(run, RunState.FAILED)
    assert history(run).exit_code == -signal.SIGKILL
    assert "signal 9" in failure_words(run)


def test_a_run_whose_processes_all_vanished_is_interrupted(launch: Launch) -> None:
    run = _training(launch())
    for one in (supervisor(run), trainer(run)):
        os.kill(one.pid, signal.SIGKILL)
    _until(run, RunState.INTERRUPTED)
    assert "restarted" in failure_words(run)


def test_a_trainer_that_fails_says_why(launch: Launch) -> None:
    run = launch(manner="fail")
    allow(run, 1)
    _until(run, RunState.FAILED)
    assert failure_words(run) == "RuntimeError: the loss is sad"


def test_without_weights_nothing_is_done(launch: Launch) -> None:
    run = launch(steps=1, manner="no-weights")
    allow(run, 1)
    _until(run, RunState.FAILED)
    assert failure_words(run) == "it ended without saving any weights"


def test_stop_saves_a_checkpoint_and_leaves_no_process(launch: Launch) -> None:
    run = _training(launch())
    assert stop(run) is Answer.ASKED
    _until(run, RunState.STOPPED)
    assert (run.output_dir / "adapter_model.safetensors").exists()
    [checkpoint] = checkpoints(run)
    assert (checkpoint.step, checkpoint.problem) == (1, "")
    assert members(run) == []


def test_stop_reaches_workers_in_sessions_of_their_own(launch: Launch) -> None:
    run = _training(launch(manner="launcher"))
    assert len({os.getsid(one.pid) for one in members(run)}) == 2
    stop(run)
    _until(run, RunState.STOPPED)
    assert last_whole(checkpoints(run)) is not None
    assert members(run) == []


def test_stop_needs_no_supervisor(launch: Launch) -> None:
    run = _training(launch())
    os.kill(supervisor(run).pid, signal.SIGKILL)
    stop(run)
    _until(run, RunState.STOPPED)
    assert members(run) == []


def test_workers_without_launcher_and_supervisor_are_seen_and_ended(launch: Launch) -> None:
    run = _training(launch(manner="launcher"))
    for one in (supervisor(run), trainer(run)):
        os.kill(one.pid, signal.SIGKILL)
    wait_for(lambda: not process.alive(trainer(run)), "the end of the launcher")
    assert state(run) is RunState.TRAINING
    with pytest.raises(UsageError, match="running"):
        resume(run)
    assert end(run)
    assert members(run) == []
    assert state(run) is RunState.INTERRUPTED


def test_a_launcher_that_is_killed_leaves_no_worker(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftui.targets.local._STRAGGLERS_SECONDS", 0.1)
    run = _training(launch(manner="launcher"))
    os.kill(trainer(run).pid, signal.SIGKILL)
    _until(run, RunState.FAILED)
    assert members(run) == []


def test_a_second_stop_ends_what_ignores_the_first(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftui.runs.stop._GRACE_SECONDS", 0.2)
    run = _training(launch(manner="stubborn"))
    wait_for(lambda: len(members(run)) == 2, "the trainer's child")
    assert stop(run) is Answer.ASKED
    assert state(run) is RunState.STOPPING
    assert stop(run) is Answer.ALREADY
    a_while_ago = time.time() - 10
    os.utime(run.stop_file, (a_while_ago, a_while_ago))
    assert stop(run) is Answer.ENDED
    assert members(run) == []
    _until(run, RunState.STOPPED)
    assert stop(run) is Answer.NOT_RUNNING


def test_what_still_loads_is_interrupted(launch: Launch) -> None:
    run = launch(manner="loading")
    wait_for(lambda: run.log_file.read_text() != "", "the trainer")
    assert stop(run) is Answer.LOADING
    _until(run, RunState.STOPPED)
    assert checkpoints(run) == []


def test_stop_never_signals_a_process_that_is_not_the_trainer(launch: Launch) -> None:
    run = launch(steps=1)
    allow(run, 1)
    _until(run, RunState.DONE)
    wait_for(lambda: history(run).exit_code == 0, "the exit event")
    # Another process has the trainer's number now; it started 0.02 s after the trainer.
    other = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    )
    found = process.identify(other.pid)
    assert found is not None
    record = json.loads(run.record_file.read_text())
    record["trainer"] = {"pid": found.pid, "started": found.started - 0.02}
    run.record_file.write_text(json.dumps(record))
    assert trainer(run).pid == other.pid
    stop(run)
    stop(run)
    assert other.poll() is None
    assert not run.stop_file.exists()
    other.kill()
    other.wait()


def test_a_run_starts_with_interrupts_on_even_in_the_background(launch: Launch) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in `ftui … &`
    try:
        run = launch(manner="loading")
    finally:
        signal.signal(signal.SIGINT, before)
    wait_for(lambda: run.log_file.read_text() != "", "the trainer")
    stop(run)
    _until(run, RunState.STOPPED)


def test_a_full_disk_starts_no_training(made: list[Run]) -> None:
    run = runs.make_run()
    made.append(run)
    run.events_file.symlink_to("/dev/full")
    allow(run, 3)
    with pytest.raises(TargetUnavailable, match="no space left on device"):
        LocalTarget().launch(run)
    wait_for(lambda: not process.alive(trainer(run)), "the end of the trainer")
    assert run.log_file.read_text() == ""


def test_a_folder_that_cannot_be_written_is_told_at_once(made: list[Run]) -> None:
    run = runs.make_run()
    made.append(run)
    run.log_file.mkdir()
    with pytest.raises(TargetUnavailable, match="is a directory"):
        LocalTarget().launch(run)


def test_without_axolotl_nothing_is_launched(
    made: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FTUI_TRAIN_PYTHON", raising=False)
    run = runs.make_run()
    with pytest.raises(RuntimeMissing) as caught:
        LocalTarget().launch(run)
    assert caught.value.hint == "ftui setup train"
    assert state(run) is RunState.CREATED
