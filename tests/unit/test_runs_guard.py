"""A tripwire stops a run where that was asked for, and only there."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from ftui import paths
from ftui.cli import _guarded, cli
from ftui.errors import ExitCode, TargetUnavailable
from ftui.plain import follow
from ftui.runs import stop_on
from ftui.runs.checkpoints import checkpoints
from ftui.runs.events import Event
from ftui.runs.guard import Guard
from ftui.runs.members import members
from ftui.runs.model import Run, RunState
from ftui.runs.store import has_weights, read_record
from ftui.runs.tripwires import Tripwire
from ftui.targets.local import LocalTarget
from ftui.targets.resume import resume
from tests.standins import runs
from tests.standins.runs import allow, history, state, wait_for

Launch = Callable[..., Run]


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Launch]:
    """Launches a scripted run that some tripwires may stop."""
    monkeypatch.setenv("FTUI_HOME", str(tmp_path))
    monkeypatch.setenv("FTUI_TRAIN_PYTHON", sys.executable)
    monkeypatch.setattr("ftui.targets.local._GUARD_SECONDS", 0.05)
    made: list[Run] = []

    def launch(manner: str, wires: Sequence[Tripwire] = (), steps: int = 9) -> Run:
        run = runs.make_run(steps, manner, "learning_rate: 0.0004\n")
        made.append(run)
        if wires:
            stop_on.remember(run, wires)
        LocalTarget().launch(run)
        return run

    yield launch
    for run in made:
        runs.end_processes(run)


def _until(run: Run, wanted: RunState) -> None:
    wait_for(lambda: state(run) is wanted, f"state {wanted}")


def _at(run: Run, step: int) -> None:
    allow(run, step)
    wait_for(lambda: history(run).step >= step, f"step {step}")


def test_it_stops_with_a_checkpoint_and_says_why(
    launch: Launch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = launch("nan", [Tripwire.NAN])
    _at(run, 4)
    assert state(run) is RunState.TRAINING, "two steps may be odd"
    allow(run, 5)
    _until(run, RunState.NUMBERS_LOST)
    told = history(run)
    assert told.stop_reason.startswith("numbers lost: the training fell apart at step 3")
    assert told.stop_reason.endswith("(--stop-on nan)")
    assert [one.step for one in checkpoints(run)] == [5, 4]
    assert members(run) == []
    wait_for(lambda: history(run).exit_code == 0, "the exit event")

    assert follow.until_ended(run) == ExitCode.RUN_FAILED
    said = capsys.readouterr().out
    assert f"∅ numbers lost  {run.name}  at step 5 of 9" in said
    assert "worth nothing" in said
    assert "--stop-on nan" in said


def test_it_goes_on_where_nobody_asked(launch: Launch) -> None:
    run = launch("nan", [Tripwire.DISK, Tripwire.STALL])
    allow(run, 9)
    _until(run, RunState.NUMBERS_LOST)
    assert not history(run).stop_requested


def test_a_run_that_is_done_with_lost_numbers_says_so(
    launch: Launch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = launch("nan")
    allow(run, 9)
    wait_for(lambda: history(run).exit_code == 0, "the exit event")
    assert state(run) is RunState.NUMBERS_LOST
    assert follow.until_ended(run) == ExitCode.RUN_FAILED
    said = capsys.readouterr().out
    assert f"∅ numbers lost  {run.name}  at step 9 of 9" in said
    assert "✓" not in said
    assert "fell apart at step 3" in said
    assert "Set learning_rate: 0.0001: a quarter of the learning rate" in said
    assert f"ftui resume {run.name} --fix" in said


def test_a_resumed_run_is_guarded_again(launch: Launch) -> None:
    run = launch("nan", [Tripwire.NAN])
    allow(run, 5)
    _until(run, RunState.NUMBERS_LOST)
    wait_for(lambda: history(run).exit_code == 0, "the exit event")
    (run.folder / "allowed").unlink()
    resume(run)
    wait_for(lambda: history(run).training, "the training")
    assert history(run).stop_reason == ""
    allow(run, 5)
    _until(run, RunState.NUMBERS_LOST)
    assert history(run).stop_reason


def test_a_checkpoint_that_does_not_fit_is_not_even_tried(launch: Launch) -> None:
    run = launch("", [Tripwire.DISK])
    _at(run, 1)
    _at(run, 2)
    large = run.output_dir / "checkpoint-3"
    large.mkdir()
    with (large / "sparse").open("wb") as file:
        file.truncate(shutil.disk_usage(run.folder).free + 2**32)
    runs_event(run, "save", 3)
    _until(run, RunState.STOPPED)
    assert "disk nearly full" in history(run).stop_reason
    assert has_weights(run)
    assert [one.step for one in checkpoints(run) if not one.problem] == [2]


def runs_event(run: Run, kind: str, step: int) -> None:
    line = f'{{"v": 1, "ts": {time.time()}, "event": "{kind}", "step": {step}}}\n'
    with run.events_file.open("a") as file:
        file.write(line)


def test_what_stands_still_is_ended_though_it_does_not_heed(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, value in {
        "tripwires._STALLED_SECONDS": 0.1,
        "guard._GRACE_SECONDS": 0.1,
        "stop._GRACE_SECONDS": 0.2,
    }.items():
        monkeypatch.setattr(f"ftui.runs.{place}", value)
    run = launch("stubborn")
    _at(run, 4)
    stop_on.remember(run, [Tripwire.STALL])
    guard = Guard(run)

    def ended() -> bool:
        guard.look()
        return not members(run)

    wait_for(ended, "the end")
    _until(run, RunState.STOPPED)
    assert "no step: nothing happened for" in history(run).stop_reason
    assert guard.wires == ()


def test_what_woke_up_after_it_was_asked_is_left_to_save(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, value in {"tripwires._STALLED_SECONDS": 0.1, "guard._GRACE_SECONDS": 0.1}.items():
        monkeypatch.setattr(f"ftui.runs.{place}", value)
    run = launch("stubborn")
    _at(run, 4)
    stop_on.remember(run, [Tripwire.STALL])
    guard = Guard(run)

    def asked() -> bool:
        guard.look()
        return run.stop_file.exists()

    wait_for(asked, "the request")
    runs_event(run, "saving", 4)
    time.sleep(0.2)
    guard.look()
    assert members(run)
    assert guard.wires == ()


def test_it_never_asks_a_second_time(launch: Launch) -> None:
    """That would end the run at once."""
    run = launch("nan")
    _at(run, 6)
    stop_on.remember(run, [Tripwire.NAN])
    draft = run.folder / "draft"
    draft.touch()
    a_while_ago = time.time() - 10
    os.utime(draft, (a_while_ago, a_while_ago))
    draft.rename(run.stop_file)  # as a person asked, where a full disk has no room for the event
    Guard(run).look()
    _until(run, RunState.NUMBERS_LOST)
    wait_for(lambda: history(run).exit_code == 0, "the exit event")


def test_a_run_without_tripwires_or_with_unknown_ones_is_only_waited_for(launch: Launch) -> None:
    run = launch("")
    assert stop_on.asked(read_record(run)) == ()
    text = run.record_file.read_text().replace('"extra": {}', '"extra": {"stop_on": ["x", "nan"]}')
    run.record_file.write_text(text)
    assert stop_on.asked(read_record(run)) == (Tripwire.NAN,)
    run.record_file.write_text(text.replace('["x", "nan"]', '"all"'))
    assert stop_on.asked(read_record(run)) == ()


def test_a_record_that_cannot_be_written_launches_nothing(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = launch("")

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("ftui.runs.stop_on.write_record", full)
    with pytest.raises(TargetUnavailable, match="no space left"):
        stop_on.remember(run, [Tripwire.NAN])


def test_a_warning_is_printed_once(launch: Launch, capsys: pytest.CaptureFixture[str]) -> None:
    from ftui.runs.lookout import Lookout

    run = launch("nan")
    _at(run, 6)
    told = history(run)
    printer = follow.Printer(told)
    for _ in range(3):
        printer.warn(Lookout(run).look(told))
    said = capsys.readouterr().out
    assert said.count("▲ numbers lost") == 1
    assert "→" in said
    printer.show(Event("launched", 0.0))
    printer.warn(Lookout(run).look(told))
    assert capsys.readouterr().out.count("▲ numbers lost") == 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--stop-on", "speed", "-y"], "there is no tripwire 'speed'"),
        (["--stop-on", "nan", "--dry-run"], "--stop-on needs ftui to launch the run"),
    ],
)
def test_a_flag_that_would_do_nothing_is_refused(
    launch: Launch, capsys: pytest.CaptureFixture[str], flags: list[str], words: str
) -> None:
    line = ["--preset", "nano-sql-lora", "--plain", *flags]
    assert _guarded(lambda: cli.main(line, prog_name="ftui", standalone_mode=False)) == 2
    assert words in capsys.readouterr().err
    assert not paths.runs_dir().exists()
