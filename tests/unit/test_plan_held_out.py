"""What is held out: a share, so many rows, a file or nothing; the config stays valid with each."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ftui.config.build import build
from ftui.config.lint import check
from ftui.config.render import render
from ftui.config.text import config_text
from ftui.errors import DatasetError, FtuiError, UsageError
from ftui.plan.flags import plan_from_flags
from ftui.plan.hardware import Gpu, Hardware
from ftui.plan.models import known_models
from ftui.plan.own_config import open_config
from ftui.plan.plan import Plan, start
from ftui.plan.presets import catalogue, find
from ftui.plan.steps import World, begin, step
from tests.unit.test_steps import TARGETS

[FIELD] = step("data").fields
GPU = Hardware(cores=8, memory_gib=64.0, gpus=(Gpu("NVIDIA A10", 22.5, "sm_86"),))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def world() -> World:
    return World(GPU, catalogue().presets, known_models(), TARGETS)


def plan(name: str = "llama3-8b-lora") -> Plan:
    return begin(find(name), GPU)


def own(**settings: Any) -> Plan:
    """The plan of a config of the person's own."""
    Path("own.yml").write_text(yaml.safe_dump({"base_model": "a/model"} | settings))
    return start(open_config(Path("own.yml")))


def alpaca(file: str, count: int = 30, **more: Any) -> str:
    lines = [json.dumps({"instruction": f"{file} {n}", "output": "b"} | more) for n in range(count)]
    Path(file).write_text("\n".join(lines) + "\n")
    return file


def on_rows(world: World) -> Plan:
    return step("data").apply(plan(), alpaca("rows.jsonl"), world)


def errors_of(plan: Plan) -> list[str]:
    return [str(issue) for issue in check(render(build(plan)))]


@pytest.mark.parametrize(
    ("typed", "size", "shown"),
    [
        ("5 %", 0.05, "5 %"),
        ("5%", 0.05, "5 %"),
        ("0.05", 0.05, "5 %"),
        (".5", 0.5, "50 %"),
        ("0.5 %", 0.005, "0.5 %"),
        ("200", 200, "200 rows"),
        ("1,000 rows", 1000, "1000 rows"),
    ],
)
def test_a_share_or_a_number_of_rows(world: World, typed: str, size: float, shown: str) -> None:
    chosen = FIELD.taken(plan(), typed, world)
    assert chosen.settings["val_set_size"] == size
    assert type(chosen.settings["val_set_size"]) is type(size)
    assert chosen.settings["evals_per_epoch"] == 4
    assert FIELD.read(chosen) == shown
    assert FIELD.taken(chosen, shown, world) == chosen
    assert errors_of(chosen) == errors_of(plan())


@pytest.mark.parametrize("typed", ["none", "0", "0 %", "0.0", "0 rows"])
def test_nothing_held_out_takes_along_what_evaluates(world: World, typed: str) -> None:
    chosen = FIELD.taken(plan(), typed, world)
    assert chosen.settings["val_set_size"] == 0
    assert not [key for key in chosen.settings if "eval" in key]
    assert FIELD.read(chosen) == "none"
    assert errors_of(chosen) == errors_of(plan())
    assert FIELD.taken(chosen, "2 %", world) == plan(), "and it comes back with a share"
    assert FIELD.taken(chosen, "", world) == plan(), "nothing typed is what the preset says"


def test_nothing_to_evaluate_on_leaves_no_setting_that_axolotl_refuses(world: World) -> None:
    """axolotl refuses each of these with `val_set_size: 0`, or does nothing with it."""
    settings: dict[str, Any] = {
        "datasets": [{"path": "a/b", "type": "alpaca"}],
        "val_set_size": 0.1,
        "eval_steps": 10,
        "save_steps": 10,
        "eval_strategy": "steps",
        "early_stopping_patience": 3,
        "load_best_model_at_end": True,
        "metric_for_best_model": "eval_loss",
        "save_strategy": "best",
    }
    before = own(**settings)
    chosen = FIELD.taken(before, "none", world)
    keys = ("base_model", "datasets", "val_set_size", "save_steps")
    assert tuple(sorted(chosen.settings)) == tuple(sorted(keys))
    back = FIELD.taken(chosen, "10 %", world).settings
    assert {key: back[key] for key in settings if key != "save_strategy"} == {
        key: value for key, value in settings.items() if key != "save_strategy"
    }


def test_a_scheduler_that_goes_by_the_eval_loss_needs_one(world: World) -> None:
    before = own(val_set_size=0.1, eval_steps=5, lr_scheduler="reduce_lr_on_plateau")
    with pytest.raises(UsageError, match="goes by the eval loss"):
        FIELD.taken(before, "0", world)


def test_a_share_of_a_config_that_never_evaluates_is_evaluated(world: World) -> None:
    chosen = FIELD.taken(own(eval_strategy="no"), "5 %", world)
    assert chosen.settings["evals_per_epoch"] == 4
    assert "eval_strategy" not in chosen.settings, "axolotl refuses the two together"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("-5 %", "0 or more"),
        ("100 %", "none would be left"),
        ("1", "none would be left"),
        ("120 %", "below 100 %"),
        ("1.5", "below 1"),
        ("0.5 rows", "whole numbers"),
    ],
)
def test_what_is_no_share(world: World, typed: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        FIELD.taken(plan(), typed, world)
    assert "share" in caught.value.hint


def test_preferences_take_a_share_alone(world: World) -> None:
    with pytest.raises(UsageError, match="with rl: dpo axolotl takes a share alone"):
        FIELD.taken(plan("llama3-8b-dpo"), "200", world)
    assert FIELD.taken(plan("llama3-8b-dpo"), "5 %", world).settings["val_set_size"] == 0.05


def test_as_many_rows_as_there_are(world: World) -> None:
    with pytest.raises(UsageError, match="no row would be left") as caught:
        FIELD.taken(on_rows(world), "30", world)
    assert caught.value.why == "the dataset has 30 rows"
    assert FIELD.taken(on_rows(world), "29", world).settings["val_set_size"] == 29


class TestFile:
    def test_it_is_read_as_the_first_dataset_is(self, world: World, home: Path) -> None:
        chosen = FIELD.taken(on_rows(world), alpaca("held.jsonl", 3), world)
        path = str(home / "held.jsonl")
        assert chosen.settings["test_datasets"] == [
            {"path": path, "ds_type": "json", "split": "train", "type": "alpaca"}
        ]
        assert chosen.settings["val_set_size"] == 0, "axolotl refuses both"
        assert chosen.settings["evals_per_epoch"] == 4
        assert FIELD.read(chosen) == path
        assert errors_of(chosen) == errors_of(on_rows(world))
        assert FIELD.taken(chosen, "5 %", world).get("test_datasets") is None

    def test_the_keys_that_say_how_it_is_read_go_along(self, world: World, home: Path) -> None:
        entry = {
            "path": "a/b",
            "name": "main",
            "split": "train[:5%]",
            "type": "chat_template",
            "field_messages": "talk",
            "message_property_mappings": {"role": "from", "content": "value"},
        }
        turns = [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]
        Path("held.json").write_text(json.dumps([{"talk": turns}]))
        chosen = FIELD.taken(own(datasets=[entry]), "held.json", world)
        [made] = chosen.settings["test_datasets"]
        assert made == {
            "path": str(home / "held.json"),
            "ds_type": "json",
            "split": "train",
            "type": "chat_template",
            "field_messages": "talk",
            "message_property_mappings": {"role": "from", "content": "value"},
        }

    def test_what_is_not_there(self, world: World) -> None:
        with pytest.raises(DatasetError) as caught:
            FIELD.write(plan(), "nope.jsonl")
        error = caught.value
        assert (error.what, error.where) == ("there is no such file to hold out", "nope.jsonl")
        assert "the path of a file" in error.hint

    @pytest.mark.parametrize("link", [False, True])
    def test_what_is_trained_on(self, world: World, link: bool) -> None:
        before, typed = on_rows(world), "rows.jsonl"
        if link:
            typed = "other.jsonl"
            Path(typed).symlink_to("rows.jsonl")
        with pytest.raises(DatasetError, match="this is what is trained on") as caught:
            FIELD.taken(before, typed, world)
        assert "memory" in caught.value.why

    def test_a_file_of_the_folder_that_is_trained_on(self, world: World) -> None:
        Path("rows").mkdir()
        alpaca("rows/one.jsonl")
        before = step("data").apply(plan(), "rows", world)
        with pytest.raises(DatasetError, match="this is what is trained on"):
            FIELD.taken(before, "rows/one.jsonl", world)

    def test_broken_rows_are_told_with_their_line(self, world: World) -> None:
        alpaca("held.jsonl", 3)
        with Path("held.jsonl").open("a") as file:
            file.write("{broken\n" * 2)
        with pytest.raises(DatasetError) as caught:
            FIELD.taken(on_rows(world), "held.jsonl", world)
        assert caught.value.where.endswith("held.jsonl:4")
        assert "1 more like it" in caught.value.why

    def test_preferences(self, world: World) -> None:
        rows = [{"prompt": f"q {n}", "chosen": "a", "rejected": "b"} for n in range(8)]
        for file in ("rows.jsonl", "held.jsonl"):
            Path(file).write_text("\n".join(map(json.dumps, rows)))
        before = step("data").apply(plan("llama3-8b-dpo"), "rows.jsonl", world)
        [made] = FIELD.taken(before, "held.jsonl", world).settings["test_datasets"]
        [trained] = before.settings["datasets"]
        assert {**made, "path": ""} == {**trained, "path": "", "split": "train"}

    def test_rows_that_have_no_type(self, world: World) -> None:
        row = {"input_ids": [1, 2], "attention_mask": [1, 1], "labels": [1, 2]}
        for file in ("rows.jsonl", "held.jsonl"):
            Path(file).write_text(json.dumps(row))
        before = step("data").apply(plan(), "rows.jsonl", world)
        assert "type" not in before.settings["datasets"][0]
        [made] = FIELD.taken(before, "held.jsonl", world).settings["test_datasets"]
        assert "type" not in made
        Path("held.jsonl").write_text(json.dumps({"text": "a"}))
        with pytest.raises(DatasetError, match="trained on are tokenized"):
            FIELD.taken(before, "held.jsonl", world)

    def test_rows_of_another_type(self, world: World) -> None:
        turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
        Path("held.jsonl").write_text(json.dumps({"messages": turns}))
        with pytest.raises(
            DatasetError, match=r"chat_template, .* trained on are alpaca"
        ) as caught:
            FIELD.taken(on_rows(world), "held.jsonl", world)
        assert "--convert alpaca" in caught.value.hint

    def test_rows_of_another_type_that_nothing_writes_anew(self, world: World) -> None:
        kind = {"field_instruction": "subject", "field_output": "reply"}
        before = own(datasets=[{"path": "a/b", "type": kind}])
        with pytest.raises(DatasetError, match="trained on are columns of your own") as caught:
            FIELD.taken(before, alpaca("held.jsonl"), world)
        assert caught.value.hint == (
            "What it is read as: each row has subject, and reply to learn."
        )

    def test_it_goes_with_the_rows_that_it_belongs_to(self, world: World) -> None:
        before = FIELD.taken(on_rows(world), alpaca("held.jsonl"), world)
        other = step("data").apply(before, alpaca("others.jsonl"), world)
        assert FIELD.read(other) == "2 %", "as the preset does"
        assert FIELD.read(step("data").typing(before, "others.jsonl")) == "2 %"
        assert FIELD.read(step("data").typing(before, "rows.jsonl")) == FIELD.read(before)
        again = step("data").apply(before, "rows.jsonl", world)
        assert FIELD.read(again) == FIELD.read(before)
        back = step("data").apply(before, step("data").current(plan()), world)
        assert (back.get("test_datasets"), back.get("val_set_size")) == (None, 0.02)

    def test_without_a_share_in_the_config_nothing_is_held_out_of_other_rows(
        self, world: World
    ) -> None:
        tests = [{"path": "held.jsonl", "type": "alpaca"}]
        before = own(
            datasets=[{"path": "a/b", "type": "alpaca"}], test_datasets=tests, evals_per_epoch=2
        )
        assert FIELD.read(before) == "held.jsonl"
        other = step("data").apply(before, alpaca("rows.jsonl"), world)
        assert FIELD.read(other) == "none"
        assert "evals_per_epoch" not in other.settings
        back = step("data").apply(other, "a/b", world)
        assert back.settings == before.settings


@pytest.mark.parametrize("key", ["pretraining_dataset", "streaming"])
def test_of_rows_that_are_read_as_they_come_nothing_can_be_held_out(world: World, key: str) -> None:
    settings: dict[str, dict[str, Any]] = {
        "pretraining_dataset": {"pretraining_dataset": "a/b"},
        "streaming": {"streaming": True, "datasets": [{"path": "a/b", "type": "alpaca"}]},
    }
    before = own(max_steps=10, **settings[key])
    assert FIELD.read(before) == ""
    with pytest.raises(UsageError, match="nothing can be held out"):
        FIELD.taken(before, "5 %", world)


def test_where_a_cpu_leaves_it_out_that_is_said(world: World) -> None:
    before = dataclasses.replace(plan("llama3-8b-qlora"), gpus=0)
    told = step("data").explain(before, step("data").current(before), world)
    assert "On a CPU nothing is held out" in told
    assert build(before)["val_set_size"] == 0
    with_gpu = dataclasses.replace(before, gpus=1)
    assert "On a CPU" not in step("data").explain(with_gpu, step("data").current(before), world)


class TestFlag:
    def test_the_flag_writes_what_the_step_writes(self, world: World) -> None:
        alpaca("held.jsonl", 3)
        for typed in ("5 %", "none", "200", "held.jsonl", ""):
            flags = plan_from_flags(
                world,
                preset="llama3-8b-lora",
                config=None,
                data=alpaca("rows.jsonl", 300),
                held_out=typed,
            )
            walked = FIELD.taken(step("data").apply(plan(), "rows.jsonl", world), typed, world)
            assert config_text(flags) == config_text(walked)

    def test_it_refuses_what_the_step_refuses(self, world: World) -> None:
        with pytest.raises(FtuiError, match="below 100 %"):
            plan_from_flags(world, preset="llama3-8b-lora", config=None, held_out="120 %")
