"""Fix and resume: what made a run fail is changed in its config, and it goes on where it can."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ftui.cli import _guarded, cli
from ftui.errors import ConfigError, ExitCode, RuntimeMissing
from ftui.runs.checkpoints import checkpoints
from ftui.runs.model import Run, RunState
from ftui.runs.resume import resumption
from ftui.runs.store import read_record
from ftui.targets.local import LocalTarget
from ftui.targets.resume import Fix, resume
from tests.standins import runs
from tests.standins.runs import allow, fix_of, history, state, wait_for

CONFIG = """\
# My own config
base_model: x  # the base
micro_batch_size: 4  # rows at once
gradient_accumulation_steps: 2
learning_rate: 0.0004
"""

Failed = Callable[..., Run]


@pytest.fixture
def launched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Failed]:
    """Launches a scripted run of 9 steps and waits for its end."""
    monkeypatch.setenv("FTUI_HOME", str(tmp_path))
    monkeypatch.setenv("FTUI_TRAIN_PYTHON", sys.executable)
    made: list[Run] = []

    def launched(manner: str, config: str = CONFIG) -> Run:
        run = runs.make_run(9, manner, config)
        made.append(run)
        LocalTarget().launch(run)
        allow(run, 9)
        wait_for(lambda: history(run).exit_code is not None, "the end")
        return run

    yield launched
    for run in made:
        runs.end_processes(run)


def _until_done(run: Run) -> None:
    wait_for(lambda: state(run) is RunState.DONE, "the end")


def _fix(run: Run) -> Fix:
    found = fix_of(run)
    assert found is not None
    return found


def ftui(*line: str) -> int:
    return _guarded(lambda: cli.main(list(line), prog_name="ftui", standalone_mode=False))


# ── Out of memory: it goes on from its last checkpoint ───────────────────────────────────────


def test_the_setting_is_changed_and_the_run_goes_on(launched: Failed) -> None:
    run = launched("memory")
    assert state(run) is RunState.FAILED
    fix = _fix(run)
    found = resume(run, fix)
    assert found.place == "out/checkpoint-4"
    _until_done(run)
    assert run.config_file.read_text() == CONFIG.replace(
        "micro_batch_size: 4 ", "micro_batch_size: 2 "
    ).replace("steps: 2", "steps: 4")
    assert (run.folder / "config.1.yml").read_text() == CONFIG
    settings = read_record(run).settings
    assert (settings["micro_batch_size"], settings["gradient_accumulation_steps"]) == (2, 4)
    assert [point.step for point in history(run).series["loss"]] == list(range(1, 10))


def test_as_it_is_it_fails_again_and_its_config_stays(launched: Failed) -> None:
    run = launched("memory")
    resume(run)
    wait_for(lambda: history(run).exit_code is not None, "the end")
    assert state(run) is RunState.FAILED
    assert run.config_file.read_text() == CONFIG
    assert not (run.folder / "config.1.yml").exists()


def test_old_configs_are_never_written_over(launched: Failed) -> None:
    run = launched("memory")
    (run.folder / "config.1.yml").write_text("an older one")
    resume(run, _fix(run))
    assert (run.folder / "config.1.yml").read_text() == "an older one"
    assert (run.folder / "config.2.yml").read_text() == CONFIG


# ── Lost numbers: their checkpoints are of no use ────────────────────────────────────────────


def test_checkpoints_with_lost_numbers_are_passed_over(launched: Failed) -> None:
    run = launched("nan")
    assert [one.step for one in checkpoints(run)] == [8, 6]
    found = resumption(run)
    assert found.checkpoint is None
    assert [one.problem for one in found.passed_over] == [
        "its numbers are lost, as from step 3 on"
    ] * 2


def test_from_the_start_with_what_was_trained_put_aside(launched: Failed) -> None:
    run = launched("nan")
    assert state(run) is RunState.NUMBERS_LOST
    found = resume(run, _fix(run))
    assert found.words.startswith("begins again from nothing: ")
    assert found.words.endswith("; what it had trained is kept in out.1")
    _until_done(run)
    assert "learning_rate: 0.0001\n" in run.config_file.read_text()
    told = history(run)
    assert [point.value for point in told.series["grad_norm"]] == [0.5] * 9
    assert [one.step for one in checkpoints(run)] == [8, 6]
    aside = run.folder / "out.1"
    assert {path.name for path in aside.iterdir()} == {
        "checkpoint-6",
        "checkpoint-8",
        "adapter_model.safetensors",
    }


def test_the_last_checkpoint_before_is_taken_and_the_others_put_aside(launched: Failed) -> None:
    run = launched("nan")
    early = run.output_dir / "checkpoint-2"
    (run.output_dir / "checkpoint-6").rename(early)
    (early / "trainer_state.json").write_text('{"global_step": 2}')
    (run.folder / "allowed").unlink()
    found = resume(run)
    assert found.place == "out/checkpoint-2"
    assert (run.folder / "out.1" / "checkpoint-8").is_dir()
    assert [one.step for one in checkpoints(run)] == [2]


# ── Nothing is half done ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("manner", ["memory", "nan"])
def test_what_cannot_be_launched_stays_as_it_was(
    launched: Failed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, manner: str
) -> None:
    run = launched(manner)
    fix, settings = _fix(run), read_record(run).settings
    before = sorted(path.relative_to(run.folder) for path in run.folder.rglob("*"))
    monkeypatch.setenv("FTUI_TRAIN_PYTHON", str(tmp_path / "gone"))
    with pytest.raises(RuntimeMissing):
        resume(run, fix)
    assert run.config_file.read_text() == CONFIG
    assert read_record(run).settings == settings
    assert sorted(path.relative_to(run.folder) for path in run.folder.rglob("*")) == before


def test_a_config_that_was_changed_meanwhile_is_not_written_over(launched: Failed) -> None:
    run = launched("memory")
    fix = _fix(run)
    mine = CONFIG + "seed: 7\n"
    run.config_file.write_text(mine)
    with pytest.raises(ConfigError, match="changed meanwhile"):
        resume(run, fix)
    assert run.config_file.read_text() == mine
    assert state(run) is RunState.FAILED


# ── The command ──────────────────────────────────────────────────────────────────────────────


def test_the_command_shows_the_change_and_goes_on(
    launched: Failed, capsys: pytest.CaptureFixture[str]
) -> None:
    run = launched("memory")
    assert ftui("resume", run.name, "--fix", "-y") == ExitCode.OK
    out, err = capsys.readouterr()
    assert "-micro_batch_size: 4  # rows at once" in out
    assert "+micro_batch_size: 2  # rows at once" in out
    assert "▦ out of GPU memory: GPU 0 ran out of memory" in err
    assert "goes on from step 4; it had come to 5" in err
    assert "✓ done" in out


def test_without_a_yes_nothing_is_written(
    launched: Failed, capsys: pytest.CaptureFixture[str]
) -> None:
    run = launched("memory")
    assert ftui("resume", run.name, "--fix") == ExitCode.USAGE
    assert "add -y" in capsys.readouterr().err
    assert run.config_file.read_text() == CONFIG
    assert state(run) is RunState.FAILED


def test_the_end_of_a_failed_run_names_the_command(
    launched: Failed, capsys: pytest.CaptureFixture[str]
) -> None:
    run = launched("memory")
    assert ftui("--plain", "watch", run.name) == ExitCode.RUN_FAILED
    out = capsys.readouterr().out
    assert f"→ see the change, and go on with it: ftui resume {run.name} --fix" in out
    assert "Set micro_batch_size: 2" in out
    assert "train.log:2: torch.OutOfMemoryError: CUDA out of memory" in out


@pytest.mark.parametrize(
    ("manner", "config", "words"),
    [
        ("fail", CONFIG, "no setting is known that mends this"),
        ("", CONFIG, "nothing left to train"),
        ("memory", "micro_batch_size: 4\n'", "config.yml:"),
    ],
)
def test_where_nothing_can_be_changed_it_says_so(
    launched: Failed, capsys: pytest.CaptureFixture[str], manner: str, config: str, words: str
) -> None:
    run = launched(manner, CONFIG)
    run.config_file.write_text(config)
    assert ftui("resume", run.name, "--fix", "-y") == ExitCode.USAGE
    assert words in capsys.readouterr().err
    assert not (run.folder / "config.1.yml").exists()
