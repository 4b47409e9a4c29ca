"""A run goes on from its last whole checkpoint, whatever lies beside it; only one launch wins."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ftui.errors import RunNotFound, UsageError
from ftui.runs import lock, process
from ftui.runs.checkpoints import Checkpoint, checkpoints
from ftui.runs.cleanup import Level, clean
from ftui.runs.lock import turn
from ftui.runs.members import members
from ftui.runs.model import Run, RunState
from ftui.runs.old_try import aside
from ftui.runs.resume import resumption
from ftui.runs.stop import Answer, stop
from ftui.targets.local import LocalTarget
from ftui.targets.resume import resume
from tests.standins import runs
from tests.standins.runs import allow, history, state, supervisor, wait_for


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


def test_a_run_goes_on_from_its_last_checkpoint(killed: Run) -> None:
    found = resume(killed)
    assert found.checkpoint is not None
    assert (found.checkpoint.step, found.reached, found.passed_over) == (4, 5, ())
    assert found.words == "goes on from step 4; it had come to 5"
    allow(killed, 9)
    wait_for(lambda: state(killed) is RunState.DONE, "the end")
    assert [point.step for point in history(killed).series["loss"]] == list(range(1, 10))
    assert members(killed) == []


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_checkpoint_that_is_not_whole_is_passed_over(
    killed: Run, damage: Callable[[Path], None]
) -> None:
    damage(killed.output_dir / "checkpoint-4")
    found = resumption(killed)
    assert found.place == "out/checkpoint-2"
    [torn] = found.passed_over
    assert torn.step == 4
    assert torn.problem


def test_without_a_whole_checkpoint_it_begins_again(killed: Run) -> None:
    for one in checkpoints(killed):
        _empty(one.path)
    found = resume(killed)
    assert found.words.startswith("begins again")
    assert [one.step for one in found.passed_over] == [4, 2]
    allow(killed, 9)
    wait_for(lambda: state(killed) is RunState.DONE, "the end")
    assert [point.step for point in history(killed).series["loss"]] == list(range(1, 10))


def test_a_checkpoint_without_optimizer_says_so(killed: Run) -> None:
    (killed.output_dir / "checkpoint-4" / "optimizer.pt").unlink()
    assert "the optimizer begins anew" in resumption(killed).words


def test_what_is_no_checkpoint_is_none(killed: Run) -> None:
    for name in ("checkpoint-x", "tmp-checkpoint-6", "checkpoint-6.bak"):
        (killed.output_dir / name).mkdir()
    (killed.output_dir / "checkpoint-8").write_text("a file")
    assert [one.step for one in checkpoints(killed)] == [4, 2]


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


def test_of_many_launches_at_once_one_wins_and_the_others_are_told(killed: Run) -> None:
    def launch(_: int) -> str:
        try:
            LocalTarget().launch(killed)
        except UsageError as error:
            return error.what
        return "won"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(launch, range(8)))
    assert answers.count("won") == 1
    assert set(answers) == {"won", f"{killed.name} is running"}
    assert state(killed) in (RunState.STARTING, RunState.TRAINING)
    launched = killed.events_file.read_text().count('"launched"')
    assert launched == 2
    allow(killed, 9)
    wait_for(lambda: state(killed) is RunState.DONE, "the end")


def test_the_same_numbers_after_a_reboot_are_another_process(killed: Run) -> None:
    found = process.identify(os.getpid())
    assert found is not None
    record = json.loads(killed.record_file.read_text())
    record["trainer"] = {"pid": found.pid, "started": found.started, "boot": "another"}
    killed.record_file.write_text(json.dumps(record))
    lines = killed.events_file.read_text().splitlines(keepends=True)
    killed.events_file.write_text("".join(line for line in lines if '"exit"' not in line))
    assert state(killed) is RunState.INTERRUPTED
    assert resumption(killed).place == "out/checkpoint-4"


def test_rows_that_were_half_written_are_made_again(killed: Run) -> None:
    whole, torn, empty = (killed.prepared_dir / name for name in ("whole", "torn", "empty"))
    for folder in (whole, torn, empty):
        folder.mkdir(parents=True)
    for folder in (whole, torn):
        (folder / "data-00000-of-00001.arrow").write_bytes(b"rows")
        (folder / "state.json").write_text("{}")
    (whole / "dataset_info.json").write_text("{}")
    (killed.prepared_dir / "process_counter.txt").write_text("1")
    resume(killed)
    assert list(killed.prepared_dir.iterdir()) == [whole]
    assert len(list(whole.iterdir())) == 3


def test_checkpoints_go_back_where_one_of_them_cannot_be_moved(tmp_path: Path) -> None:
    run = Run(tmp_path)
    (run.output_dir / "checkpoint-2").mkdir(parents=True)
    two = [Checkpoint(run.output_dir / f"checkpoint-{step}", step) for step in (2, 4)]  # 4: gone
    with pytest.raises(FileNotFoundError), aside(run, two):
        pass
    assert (run.output_dir / "checkpoint-2").is_dir()
    assert not (run.folder / "out.1").exists()


# ── One after the other ──────────────────────────────────────────────────────────────────────


def test_what_a_person_agreed_to_must_still_be_so(killed: Run) -> None:
    agreed = resumption(killed)
    clean(killed, Level.LEFTOVERS)
    with pytest.raises(UsageError, match="now it begins again from nothing") as caught:
        resume(killed, if_still=agreed)
    assert "look again" in caught.value.hint
    assert state(killed) is RunState.FAILED
    assert resume(killed, if_still=resumption(killed)).checkpoint is None


def test_what_was_to_be_cleaned_must_still_be_so(killed: Run) -> None:
    before = checkpoints(killed)
    with pytest.raises(UsageError, match="is failed by now, it was done"):
        clean(killed, Level.LEFTOVERS, if_still=RunState.DONE)
    assert checkpoints(killed) == before
    assert clean(killed, Level.LEFTOVERS, if_still=RunState.FAILED)


def test_the_claim_goes_from_the_launcher_to_the_trainer(killed: Run) -> None:
    resume(killed)
    os.kill(supervisor(killed).pid, signal.SIGKILL)
    wait_for(lambda: not process.alive(supervisor(killed)), "the supervisor's end")
    with killed.lock_file.open("rb+") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with killed.turn_file.open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_who_hangs_keeps_others_from_launching_but_nobody_from_stopping(
    killed: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "PATIENCE_SECONDS", 0.1)
    with turn(killed), pytest.raises(UsageError, match="is busy"):
        resume(killed)
    resume(killed)
    with turn(killed):
        assert stop(killed) in (Answer.ASKED, Answer.LOADING)
        wait_for(lambda: state(killed) is RunState.STOPPED, "the end")


def test_a_run_that_was_removed_is_told_so(killed: Run) -> None:
    clean(killed, Level.EVERYTHING)
    for deed in (stop, LocalTarget().launch):
        with pytest.raises(RunNotFound, match="any more"):
            deed(killed)
    assert not killed.folder.exists()


# ── What a resume says ───────────────────────────────────────────────────────────────────────


def test_a_run_that_begins_again_says_so_and_where_its_work_went(killed: Run) -> None:
    for one in checkpoints(killed):
        (one.path / STATE).unlink()
    found = resume(killed)
    assert found.words == (
        "begins again from nothing: there is no whole checkpoint to go on from; "
        "what it had trained is kept in out.1"
    )
    began = history(killed).newest_try
    assert began.words == "begins again from nothing; what it had trained is kept in out.1"
    assert (killed.folder / "out.1" / "checkpoint-4").is_dir()
    assert f"the run {began.words} ──\n" in killed.log_file.read_text()


def test_a_run_that_goes_on_says_from_where_in_its_log_and_events(killed: Run) -> None:
    with killed.log_file.open("a") as file:
        file.write("a line that was cut")
    resume(killed)
    began = history(killed).newest_try
    assert (began.again, began.from_step, began.words) == (True, 4, "goes on from step 4")
    cut, head = killed.log_file.read_text().splitlines()[1:3]
    assert cut == "a line that was cut"
    assert head.endswith("the run goes on from step 4 ──")


def test_a_first_launch_by_resume_is_no_resume(made: list[Run]) -> None:
    run = runs.make_run(2)
    made.append(run)
    assert resume(run).words == "begins: it was never started before"
    assert history(run).newest_try.words == ""
    assert "──" not in run.log_file.read_text()


def test_weights_without_a_checkpoint_are_kept_when_it_begins_again(killed: Run) -> None:
    shutil.rmtree(killed.output_dir)
    killed.output_dir.mkdir()
    (killed.output_dir / ADAPTER).write_text("trained for hours")
    assert resume(killed).aside == "out.1"
    assert (killed.folder / "out.1" / ADAPTER).read_text() == "trained for hours"
