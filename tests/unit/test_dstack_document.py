"""train.dstack.yml and job.sh, and that dstack itself reads the one."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from dstack._internal.core.models.configurations import (
    TaskConfiguration,
    parse_apply_configuration,
)
from hypothesis import given
from hypothesis import strategies as st

from ftui.config.build import build
from ftui.errors import TargetUnavailable, UsageError
from ftui.plan.plan import Needs, start
from ftui.plan.presets import catalogue
from ftui.runs import events
from ftui.runs.words import WORDS
from ftui.targets.dstack import document, job_script, options, parcel, together
from ftui.targets.dstack.api import Api
from ftui.targets.dstack.document import Wish, run_name
from ftui.targets.dstack.login import Login
from ftui.targets.dstack.options import Options, read

NAME = re.compile(r"[a-z][a-z0-9-]{1,40}")
PRESETS = catalogue().presets


def wish(folder: Path, config: dict[str, Any] | None = None, **changes: Any) -> Wish:
    settings = {"base_model": "org/model", "datasets": [{"path": "org/rows"}], **(config or {})}
    usual: dict[str, Any] = {
        "name": "a-run",
        "title": "A run",
        "gpus": 1,
        "needs": Needs(1, 24.0),
        "options": Options(),
        "parcel": parcel.pack(settings, folder),
    }
    return Wish(**{**usual, **changes})


def parsed(text: str) -> TaskConfiguration:
    """The document as dstack reads it; it refuses what it does not know."""
    found = parse_apply_configuration(yaml.safe_load(text))
    assert isinstance(found, TaskConfiguration)
    return found


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
@pytest.mark.parametrize("install", [False, True], ids=["image", "install"])
def test_dstack_reads_the_document_of_every_preset(
    preset: Any, install: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    packed = parcel.pack(build(start(preset)), tmp_path)
    made = wish(
        tmp_path,
        name=run_name(f"{preset.name}-1128-acorn"),
        title=preset.title,
        gpus=preset.needs.gpus,
        needs=preset.needs,
        options=Options(install=install),
        parcel=packed,
        secrets=frozenset({"hf_token", "wandb_api_key"}),
    )
    task = parsed(document.document(made))

    assert NAME.fullmatch(task.name or "")
    assert task.working_dir == f"/workspace/{task.name}"
    assert (task.image is None) == install
    assert task.resources is not None
    assert task.resources.gpu is not None
    assert (task.resources.gpu.count.min or 0) == preset.needs.gpus
    for limit in (task.max_price, task.max_duration, task.idle_duration, task.retry):
        assert limit
    assert task.spot_policy is not None
    assert all("secrets." in str(value) for value in task.env.values())


def test_what_an_option_says_is_in_the_document(tmp_path: Path) -> None:
    options = Options(
        gpu="A100", spot_policy="spot", max_price=2.5, max_duration="3h", idle_duration="1m"
    )
    task = parsed(document.document(wish(tmp_path, options=options, gpus=2)))
    assert task.resources is not None
    assert task.resources.gpu is not None
    assert list(task.resources.gpu.name or ()) == ["A100"]
    assert task.resources.gpu.count.min == 2
    assert task.resources.shm_size == 16
    assert (task.max_price, task.max_duration, task.idle_duration) == (2.5, 10800, 60)


@pytest.mark.parametrize(
    ("asked", "memory", "least"),
    [("", 24.0, 24), ("A100", 24.0, 24), ("A100:80GB", 24.0, 80), ("A100,H100:80GB", 0.0, 80)],
)
def test_a_card_is_asked_for_with_its_memory(
    tmp_path: Path, asked: str, memory: float, least: int
) -> None:
    made = wish(tmp_path, options=Options(gpu=asked), needs=Needs(1, memory))
    gpu = parsed(document.document(made)).resources.gpu
    assert gpu is not None
    assert gpu.vendor.value == "nvidia"
    assert gpu.memory is not None
    assert gpu.memory.min == least
    assert ",".join(gpu.name or ()) == asked.partition(":")[0]


def test_secrets_are_references_and_only_those_that_the_project_has(tmp_path: Path) -> None:
    config = {"wandb_project": "p"}
    both = frozenset({"hf_token", "wandb_api_key"})
    text = document.document(wish(tmp_path, config, secrets=both))
    assert "HF_TOKEN=${{ secrets.hf_token }}" in text
    assert "WANDB_API_KEY=${{ secrets.wandb_api_key }}" in text
    assert "env:" not in document.document(wish(tmp_path, config))


def test_tensorboard_has_its_port(tmp_path: Path) -> None:
    made = wish(tmp_path, {"use_tensorboard": True})
    assert [port.container_port for port in parsed(document.document(made)).ports] == [6006]
    assert "tensorboard --logdir out" in job_script.script(made)


@given(st.text(max_size=60), st.sampled_from(WORDS))
def test_every_name_is_one_that_dstack_takes_and_tells_runs_apart(text: str, word: str) -> None:
    name = run_name(f"{text}-1128-{word}-2")
    assert NAME.fullmatch(name)
    assert name.endswith(f"1128-{word}-2")
    assert run_name(name) == name


@pytest.mark.parametrize("name", ["", "7", "-", "ÄÖÜ", "x", "a" * 80, "1128-acorn"])
def test_odd_names(name: str) -> None:
    assert NAME.fullmatch(run_name(name))


def test_options_of_another_kind_are_passed_over() -> None:
    raw = {"gpu": "A100", "max_price": "much", "install": 1, "new": True}
    assert read({"dstack": {"options": raw}}) == Options(gpu="A100")
    assert read({"dstack": 7}) == read({}) == Options()


# ── What travels, and the job that unpacks it ────────────────────────────────────────────────


def test_files_of_this_machine_travel_in_parts_and_are_put_together(tmp_path: Path) -> None:
    big = tmp_path / "odd name: ü.jsonl"
    big.write_bytes(os.urandom(parcel.PART_BYTES * 2 + 5))
    folder = tmp_path / "run"
    config: dict[str, Any] = {
        "base_model": "org/model",
        "datasets": [{"path": str(big), "type": "alpaca"}],
    }
    packed = parcel.pack(config, folder)

    (name,) = packed.joined
    assert packed.config["datasets"] == [{"path": f"./{name}", "type": "alpaca"}]
    assert config["datasets"][0]["path"] == str(big)
    assert len(packed.files) == 3
    assert packed.size == big.stat().st_size
    assert parcel.pack(packed.config, folder) == packed

    container = tmp_path / "container"
    for file in packed.files:
        assert (folder / file).stat().st_size <= parcel.PART_BYTES
        (container / file).parent.mkdir(parents=True, exist_ok=True)
        (container / file).write_bytes((folder / file).read_bytes())
    done = job(container, wish(folder, parcel=packed), "exit 3")
    assert done.returncode == 3
    assert (container / name).read_bytes() == big.read_bytes()


ODD = ("a #1", "a_1", "b: c.json", "it's/deep er.json", "é.json", "$(touch x)", "-x", "back\\slash")


def test_odd_names_below_a_folder_are_plain_there(tmp_path: Path) -> None:
    base = tmp_path / "my model"
    for name in ODD:
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_bytes(name.encode() * (parcel.PART_BYTES // len(name.encode()) + 1))
    folder, container = tmp_path / "run", tmp_path / "container"
    packed = parcel.pack({"base_model": str(base)}, folder)
    made = wish(folder, parcel=packed)
    files = parsed(document.document(made)).files
    assert [mapping.local_path for mapping in files][3:] == list(packed.files)
    assert all(mapping.local_path == mapping.path for mapping in files)
    for mapping in files[3:]:
        (container / mapping.path).parent.mkdir(parents=True, exist_ok=True)
        (container / mapping.path).write_bytes((folder / mapping.local_path).read_bytes())
    assert job(container, made, "exit 0").returncode == 0
    there = {(container / name).read_bytes() for name in packed.joined}
    assert there == {(base / name).read_bytes() for name in ODD}
    assert not list(container.rglob("x"))


def test_two_files_of_one_name_both_travel(tmp_path: Path) -> None:
    files = [tmp_path / place / "rows.jsonl" for place in ("a", "b")]
    for file in files:
        file.parent.mkdir()
        file.write_text(str(file))
    config = {"datasets": [{"path": str(files[0])}], "test_datasets": [{"path": str(files[1])}]}
    packed = parcel.pack(config, tmp_path / "run")
    first, second = (packed.config[key][0]["path"] for key in ("datasets", "test_datasets"))
    assert (tmp_path / "run" / first).read_text() == str(files[0])
    assert (tmp_path / "run" / second).read_text() == str(files[1])


def test_a_checkpoint_travels_and_an_older_one_no_more(tmp_path: Path) -> None:
    for step in (2, 4):
        (tmp_path / f"out/checkpoint-{step}").mkdir(parents=True)
        (tmp_path / f"out/checkpoint-{step}/state").write_text(str(step))
    assert "inputs/checkpoint-2/state" in parcel.pack({}, tmp_path, "out/checkpoint-2").files
    assert parcel.pack({}, tmp_path, "out/checkpoint-4").files == ("inputs/checkpoint-4/state",)
    assert parcel.pack({}, tmp_path).files == ()


def test_the_job_tells_events_and_waits_for_its_results_to_be_fetched(tmp_path: Path) -> None:
    (tmp_path / "fetched").touch()
    trainer = 'echo \'{"v": 1}\' >>"$FTUI_EVENTS"; mkdir out; exit 5'
    done = job(tmp_path, wish(tmp_path), trainer)
    assert done.returncode == 5
    assert done.stdout.splitlines() == ['@ftui {"v": 1}', "@ftui ready 5"]


NOW = 1_000_000
"""What the container's clock says."""


def job(folder: Path, made: Wish, trainer: str, **others: str) -> subprocess.CompletedProcess[str]:
    """job.sh with this trainer and other programs of the test's own, run to its end."""
    programs = folder / "programs"
    programs.mkdir(parents=True)
    for name, script in {"date": f"echo {NOW}", "axolotl": trainer, **others}.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    (folder / "job.sh").write_text(job_script.script(made))
    return subprocess.run(
        ["sh", str(folder / "job.sh")],
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_try_after_the_end_of_all_tries_trains_nothing(
    tmp_path: Path, nodes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTUI_UNTIL", "1000")
    monkeypatch.setenv("DSTACK_NODE_RANK", str(nodes - 1))
    done = job(tmp_path, wish(tmp_path, options=Options(nodes=nodes)), "touch trained")
    assert done.returncode == 1
    assert "too little time is left to train: its time is over: that of all tries" in done.stdout
    assert not (tmp_path / "trained").exists()


SAVES = """
until [ -e stop ]; do sleep 0.1; done
mkdir out; echo saved
"""
"""What a trainer does that looks for a request to stop."""


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> Options:
    """Training is to save after a second, and has 20 s for that."""
    monkeypatch.setattr(options, "LEAST_GRACE_SECONDS", 40)
    return Options(max_duration="41s")


def test_training_saves_and_ends_before_its_try_does(tmp_path: Path, soon: Options) -> None:
    (tmp_path / "fetched").touch()
    done = job(tmp_path, wish(tmp_path, options=soon), SAVES)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert "saved" in lines
    assert lines[-1] == "@ftui ready 0"
    [told] = [line for line in lines if "stop_requested" in line]
    event = events.parse(told.removeprefix("@ftui "))
    assert event is not None
    why = "its time is over: max_duration 41s"
    assert (event.kind, event.time, event.values) == ("stop_requested", NOW, {"why": why})


def test_the_end_of_all_tries_may_come_first(
    tmp_path: Path, soon: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fetched").touch()
    monkeypatch.setenv("FTUI_UNTIL", str(NOW + 41))
    done = job(tmp_path, wish(tmp_path, options=replace(soon, max_duration="400s")), SAVES)
    assert done.returncode == 0
    assert "its time is over: that of all tries together" in done.stdout


LATE = f"[ -e asked ] && echo {NOW + 1000} || echo {NOW}; touch asked"
"""A `date` that lets much time pass after its first answer."""


@pytest.mark.parametrize("ears", ["", "trap '' TERM"], ids=["it hears", "it is killed"])
def test_what_trains_on_is_ended_in_time_for_its_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ears: str
) -> None:
    (tmp_path / "fetched").touch()
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(options, "LEAST_GRACE_SECONDS", 2)
    monkeypatch.setattr(job_script, "_KILL_SECONDS", 1)
    made = wish(tmp_path, options=Options(max_duration="3s"))
    done = job(tmp_path, made, f"{ears}\nwhile :; do sleep 0.1; done", date=LATE)
    assert done.returncode in ((124, 137) if ears else (124,))
    assert "its time was over before it had saved and ended\n" in done.stdout
    assert done.stdout.splitlines()[-1] == f"@ftui ready {done.returncode}"


def test_what_fails_by_itself_is_not_said_to_be_late(tmp_path: Path, soon: Options) -> None:
    (tmp_path / "fetched").touch()
    done = job(tmp_path, wish(tmp_path, options=soon), "mkdir out; kill -9 $$")
    assert done.returncode == 137
    assert "its time was over" not in done.stdout


CLOCK = """
case $1 in --foreground) shift 4; exec "$@";; esac
until [ -e ended ]; do sleep 0.1; done
touch fired; exit 124
"""
"""A `timeout` whose time is over once the test says so."""
ENDS = """
mkdir out
(
  until grep -q ftui-end events.jsonl; do sleep 0.1; done
  touch ended
  until [ -e fired ]; do sleep 0.1; done
  sleep 1; touch fetched
) &
"""
"""A trainer that ends at once; the time of its try is over while its results are waited for."""


def test_nothing_is_asked_of_a_training_that_ended_by_itself(tmp_path: Path, soon: Options) -> None:
    done = job(tmp_path, wish(tmp_path, options=soon), ENDS, timeout=CLOCK)
    assert done.returncode == 0
    assert "stop_requested" not in done.stdout
    assert not (tmp_path / "stop").exists()


def test_what_is_installed_first_is_part_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = wish(tmp_path, options=Options(install=True, max_duration="1h"))
    assert parsed(document.document(made)).commands[0] == "export FTUI_BEGAN=$(date +%s)"
    monkeypatch.setenv("FTUI_BEGAN", str(NOW - 3600))
    done = job(tmp_path, made, "touch trained")
    assert done.returncode == 1
    assert "too little time is left to train: its time is over: max_duration 1h" in done.stdout
    assert not (tmp_path / "trained").exists()


@pytest.mark.parametrize(
    ("max_duration", "minutes"), [("3m", 1), ("30m", 3), ("2h", 12), ("12h", 15), ("30d", 15)]
)
def test_how_long_before_is_said(tmp_path: Path, max_duration: str, minutes: int) -> None:
    made = wish(tmp_path, options=Options(max_duration=max_duration))
    assert f"saves and ends {minutes} min before" in document.document(made)
    assert f"{minutes} min before, training is" in job_script.script(made)


# ── Several machines ─────────────────────────────────────────────────────────────────────────


def test_several_machines_are_asked_for_and_find_each_other(tmp_path: Path) -> None:
    made = wish(tmp_path, gpus=2, options=Options(nodes=4))
    assert parsed(document.document(made)).nodes == 4
    script = job_script.script(made, "inputs/checkpoint-4")
    assert (
        '--launcher torchrun --resume-from-checkpoint inputs/checkpoint-4 -- --nnodes "$' in script
    )
    alone = wish(tmp_path, gpus=2)
    assert "nodes" not in document.document(alone)
    assert "torchrun" not in job_script.script(alone)


@pytest.mark.parametrize("rank", [0, 1])
def test_only_the_first_machine_tells_events_and_waits_for_its_results(
    tmp_path: Path, rank: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSTACK_NODE_RANK", str(rank))
    (tmp_path / "fetched").touch()
    trainer = 'echo \'{"v": 1}\' >>"$FTUI_EVENTS"; mkdir out; exit 5'
    done = job(tmp_path, wish(tmp_path, options=Options(nodes=2)), trainer)
    assert done.returncode == 5
    told = ['@ftui {"v": 1}', "@ftui ready 5"]
    assert done.stdout.splitlines() == (told if rank == 0 else [])


@pytest.mark.parametrize(
    ("gpus", "config", "checkpoint", "words"),
    [
        (0, {}, "", "on GPUs alone"),
        (1, {"fsdp_config": {"offload_params": True}}, "out/checkpoint-2", "with fsdp_config"),
        (8, {"deepspeed": "zero3.json"}, "out/checkpoint-2", "with deepspeed"),
    ],
)
def test_what_several_machines_cannot_do(
    gpus: int, config: dict[str, Any], checkpoint: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        together.refuse(gpus, config, checkpoint)
    assert caught.value.hint


def test_several_machines_may_begin_with_shards_and_go_on_without() -> None:
    together.refuse(1, {"fsdp_config": {"offload_params": True}})
    together.refuse(1, {}, "out/checkpoint-2")


@pytest.mark.parametrize(("placement", "fine"), [("cluster", True), ("any", False), (None, False)])
async def test_several_machines_need_a_fleet_that_keeps_them_together(
    placement: str | None, fine: bool
) -> None:
    class Fleets(Api):
        async def fleets(self) -> Any:
            return [{"spec": {"configuration": {"placement": placement}}}]

    server = Fleets(Login("main", "http://nowhere", "none"))
    if fine:
        await together.refuse_scattered(server)
        return
    with pytest.raises(TargetUnavailable, match="keeps its machines together") as caught:
        await together.refuse_scattered(server)
    fleet = yaml.safe_load(caught.value.hint.partition("\n")[2])
    assert parse_apply_configuration(fleet).placement.value == "cluster"
