"""What keeps a plan from running here, and the files of a prepared run."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import stat
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest
import yaml

from ftui import paths
from ftui.errors import ConfigError, TargetUnavailable, UsageError
from ftui.plan.hardware import Gpu, Hardware
from ftui.plan.plan import Needs, Plan, Preset, start
from ftui.plan.presets import find
from ftui.runs import store
from ftui.targets import get, local
from ftui.targets.local import LocalTarget
from ftui.targets.prepare import prepare

CPU = Hardware(cores=2, memory_gib=24)
A10 = Gpu("NVIDIA A10", 22.5, "sm_86")


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalTarget:
    """This machine, if it had two cores and no GPU."""
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FTUI_TRAIN_PYTHON", sys.executable)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return has(CPU, monkeypatch)


def has(hardware: Hardware, monkeypatch: pytest.MonkeyPatch) -> LocalTarget:
    monkeypatch.setattr(local, "detect", lambda: hardware)
    return LocalTarget()


def plan(tmp_path: Path, needs: Needs = Needs(), base_model: str = "") -> Plan:  # noqa: B008
    model, data = tmp_path / "model", tmp_path / "data.jsonl"
    model.mkdir(exist_ok=True)
    data.touch()
    settings = {
        "base_model": base_model or str(model),
        "datasets": [{"path": str(data), "type": "alpaca"}],
        "adapter": "lora",
    }
    preset = Preset("my-lora", "My LoRA", "tests", needs, settings, tmp_path / "my-lora.yml")
    return start(preset)


def test_a_plan_without_needs_runs_anywhere(tmp_path: Path, target: LocalTarget) -> None:
    assert target.problems(plan(tmp_path)) == []


@pytest.mark.parametrize(
    ("needs", "gpus", "words"),
    [
        (Needs(1, 24), (), "needs 1 GPU with 24 GiB; this machine has no GPU"),
        (Needs(1, 80), (A10,), "needs a GPU with 80 GiB; NVIDIA A10 has 22"),
        (Needs(2, 24), (A10,), "needs 2 GPUs with 24 GiB each; this machine has NVIDIA A10 22 GiB"),
        (Needs(1), (), "needs 1 GPU; this machine has no GPU"),
    ],
)
def test_missing_gpus_are_named(
    tmp_path: Path,
    target: LocalTarget,
    monkeypatch: pytest.MonkeyPatch,
    needs: Needs,
    gpus: tuple[Gpu, ...],
    words: str,
) -> None:
    (problem,) = has(Hardware(8, 64, gpus), monkeypatch).problems(plan(tmp_path, needs))
    assert problem.what == words
    assert "--dry-run" in problem.hint


def test_a_24_gb_card_counts_as_24_gib(
    tmp_path: Path, target: LocalTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = has(Hardware(8, 64, (A10, A10)), monkeypatch)
    assert there.problems(plan(tmp_path, Needs(2, 24))) == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("llama3-8b-qlora", ""),
        ("llama3-8b-lora", ""),  # tight, but what is expected fits
        ("olmo2-1b-full", ""),
        ("llama3-8b-pretrain", "needs about 26.2 GiB (21.0 to 31.5); NVIDIA A10 has 21.7"),
    ],
)
def test_memory_is_judged_by_the_estimate_and_not_by_what_a_preset_asks_for(
    target: LocalTarget, monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    there = has(Hardware(8, 64, (A10,)), monkeypatch)
    problems = there.problems(dataclasses.replace(start(find(name)), gpus=1))
    assert [problem.what[: len(told)] for problem in problems] == ([told] if told else [])


def test_a_full_disk_is_a_problem_before_the_run(
    tmp_path: Path, target: LocalTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(100, 90, 2**29))
    (problem,) = target.problems(plan(tmp_path))
    assert "0.5 GiB" in problem.what
    assert "FTUI_HOME" in problem.hint


def test_one_process_needs_no_launcher(tmp_path: Path, target: LocalTarget) -> None:
    command = target.command(plan(tmp_path))
    assert command == (sys.executable, "-m", "axolotl.cli.train", "config.yml")


def test_more_gpus_are_accelerates(tmp_path: Path, target: LocalTarget) -> None:
    command = target.command(plan(tmp_path, Needs(2, 24)))
    assert command[0] == str(Path(sys.executable).with_name("accelerate"))
    assert command[1:4] == ("launch", "--num_processes", "2")


def test_the_files_can_be_written_without_axolotl(
    tmp_path: Path, target: LocalTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    for named in ("", "/nowhere/python"):
        monkeypatch.setenv("FTUI_TRAIN_PYTHON", named)
        assert target.command(plan(tmp_path))[0] == "python"


def test_an_unknown_target_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="moon"):
        get("moon")


def test_a_prepared_run_is_complete(tmp_path: Path, target: LocalTarget) -> None:
    run = prepare(plan(tmp_path), target)
    assert {path.name for path in run.folder.iterdir()} == {
        "config.yml",
        "train.sh",
        "ftui_events.py",
        "run.json",
    }
    config = yaml.safe_load(run.config_file.read_text())
    assert config["base_model"] == str(tmp_path / "model")
    assert "ftui_events.FtuiEvents" in config["plugins"]
    record = store.read_record(run)
    assert (record.name, record.preset, record.target) == (run.name, "my-lora", "local")
    assert store.list_runs() == [run]
    assert sorted(paths.runs_dir().iterdir()) == [run.folder]


def test_a_config_edited_by_hand_is_kept_as_it_is(tmp_path: Path, target: LocalTarget) -> None:
    mine = plan(tmp_path)
    text = prepare(mine, target).config_file.read_text() + "seed: 7  # mine\n"
    assert prepare(mine, target, text).config_file.read_text() == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "not YAML"),
        ("- a\n", "no mapping"),
        (
            "output_dir: elsewhere\nplugins: [ftui_events.FtuiEvents]\n",
            "the run's own folder",
        ),
        ("output_dir: ./out\nplugins: []\n", "without ftui's plugin"),
    ],
)
def test_an_edited_config_that_cannot_be_followed_is_refused(
    tmp_path: Path, target: LocalTarget, text: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        prepare(plan(tmp_path), target, text)
    assert store.list_runs() == []


def environment(run_folder: Path, **variables: str) -> dict[str, str]:
    """What train.sh gives to its command, seen by running it from elsewhere."""
    script = run_folder / "train.sh"
    lines = script.read_text().splitlines()
    script.write_text("\n".join(["env" if line.startswith("exec ") else line for line in lines]))
    clean = {"PATH": os.environ["PATH"], **variables}
    done = subprocess.run(
        ["/bin/sh", str(script)], cwd="/", env=clean, capture_output=True, text=True, check=True
    )
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def test_train_sh_runs_by_hand_from_anywhere(tmp_path: Path, target: LocalTarget) -> None:
    run = prepare(plan(tmp_path), target)
    assert run.script_file.stat().st_mode & stat.S_IXUSR
    given = environment(run.folder)
    assert given["PWD"] == given["PYTHONPATH"] == str(run.folder)
    assert given["FTUI_EVENTS"] == str(run.events_file)
    assert given["AXOLOTL_DO_NOT_TRACK"] == given["DO_NOT_TRACK"] == "1"
    assert given["HF_HUB_OFFLINE"] == "1"
    assert given["OMP_NUM_THREADS"] == "2"
    assert given["PATH"].startswith(str(Path(sys.executable).parent) + os.pathsep)
    assert "CUDA_VISIBLE_DEVICES" not in given


@pytest.mark.parametrize("variables", [{}, {"FTUI_EVENTS": "events.jsonl"}], ids=["hand", "ftui"])
def test_a_request_to_stop_is_forgotten_by_who_starts_it_again(
    tmp_path: Path, target: LocalTarget, variables: dict[str, str]
) -> None:
    """By hand that is train.sh; under ftui, which does it before, the request may be a new one."""
    run = prepare(plan(tmp_path), target)
    run.stop_file.touch()
    environment(run.folder, **variables)
    assert run.stop_file.exists() is bool(variables)


def test_a_model_from_the_hub_may_be_fetched(tmp_path: Path, target: LocalTarget) -> None:
    run = prepare(plan(tmp_path, base_model="org/model"), target)
    assert "HF_HUB_OFFLINE" not in environment(run.folder)


def test_a_gpu_run_sees_only_its_gpus(
    tmp_path: Path, target: LocalTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = has(Hardware(8, 64, (A10, A10)), monkeypatch)
    given = environment(prepare(plan(tmp_path, Needs(1, 24)), there).folder)
    assert given["CUDA_VISIBLE_DEVICES"] == "0"
    assert "OMP_NUM_THREADS" not in given


def test_no_secret_of_the_environment_is_written(
    tmp_path: Path, target: LocalTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_very_secret")
    run = prepare(plan(tmp_path), target)
    assert all("hf_very_secret" not in path.read_text() for path in run.folder.iterdir())


def test_a_disk_that_fills_up_leaves_nothing_half_made(
    tmp_path: Path, target: LocalTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(TargetUnavailable, match="no space left on device"):
        prepare(plan(tmp_path), target)
    assert list(paths.runs_dir().iterdir()) == []


def test_a_home_that_cannot_be_made_is_one_clear_error(
    tmp_path: Path, target: LocalTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "file"))
    with pytest.raises(TargetUnavailable) as caught:
        prepare(plan(tmp_path), target)
    assert "FTUI_HOME" in caught.value.hint


# ── What a ftui that was killed leaves behind ────────────────────────────────────────────────


KILLED = """
import os
from ftui.cli import main
from ftui.runs import store
store.write_record = lambda *_: os._exit(9)
main()
"""


def old(path: Path) -> None:
    a_while_ago = time.time() - 2 * 3600
    os.utime(path, (a_while_ago, a_while_ago))


def test_a_draft_of_a_ftui_that_was_killed_is_removed_by_the_next_one(
    tmp_path: Path, target: LocalTarget
) -> None:
    command = ["--preset", "nano-sql-lora", "--dry-run"]
    child = subprocess.run([sys.executable, "-c", KILLED, *command], stdin=subprocess.DEVNULL)
    assert child.returncode == 9
    [draft] = [path for path in paths.runs_dir().iterdir() if path.name.startswith(".")]
    assert (draft / "config.yml").exists()
    prepare(plan(tmp_path), target)
    assert draft.exists(), "it may be another ftui's, at work"
    old(draft)
    run = prepare(plan(tmp_path), target)
    assert not draft.exists()
    assert not draft.with_name(draft.name[1:]).exists()
    assert run in store.list_runs()


@pytest.mark.parametrize(
    ("hidden", "beside"),
    [(".git/config", ""), (".mine/config.yml", ""), (".mine/notes.txt", "mine"),
     (".mine/config.yml", "mine/notes.txt"), (".mine", "mine")],
)  # fmt: skip
def test_what_is_hidden_there_and_no_draft_stays(
    tmp_path: Path, target: LocalTarget, hidden: str, beside: str
) -> None:
    file, other = paths.runs_dir() / hidden, paths.runs_dir() / beside
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("my own")
    if beside:
        (other.parent if other.suffix else other).mkdir(exist_ok=True)
    if other.suffix:
        other.write_text("mine, too")
    old(paths.runs_dir() / Path(hidden).parts[0])
    prepare(plan(tmp_path), target)
    assert file.read_text() == "my own"
