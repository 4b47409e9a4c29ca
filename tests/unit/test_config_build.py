"""The config that runs: paths that hold, what a CPU needs, and on a GPU what the person chose."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftui.config.build import EVENTS_PLUGIN, build
from ftui.config.lint import check
from ftui.config.render import render
from ftui.errors import UsageError
from ftui.plan.plan import Needs, Plan, Preset, start
from ftui.plan.presets import catalogue

GPU_SETTINGS = {
    "base_model": "some/model",
    "learning_rate": 0.0002,
    "optimizer": "adamw_bnb_8bit",
    "attn_implementation": "flash_attention_2",
    "gradient_checkpointing": "offload",
    "bf16": "auto",
    "tf32": True,
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    return tmp_path


def plan(given: dict[str, Any], gpus: int = 0, folder: Path = Path("/nowhere")) -> Plan:
    return start(Preset("p", "P", "all", Needs(gpus), given, folder / "p.yml"))


def test_a_run_writes_into_its_own_folder_and_tells_what_happens() -> None:
    config = build(plan({"base_model": "m", "output_dir": "/elsewhere", "plugins": ["x.Y"]}))
    assert config["output_dir"] == "./out"
    assert config["dataset_prepared_path"] == "./prepared"
    assert config["plugins"] == ["x.Y", EVENTS_PLUGIN]


def test_for_gpus_nothing_else_is_changed_whatever_this_machine_has() -> None:
    """`--dry-run` on a laptop writes the files for the machine that will train."""
    config = build(plan(GPU_SETTINGS, gpus=1))
    assert {key: config[key] for key in GPU_SETTINGS} == GPU_SETTINGS
    added = {"output_dir", "dataset_prepared_path", "plugins", "seed"}
    assert set(config) - set(GPU_SETTINGS) == added


def test_a_run_can_be_repeated() -> None:
    assert build(plan({"base_model": "m"}))["seed"] == 42
    assert build(plan({"base_model": "m", "seed": 0}))["seed"] == 0


def test_on_a_cpu_what_cannot_work_is_replaced() -> None:
    config = build(plan(GPU_SETTINGS))
    assert config["optimizer"] == "adamw_torch"
    assert config["attn_implementation"] == "sdpa"
    assert config["gradient_checkpointing"] is True
    assert config["bf16"] is False
    assert not {"fp16", "tf32"} & set(config)
    kernels = ("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel", "lora_embedding_kernel")
    assert [config[key] for key in kernels] == [False] * 4


def test_on_a_cpu_4_bit_weights_are_never_evaluated_while_they_train() -> None:
    given = {"load_in_4bit": True, "val_set_size": 0.1, "evals_per_epoch": 4}
    config = build(plan(given))
    assert config["val_set_size"] == 0
    assert "evals_per_epoch" not in config
    assert build(plan(given, gpus=1))["val_set_size"] == 0.1


@pytest.mark.parametrize("optimizer", ["adamw_torch", "sgd", "adafactor", "lion_pytorch"])
def test_on_a_cpu_what_works_stays(optimizer: str) -> None:
    given = {"optimizer": optimizer, "attn_implementation": "eager", "gradient_checkpointing": True}
    config = build(plan(given))
    assert {key: config[key] for key in given} == given


def test_builtin_references_become_files(home: Path) -> None:
    given = {
        "datasets": [{"path": "builtin:nl2sql/train.jsonl"}],
        "deepspeed": "builtin:deepspeed/zero3.json",
        "base_model": "builtin:nano",
    }
    config = build(plan(given, gpus=1))
    for path in (config["datasets"][0]["path"], config["deepspeed"], config["base_model"]):
        assert Path(path).is_relative_to(home)
        assert Path(path).exists()


def test_a_reference_to_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="builtin:nope"):
        build(plan({"base_model": "builtin:nope"}))


def test_files_of_the_person_become_absolute(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "here").mkdir()
    (home / "here" / "rows.jsonl").touch()
    (home / "beside").mkdir()
    (home / "beside" / "ds.json").touch()
    monkeypatch.chdir(home / "here")
    given = {"datasets": [{"path": "rows.jsonl"}, {"path": "a/hub-id"}], "deepspeed": "ds.json"}
    config = build(plan(given, gpus=1, folder=home / "beside"))
    assert [entry["path"] for entry in config["datasets"]] == [
        str(home / "here" / "rows.jsonl"),
        "a/hub-id",
    ]
    assert config["deepspeed"] == str(home / "beside" / "ds.json")


@pytest.mark.parametrize("gpus", [0, 2])
def test_every_preset_becomes_a_config_without_fault(gpus: int) -> None:
    for preset in catalogue().presets:
        text = render(build(dataclasses.replace(start(preset), gpus=gpus)))
        assert check(text) == [], preset.name
        assert "builtin:" not in text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from([*GPU_SETTINGS, "plugins", "datasets", "deepspeed", "special_tokens"]),
        st.none() | st.integers() | st.text() | st.lists(st.text()) | st.just({"path": 3}),
    )
)
def test_whatever_was_set_the_plan_itself_stays(given: dict[str, Any]) -> None:
    """Wrong types are for the linter to report: building never fails on them."""
    given = {key: value for key, value in given.items() if "builtin:" not in repr(value)}
    before = copy.deepcopy(given)
    for gpus in (0, 1):
        build(plan(given, gpus=gpus))
    assert given == before
