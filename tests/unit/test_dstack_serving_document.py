"""serve.dstack.yml and serve.sh: dstack reads the one, and the other starts the right vLLM."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from dstack._internal.core.models.configurations import (
    ServiceConfiguration,
    parse_apply_configuration,
)
from hypothesis import given
from hypothesis import strategies as st

from ftui import demo
from ftui.errors import RunFailed
from ftui.plan.plan import Needs
from ftui.runs.model import Run
from ftui.runs.words import WORDS
from ftui.targets.dstack import parcel
from ftui.targets.dstack.document import run_name
from ftui.targets.dstack.options import Options
from ftui.targets.dstack.serve import cargo, document
from ftui.targets.dstack.serve.document import Wish, service_name
from ftui.targets.vllm.machine import gpus_for, smallest
from tests.standins.adapter import make_run

ODD = ("a #1.json", "a_1.json", "b: c.json", "it's.json", "é.json", "$(touch x).json")
BIG = parcel.TOTAL_BYTES + 1


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run with an adapter on nano, which is a folder of this disk."""
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "ftui"))
    return make_run()


def on_hub(run: Run) -> Run:
    """The same run, of a base model on the hub."""
    run.config_file.write_text("base_model: meta-llama/Llama-3.1-8B\nadapter: lora\n")
    return run


def wish(run: Run, **changes: Any) -> Wish:
    usual: dict[str, Any] = {
        "name": service_name(run.name),
        "title": "A run",
        "needs": Needs(1, 24.0),
        "options": Options(),
        "hours": 1.0,
        "cargo": cargo.load(run),
    }
    return Wish(**{**usual, **changes})


def parsed(made: Wish) -> ServiceConfiguration:
    """The document as dstack reads it; it refuses what it does not know."""
    found = parse_apply_configuration(yaml.safe_load(document.document(made)))
    assert isinstance(found, ServiceConfiguration)
    return found


def started(container: Path, made: Wish, run: Run) -> list[str]:
    """What `vllm` is told when the container runs what travelled."""
    commands = container.parent / "commands"
    commands.mkdir()
    vllm = commands / "vllm"
    vllm.write_text('#!/bin/sh\nprintf "%s\\n" "$HF_HUB_OFFLINE" "$@" >told\n')
    vllm.chmod(0o755)
    for name in made.cargo.files:
        (container / name).parent.mkdir(parents=True, exist_ok=True)
        (container / name).write_bytes((run.folder / name).read_bytes())
    (container / "serve.sh").write_text(document.job(made))
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["sh", str(container / "serve.sh")], check=True, env={"PATH": path}, timeout=20)
    return (container / "told").read_text().splitlines()


def test_everything_that_costs_has_a_limit(run: Run) -> None:
    service = parsed(wish(run, hours=0.5, options=Options(spot_policy="spot", max_price=2.5)))
    assert service.max_duration == 1800
    assert service.idle_duration == 300
    assert service.max_price == 2.5
    assert service.spot_policy is not None
    assert service.spot_policy.value == "spot"
    assert service.auth
    assert service.port.container_port == 8000
    assert parsed(wish(run, hours=0.001)).max_duration == 60


def test_the_card_is_asked_for_by_its_memory(run: Run) -> None:
    service = parsed(wish(run, needs=Needs(4, 80.0)))
    assert service.resources.gpu is not None
    assert service.resources.gpu.count.min == 4
    assert service.resources.gpu.memory is not None
    assert service.resources.gpu.memory.min == 80
    assert service.resources.shm_size == 16
    assert "--tensor-parallel-size 4" in document.job(wish(run, needs=Needs(4, 80.0)))


@pytest.mark.parametrize(
    ("needs", "least"), [(Needs(1, 24.0), 100), (Needs(1, 80.0), 140), (Needs(8, 80.0), 700)]
)
def test_the_disk_has_room_for_a_model_that_fills_the_gpus(
    run: Run, needs: Needs, least: int
) -> None:
    disk = parsed(wish(run, needs=needs)).resources.disk
    assert disk is not None
    assert disk.size.min == least


def test_odd_names_of_a_model_s_files_are_plain_there(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "my model"
    folder.mkdir()
    for name in ODD:
        (folder / name).write_text(name)
    (folder / "config.json").write_text("{}")
    run.config_file.write_text(f"base_model: {json.dumps(str(folder))}\nadapter: lora\n")
    made = wish(run)
    assert {mapping.path for mapping in parsed(made).files} >= set(made.cargo.files)
    container = tmp_path / "container"
    container.mkdir()
    assert "serve" in started(container, made, run)
    brought = (container / "serving" / "base").iterdir()
    assert sorted(file.read_text() for file in brought) == sorted([*ODD, "{}"])


def test_a_secret_is_a_reference_and_only_where_the_hub_is_asked(run: Run) -> None:
    known = frozenset({"hf_token"})
    assert "env:" not in document.document(wish(run, secrets=known))
    hub = on_hub(run)
    assert "HF_TOKEN=${{ secrets.hf_token }}" in document.document(wish(hub, secrets=known))
    assert "env:" not in document.document(wish(hub))


@given(st.text(max_size=60), st.sampled_from(WORDS))
def test_a_service_and_its_run_have_names_of_their_own(text: str, word: str) -> None:
    name = service_name(f"{text}-1128-{word}")
    assert len(name) <= 41
    assert name.startswith("serve-")
    assert name.endswith(f"1128-{word}")
    assert name != run_name(f"{text}-1128-{word}")


# ── What travels ─────────────────────────────────────────────────────────────────────────────────


def test_base_and_adapter_travel_and_are_served(run: Run, tmp_path: Path) -> None:
    (run.output_dir / "chat_template.jinja").write_text("{{ messages }}")
    (run.output_dir / "checkpoint-2").mkdir()
    (run.output_dir / "checkpoint-2" / "optimizer.pt").write_text("large")
    container = tmp_path / "container"
    container.mkdir()
    made = wish(run)
    offline, *told = started(container, made, run)
    assert offline == "1"
    assert told[:4] == ["serve", "./serving/base", "--served-model-name", "base"]
    assert told[told.index("--host") + 1] == "127.0.0.1"
    assert told[told.index("--lora-modules") + 1] == "tuned=serving/tuned"
    assert told[told.index("--chat-template") + 1] == "serving/tuned/chat_template.jinja"

    nano = demo.resolve("builtin:nano")
    for here, there in ((nano, "base"), (run.output_dir, "tuned")):
        (weights,) = here.glob("*.safetensors")
        same = container / "serving" / there / weights.name
        assert same.read_bytes() == weights.read_bytes()
    assert (container / "serving/base/tokenizer.json").is_file()
    assert not [name for name in made.cargo.files if "checkpoint" in name]
    assert str(tmp_path) not in document.document(made) + document.job(made)


def test_a_base_model_of_the_hub_stays_there(run: Run, tmp_path: Path) -> None:
    container = tmp_path / "container"
    container.mkdir()
    offline, *told = started(container, wish(on_hub(run)), run)
    assert offline == ""
    assert told[1] == "meta-llama/Llama-3.1-8B"


def test_a_whole_model_is_served_alone(run: Run, tmp_path: Path) -> None:
    (run.output_dir / "adapter_config.json").unlink()
    (run.output_dir / "adapter_model.safetensors").rename(run.output_dir / "model.safetensors")
    (run.output_dir / "config.json").write_text("{}")
    (run.output_dir / "training_args.bin").write_text("no weights")
    container = tmp_path / "container"
    container.mkdir()
    made = wish(run)
    _, *told = started(container, made, run)
    assert told[:4] == ["serve", "./serving/tuned", "--served-model-name", "tuned"]
    assert "--enable-lora" not in told
    assert sorted(made.cargo.files) == [
        "serving/tuned/config.json",
        "serving/tuned/model.safetensors",
    ]


def test_what_is_too_large_is_sent_later_and_waited_for(run: Run, tmp_path: Path) -> None:
    adapter = on_hub(run).output_dir / "adapter_model.safetensors"
    with adapter.open("r+b") as file:
        file.truncate(BIG)
    made = wish(run)
    assert made.cargo.files == ()
    assert (adapter, "serving/tuned/adapter_model.safetensors") in made.cargo.sent
    assert not (run.folder / "serving").exists()

    text = document.document(made)
    assert parsed(made).files
    assert "scp out/adapter_model.safetensors serve-amber:/workspace/serve-amber/serving" in text
    container = tmp_path / "container"
    (container / "serving").mkdir(parents=True)
    (container / document.ARRIVED).touch()
    assert "serve" in started(container, made, run)
    assert (container / "serving" / "tuned").is_dir()


def test_nothing_that_a_shell_would_run_comes_from_a_config(run: Run) -> None:
    run.config_file.write_text(f"base_model: {json.dumps('org/$(touch x); model')}\n")
    line = document.job(wish(run)).splitlines()[-1]
    assert shlex.split(line)[3] == "org/$(touch x); model"


def test_an_adapter_that_vllm_refuses_is_refused_before_anything_is_rented(run: Run) -> None:
    file = run.output_dir / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "use_dora": True}))
    with pytest.raises(RunFailed, match="DoRA"):
        cargo.load(run)


# ── The machine ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("gib", "needs"),
    [
        (1, Needs(1, 24.0)),
        (19, Needs(1, 24.0)),
        (21, Needs(1, 40.0)),
        (69, Needs(1, 80.0)),
        (80, Needs(2, 80.0)),
        (134.2, Needs(2, 80.0)),
        (500, Needs(8, 80.0)),
        (5000, Needs(8, 80.0)),
    ],
)
def test_the_smallest_machine(gib: float, needs: Needs) -> None:
    assert smallest(gib) == needs


def test_a_model_that_is_known_gets_what_it_needs_in_16_bits(run: Run) -> None:
    settings = {"adapter": "qlora", "lora_r": 16, "lora_target_linear": True}
    small = {**settings, "base_model": "NousResearch/Meta-Llama-3.1-8B"}
    large = {**settings, "base_model": "meta-llama/Llama-3.3-70B-Instruct"}
    trained_on = Needs(1, 48.0)
    assert gpus_for(run, small, trained_on) == Needs(1, 24.0)
    assert gpus_for(run, large, trained_on) == Needs(2, 80.0)
    experts = {**settings, "base_model": "Qwen/Qwen3-30B-A3B"}
    assert gpus_for(run, experts, trained_on) == Needs(1, 80.0)


def test_one_that_nobody_knows_gets_what_it_was_trained_on(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    settings = {"base_model": "nobody/knows", "adapter": "lora"}
    assert gpus_for(run, settings, Needs(3, 40.0)) == Needs(2, 40.0)
    assert gpus_for(run, settings, Needs(0, 0.0)) == Needs(1, 24.0)


def test_the_options_of_the_training_hold_for_serving(run: Run) -> None:
    made = wish(run, options=replace(Options(), idle_duration="1m"))
    assert parsed(made).idle_duration == 60
