"""A run goes on from its last whole checkpoint, whatever lies beside it; only one launch wins."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ftui.errors import UsageError
from ftui.runs import process
from ftui.runs.checkpoints import Checkpoint, checkpoints
from ftui.runs.members import members
from ftui.runs.model import Run, RunState
from ftui.runs.old_try import aside
from ftui.runs.resume import resumption
from ftui.runs.stop import stop
from ftui.targets.local import LocalTarget
from ftui.targets.resume import resume
from tests.standins import runs
from tests.standins.runs import allow, history, state, supervisor, trainer, wait_for


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Run]]:
    """The runs of a test, in its own home; nothing of them is left running after it."""
    monkeypatch.setenv("FTUI_HOME", str(tmp_path))
    monkeypatch.setenv("FTUI_TRAIN_PYTHON", sys.executable)
    made: list[Run] = []
    yield made
    for run in made:
        runs.end_processes(run)


@pytest.fixture
def stopped(made: list[Run]) -> Run:
    """A run of 9 steps that was killed at step 5, with checkpoints of steps 2 and 4."""
    run = runs.make_run(9)
    made.append(run)
    LocalTarget().launch(run)
    allow(run, 5)
    wait_for(lambda: history(run).step == 5, "step 5")
    os.kill(trainer(run).pid, signal.SIGKILL)
    wait_for(lambda: not process.alive(supervisor(run)), "the end")
    return run


def _shorten(name: str, length: int | None = None) -> Callable[[Path], None]:
    """Cut a file to so many bytes; None: by one."""

    def damage(checkpoint: Path) -> None:
        file = checkpoint / name
        os.truncate(file, file.stat().st_size - 1 if length is None else length)

    return damage


def _write(name: str, text: str) -> Callable[[Path], None]:
    def damage(checkpoint: Path) -> None:
        (checkpoint / name).write_text(text)

    return damage


def _remove(name: str) -> Callable[[Path], None]:
    return lambda checkpoint: (checkpoint / name).unlink()


def _empty(checkpoint: Path) -> None:
    shutil.rmtree(checkpoint)
    checkpoint.mkdir()


STATE, ADAPTER = "trainer_state.json", "adapter_model.safetensors"
INDEX = "model.safetensors.index.json"
DAMAGES: dict[str, Callable[[Path], None]] = {
    "no state": _remove(STATE),
    "half a state": _write(STATE, '{"global_'),
    "another step": _write(STATE, '{"global_step": 3}'),
    "no weights": _remove(ADAPTER),
    "cut weights": _shorten(ADAPTER),
    "half a header": _shorten(ADAPTER, 20),
    "empty weights": _shorten(ADAPTER, 0),
    "zeroes": _write(ADAPTER, "\0" * 4000),
    "cut optimizer": _shorten("optimizer.pt"),
    "a missing shard": _write(INDEX, '{"weight_map": {"a": "model-1.safetensors"}}'),
    "half an index": _write(INDEX, '{"weight_map": {'),
    "nothing in it": _empty,
}


def test_a_run_goes_on_from_its_last_checkpoint(stopped: Run) -> None:
    found = resume(stopped)
    assert found.checkpoint is not None
    assert (found.checkpoint.step, found.reached, found.passed_over) == (4, 5, ())
    assert found.words == "goes on from step 4; it had come to 5"
    allow(stopped, 9)
    wait_for(lambda: state(stopped) is RunState.DONE, "the end")
    assert [point.step for point in history(stopped).series["loss"]] == list(range(1, 10))
    assert members(stopped) == []


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_checkpoint_that_is_not_whole_is_passed_over(
    stopped: Run, damage: Callable[[Path], None]
) -> None:
    damage(stopped.output_dir / "checkpoint-4")
    found = resumption(stopped)
    assert found.place == "out/checkpoint-2"
    [torn] = found.passed_over
    assert torn.step == 4
    assert torn.problem


def test_without_a_whole_checkpoint_it_begins_again(stopped: Run) -> None:
    for one in checkpoints(stopped):
        _empty(one.path)
    found = resume(stopped)
    assert found.words.startswith("begins again")
    assert [one.step for one in found.passed_over] == [4, 2]
    allow(stopped, 9)
    wait_for(lambda: state(stopped) is RunState.DONE, "the end")
    assert [point.step for point in history(stopped).series["loss"]] == list(range(1, 10))


def test_a_checkpoint_without_optimizer_says_so(stopped: Run) -> None:
    (stopped.output_dir / "checkpoint-4" / "optimizer.pt").unlink()
    assert "the optimizer begins anew" in resumption(stopped).words


def test_what_is_no_checkpoint_is_none(stopped: Run) -> None:
    for name in ("checkpoint-x", "tmp-checkpoint-6", "checkpoint-6.bak"):
        (stopped.output_dir / name).mkdir()
    (stopped.output_dir / "checkpoint-8").write_text("a file")
    assert [one.step for one in checkpoints(stopped)] == [4, 2]


def test_a_stopped_run_goes_on_where_it_was_stopped(made: list[Run]) -> None:
    run = runs.make_run(6)
    made.append(run)
    LocalTarget().launch(run)
    allow(run, 3)
    wait_for(lambda: history(run).step == 3, "step 3")
    stop(run)
    wait_for(lambda: state(run) is RunState.STOPPED, "the end")
    assert resumption(run).place == "out/checkpoint-3"
    allow(run, 6)
    resume(run)
    wait_for(lambda: state(run) is RunState.DONE, "the end")
    assert [point.step for point in history(run).series["loss"]] == list(range(1, 7))


def test_there_is_nothing_to_resume_of_what_runs_or_is_done(made: list[Run]) -> None:
    run = runs.make_run(2)
    made.append(run)
    LocalTarget().launch(run)
    with pytest.raises(UsageError, match="is running"):
        resume(run)
    allow(run, 2)
    wait_for(lambda: state(run) is RunState.DONE, "the end")
    with pytest.raises(UsageError, match="nothing left to train"):
        resume(run)


def test_of_many_launches_at_once_one_wins_and_the_others_are_told(stopped: Run) -> None:
    def launch(_: int) -> str:
        try:
            LocalTarget().launch(stopped, "out/checkpoint-4")
        except UsageError as error:
            return error.why
        return "won"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(launch, range(8)))
    assert answers.count("won") == 1
    assert set(answers) == {"won", "it is running already"}
    assert state(stopped) in (RunState.STARTING, RunState.TRAINING)
    launched = stopped.events_file.read_text().count('"launched"')
    assert launched == 2
    allow(stopped, 9)
    wait_for(lambda: state(stopped) is RunState.DONE, "the end")


def test_the_same_numbers_after_a_reboot_are_another_process(stopped: Run) -> None:
    found = process.identify(os.getpid())
    assert found is not None
    record = json.loads(stopped.record_file.read_text())
    record["trainer"] = {"pid": found.pid, "started": found.started, "boot": "another"}
    stopped.record_file.write_text(json.dumps(record))
    lines = stopped.events_file.read_text().splitlines(keepends=True)
    stopped.events_file.write_text("".join(line for line in lines if '"exit"' not in line))
    assert state(stopped) is RunState.INTERRUPTED
    assert resumption(stopped).place == "out/checkpoint-4"


def test_rows_that_were_half_written_are_made_again(stopped: Run) -> None:
    whole, torn, empty = (stopped.prepared_dir / name for name in ("whole", "torn", "empty"))
    for folder in (whole, torn, empty):
        folder.mkdir(parents=True)
    for folder in (whole, torn):
        (folder / "data-00000-of-00001.arrow").write_bytes(b"rows")
        (folder / "state.json").write_text("{}")
    (whole / "dataset_info.json").write_text("{}")
    (stopped.prepared_dir / "process_counter.txt").write_text("1")
    resume(stopped)
    assert list(stopped.prepared_dir.iterdir()) == [whole]
    assert len(list(whole.iterdir())) == 3


def test_checkpoints_go_back_where_one_of_them_cannot_be_moved(tmp_path: Path) -> None:
    run = Run(tmp_path)
    (run.output_dir / "checkpoint-2").mkdir(parents=True)
    two = [Checkpoint(run.output_dir / f"checkpoint-{step}", step) for step in (2, 4)]  # 4: gone
    with pytest.raises(FileNotFoundError), aside(run, two):
        pass
    assert (run.output_dir / "checkpoint-2").is_dir()
    assert not (run.folder / "out.1").exists()
