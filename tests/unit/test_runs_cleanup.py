"""Making room: only what was named goes, never from a run at work, and never half of it."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from ftui import paths
from ftui.cli import cli
from ftui.errors import ExitCode, FtuiError, UsageError
from ftui.plain.runs import clean as clean_up
from ftui.runs import cleanup, events, lock, store
from ftui.runs.checkpoints import checkpoints
from ftui.runs.cleanup import Level, Usage, clean, finish_removals, size_words, usage
from ftui.runs.members import members
from ftui.runs.model import ProcessId, Run, RunState
from ftui.targets.local import LocalTarget
from tests.standins import runs
from tests.standins.runs import allow, wait_for

ROUNDS = 12
BLOCK = 8192


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FTUI_TRAIN_PYTHON", sys.executable)
    yield
    for run in store.list_runs():
        runs.end_processes(run)


@pytest.fixture
def run() -> Run:
    """Weights of one block, two checkpoints of two, prepared rows of three, a log of one."""
    made = runs.make_run()
    for place, blocks in (
        ("out/adapter_model.safetensors", 1),
        ("out/checkpoint-2/model.safetensors", 2),
        ("out/checkpoint-4/model.safetensors", 2),
        ("prepared/abc/rows.arrow", 3),
        ("train.log", 1),
    ):
        file = made.folder / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(blocks * BLOCK))
    return made


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def killed(*_: object) -> None:
    raise KeyboardInterrupt


# ── What it takes ────────────────────────────────────────────────────────────────────────────


def test_what_a_run_takes_and_what_removing_frees(run: Run) -> None:
    found = usage(run)
    assert found.weights >= BLOCK
    assert found.checkpoints >= 4 * BLOCK
    assert found.prepared >= 3 * BLOCK
    assert found.log >= BLOCK
    assert found.frees(Level.LEFTOVERS) == found.checkpoints + found.prepared
    assert found.frees(Level.EVERYTHING) == found.total > 9 * BLOCK


def test_what_links_lead_to_is_not_counted(run: Run, tmp_path: Path) -> None:
    before = usage(run).total
    (tmp_path / "large").mkdir()
    (tmp_path / "large" / "file").write_bytes(bytes(20 * BLOCK))
    (run.output_dir / "checkpoint-9").symlink_to(tmp_path / "large")
    (run.folder / "data.bin").symlink_to(tmp_path / "large" / "file")
    assert usage(run).total == before


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "nothing"),
        (1, "1 KiB"),
        (12_288, "12 KiB"),
        (5 * 2**20, "5.0 MiB"),
        (340 * 2**20, "340 MiB"),
        (2**30 - 2**25, "1.0 GiB"),
        (1234 * 2**30, "1,234 GiB"),
    ],
)
def test_sizes_in_words(count: int, words: str) -> None:
    assert size_words(count) == words


# ── What goes ────────────────────────────────────────────────────────────────────────────────


def test_checkpoints_and_prepared_rows_go_and_the_weights_stay(run: Run) -> None:
    frees = usage(run).frees(Level.LEFTOVERS)
    assert clean(run, Level.LEFTOVERS) == frees
    assert names(run.output_dir) == {"adapter_model.safetensors"}
    assert not run.prepared_dir.exists()
    assert run.log_file.exists()
    assert usage(run).frees(Level.LEFTOVERS) == 0
    assert clean(run, Level.LEFTOVERS) == 0


def test_what_an_earlier_try_left_behind_counts_as_checkpoints(run: Run) -> None:
    before = usage(run).checkpoints
    old = run.folder / "out.1"
    old.mkdir()
    (run.output_dir / "checkpoint-4").rename(old / "checkpoint-4")
    assert usage(run).checkpoints == pytest.approx(before, abs=BLOCK)
    clean(run, Level.LEFTOVERS)
    assert not old.exists()


def test_the_weights_of_an_earlier_try_stay(run: Run) -> None:
    run.output_dir.rename(run.folder / "out.1")
    clean(run, Level.LEFTOVERS)
    assert names(run.folder / "out.1") == {"adapter_model.safetensors"}


def test_the_whole_run_goes(run: Run) -> None:
    total = usage(run).total
    assert total <= clean(run, Level.EVERYTHING) <= total + BLOCK, "and the lock"
    assert names(paths.runs_dir()) == set()


def test_links_go_and_what_they_lead_to_stays(run: Run, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    (kept / "checkpoint-3").mkdir(parents=True)
    (run.output_dir / "checkpoint-6").symlink_to(kept)
    (run.output_dir / "checkpoint-2" / "more").symlink_to(kept)
    clean(run, Level.LEFTOVERS)
    assert (run.output_dir / "checkpoint-6").is_symlink(), "it may be somebody's own"
    clean(run, Level.EVERYTHING)
    assert names(kept) == {"checkpoint-3"}


def test_an_output_folder_elsewhere_is_left_alone(run: Run, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    run.output_dir.rename(elsewhere)
    run.output_dir.symlink_to(elsewhere)
    clean(run, Level.LEFTOVERS)
    assert "checkpoint-2" in names(elsewhere)
    clean(run, Level.EVERYTHING)
    assert "checkpoint-2" in names(elsewhere)


def test_a_run_that_is_a_link_is_refused(run: Run, tmp_path: Path) -> None:
    run.folder.rename(tmp_path / "moved")
    run.folder.symlink_to(tmp_path / "moved")
    for level in Level:
        with pytest.raises(UsageError, match="link"):
            clean(run, level)
    assert usage(run) == Usage()
    assert (tmp_path / "moved" / "run.json").exists()


# ── A removal that was killed ────────────────────────────────────────────────────────────────


def test_a_run_elsewhere_whose_end_nobody_heard_of_is_kept(run: Run) -> None:
    """It may be at work there, and cost: its folder is the only word on it."""
    follower = ProcessId(pid=2**22, started=1.0)  # killed, or the machine was started again
    record = replace(store.read_record(run), trainer=follower, supervisor=follower, target="dstack")
    store.write_record(run, record)
    events.append(run.events_file, "launched")
    with pytest.raises(UsageError, match="may still be at work") as refused:
        clean(run, Level.EVERYTHING, if_still=RunState.INTERRUPTED)
    assert f"ftui watch {run.name}" in refused.value.hint
    assert run.config_file.is_file()

    events.append(run.events_file, "exit", code=1)
    clean(run, Level.EVERYTHING)
    assert not run.folder.exists()


def test_half_a_removal_looks_like_no_run_and_is_finished_later(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        clean(run, Level.EVERYTHING)
    monkeypatch.undo()
    monkeypatch.setenv("FTUI_HOME", str(run.folder.parent.parent))
    assert store.list_runs() == []
    assert len(names(paths.runs_dir())) == 1
    finish_removals()
    assert names(paths.runs_dir()) == set()


def test_half_a_removal_leaves_no_half_checkpoint(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        clean(run, Level.LEFTOVERS)
    monkeypatch.undo()
    assert checkpoints(run) == []
    assert not run.prepared_dir.exists()
    assert usage(run).frees(Level.LEFTOVERS) >= 7 * BLOCK
    clean(run, Level.LEFTOVERS)
    assert names(run.output_dir) == {"adapter_model.safetensors"}
    assert not [name for name in names(run.folder) if name.startswith(".")]


# ── A run at work ────────────────────────────────────────────────────────────────────────────


def test_nothing_of_a_training_run_goes() -> None:
    run = runs.make_run()
    LocalTarget().launch(run)
    allow(run, 2)
    wait_for(lambda: runs.history(run).step == 2, "its second step")
    before = names(run.output_dir)
    for level in Level:
        with pytest.raises(UsageError, match="is running"):
            clean(run, level)
    assert names(run.output_dir) == before
    allow(run, 3)
    wait_for(lambda: runs.state(run) is RunState.DONE, "its end")
    wait_for(lambda: _cleans(run, Level.EVERYTHING), "its supervisor's end")


def test_a_run_whose_lock_is_gone_but_whose_worker_lives_is_running(run: Run) -> None:
    environment = os.environ | {"FTUI_EVENTS": str(run.events_file)}
    worker = subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1, env=environment)
    try:
        wait_for(lambda: bool(members(run)), "the worker")
        with pytest.raises(UsageError, match="is running"):
            clean(run, Level.EVERYTHING)
    finally:
        worker.communicate(b"\n")


def test_the_lock_is_free_afterwards(run: Run) -> None:
    clean(run, Level.LEFTOVERS)
    with run.lock_file.open("rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_lock_that_is_a_link_leads_nowhere(run: Run, tmp_path: Path) -> None:
    run.lock_file.symlink_to(tmp_path / "theirs")
    with pytest.raises(OSError, match="symbolic link"):
        clean(run, Level.LEFTOVERS)
    assert not (tmp_path / "theirs").exists()


def _cleans(run: Run, level: Level) -> bool:
    try:
        clean(run, level)
    except UsageError:
        return False
    return True


def _race(run: Run, level: Level) -> tuple[bool, bool]:
    """Launch, and clean at the very moment at which the launch comes to the lock; who succeeded."""
    told: dict[str, bool] = {}

    def attempt(name: str, action: Callable[[], object]) -> None:
        try:
            action()
        except (FtuiError, OSError):
            told[name] = False
        else:
            told[name] = True

    def clean_then() -> None:
        while not run.lock_file.exists() and "launched" not in told:
            pass
        clean(run, level)

    cleaner = threading.Thread(target=attempt, args=("cleaned", clean_then))
    cleaner.start()
    attempt("launched", lambda: LocalTarget().launch(run))
    cleaner.join()
    return told["launched"], told["cleaned"]


@pytest.mark.parametrize("level", list(Level))
def test_of_a_launch_and_a_removal_at_once_one_wins(level: Level) -> None:
    """The run is cleaned, or it trains and is whole; where it was only cleaned it may train too."""
    for _ in range(ROUNDS):
        run = runs.make_run(steps=1)
        (run.prepared_dir / "abc").mkdir(parents=True)
        launched, cleaned = _race(run, level)
        assert launched or cleaned
        if level is Level.EVERYTHING and cleaned:
            assert not launched
            assert not run.folder.exists()
        if launched:
            allow(run, 1)
            wait_for(lambda run=run: runs.state(run) is RunState.DONE, "its end")  # type: ignore[misc]


@pytest.mark.parametrize("level", list(Level))
def test_nobody_launches_a_run_that_is_being_cleaned(
    run: Run, level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    measuring, refused = threading.Event(), threading.Event()

    def slow_usage(run: Run) -> Usage:
        measuring.set()
        assert refused.wait(30)
        return usage(run)

    monkeypatch.setattr(cleanup, "usage", slow_usage)
    monkeypatch.setattr(lock, "PATIENCE_SECONDS", 0.1)
    cleaner = threading.Thread(target=clean, args=(run, level))
    cleaner.start()
    assert measuring.wait(30)
    with pytest.raises(FtuiError, match="is busy"):
        LocalTarget().launch(run)
    refused.set()
    cleaner.join()
    assert run.folder.exists() == (level is Level.LEFTOVERS)
    assert not run.prepared_dir.exists()


# ── The command ──────────────────────────────────────────────────────────────────────────────


def test_the_command_says_what_it_frees_and_needs_a_yes(run: Run) -> None:
    result = CliRunner().invoke(cli, ["runs", "--clean", run.name])
    assert run.name in result.stdout
    assert "checkpoints and prepared rows; it cannot be resumed then" in result.stdout
    assert isinstance(result.exception, UsageError), "nobody can be asked"
    assert run.prepared_dir.exists()
    result = CliRunner().invoke(cli, ["runs", "--clean", run.name, "-y"])
    assert result.exit_code == 0
    assert "freed" in result.stderr
    assert not run.prepared_dir.exists()
    assert "nothing to remove" in CliRunner().invoke(cli, ["runs", "--clean", run.name]).stderr


def test_without_names_only_runs_that_are_done_are_cleaned(run: Run) -> None:
    CliRunner().invoke(cli, ["runs", "--clean", "-y"])
    assert run.prepared_dir.exists(), "it was never trained"
    run.events_file.write_text(
        '{"v": 1, "event": "saved", "step": 3, "max_steps": 3}\n'
        '{"v": 1, "event": "exit", "values": {"code": 0}}\n'
    )
    CliRunner().invoke(cli, ["runs", "--clean", "-y"])
    assert not run.prepared_dir.exists()


def test_checkpoints_that_a_run_with_lost_numbers_would_go_on_from_are_kept(run: Run) -> None:
    log = '{"v": 1, "event": "log", "step": %d, "max_steps": 8, "values": {"grad_norm": "%s"}}\n'
    run.events_file.write_text(
        "".join(log % (step, "nan" if step > 4 else 1) for step in range(1, 9)).replace('"1"', "1")
        + '{"v": 1, "event": "saved", "step": 8, "max_steps": 8}\n'
        '{"v": 1, "event": "exit", "values": {"code": 0}}\n'
    )
    assert store.state(run) is RunState.NUMBERS_LOST
    result = CliRunner().invoke(cli, ["runs", "--clean", "-y"])
    assert "nothing to remove" in result.stderr
    assert (run.output_dir / "checkpoint-4").exists()
    result = CliRunner().invoke(cli, ["runs", "--clean", run.name])
    assert "it cannot be resumed then" in result.stdout


@pytest.mark.parametrize("whole", [False, True])
def test_what_cannot_be_deleted_is_told(
    run: Run, whole: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def denied(path: Path) -> None:
        raise PermissionError(13, os.strerror(13), str(path))

    monkeypatch.setattr(shutil, "rmtree", denied)
    assert clean_up([run.name], whole=whole, yes=True) == ExitCode.RUN_FAILED
    said = capsys.readouterr().err
    assert f"▲ {run.name} could not be cleaned up: " in said
    assert ("something is left of what was removed" in said) is whole
    assert "left as it is" not in said


def test_whole_runs_are_removed_by_name_only(run: Run) -> None:
    result = CliRunner().invoke(cli, ["runs", "--clean", "--all-of-it", "-y"])
    assert isinstance(result.exception, UsageError)
    assert (
        CliRunner().invoke(cli, ["runs", "--clean", "--all-of-it", "-y", run.name]).exit_code == 0
    )
    assert store.list_runs() == []
