"""The wizard's questions: whatever is answered, in whatever order, the config stays valid."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftui.config.build import build
from ftui.config.issue import Issue
from ftui.config.lint import check
from ftui.config.render import render
from ftui.errors import DatasetError, FtuiError, PresetError, UsageError
from ftui.plan.hardware import Gpu, Hardware
from ftui.plan.models import known_models
from ftui.plan.plan import Plan, start
from ftui.plan.presets import catalogue, find
from ftui.plan.steps import STEPS, Field, TargetChoice, World, begin, step

CPU = Hardware(cores=2, memory_gib=8.0)
GPU = Hardware(cores=8, memory_gib=64.0, gpus=(Gpu("NVIDIA A10", 22.5, "sm_86"),))
PRESETS = catalogue().presets
NAMES = [preset.name for preset in PRESETS]
TARGETS = (
    TargetChoice("local", "This machine", CPU.words),
    TargetChoice("cloud", "Cloud", "8 GPUs"),
)
WORLD = World(CPU, PRESETS, known_models(), TARGETS)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan(name: str = "llama3-8b-qlora") -> Plan:
    [preset] = [preset for preset in PRESETS if preset.name == name]
    return begin(preset, CPU)


def field(step_id: str, field_id: str) -> Field:
    [found] = [item for item in step(step_id).fields if item.id == field_id]
    return found


def text(plan: Plan) -> str:
    return render(build(plan))


def errors(config: str) -> list[Issue]:
    """What would not run as it says; a note on what is unusual may be in place."""
    return [issue for issue in check(config) if issue.severity == "error"]


@pytest.mark.parametrize("name", NAMES)
def test_enter_enter_enter_gives_the_preset_itself(name: str) -> None:
    answered = plan(name)
    for each in STEPS:
        assert each.current(answered) in [item.value for item in each.options(answered, WORLD)]
        answered = each.apply(answered, each.current(answered), WORLD)
        for item in each.fields:
            answered = item.write(answered, item.read(answered))
    assert answered == plan(name)
    assert text(answered) == text(plan(name))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_way_through_the_wizard_ends_in_a_valid_config(data: st.DataObject) -> None:
    answered = plan(data.draw(st.sampled_from(NAMES)))
    for each in data.draw(st.lists(st.sampled_from(STEPS), max_size=8)):
        options = each.options(answered, WORLD)
        answer = data.draw(st.sampled_from(options)).value
        assert each.explain(answered, answer, WORLD)
        answered = each.apply(answered, answer, WORLD)
        assert each.current(answered) == answer
        assert each.summary(answered)
    assert errors(text(answered)) == []


@pytest.mark.parametrize(
    "name",
    [
        "nano-sql-lora",
        "llama3-8b-full-zero3",
        "llama3-8b-qlora-fsdp",
        "gemma3-4b-qlora",
        "gpt-oss-20b-lora",
    ],
)
def test_every_model_goes_with_every_method(name: str) -> None:
    model, method, wrong = step("model"), step("method"), []
    for base in model.options(plan(name), WORLD):
        chosen = model.apply(plan(name), base.value, WORLD)
        for way in method.options(chosen, WORLD):
            found = errors(text(method.apply(chosen, way.value, WORLD)))
            wrong += [(base.value, way.value, issue) for issue in found]
    assert wrong == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(NAMES), st.text() | st.integers().map(str))
def test_any_typed_text_is_an_answer_or_an_error_for_people(name: str, typed: str) -> None:
    for each in STEPS:
        with contextlib.suppress(FtuiError):
            each.apply(plan(name), typed, WORLD)
        for item in each.fields:
            with contextlib.suppress(FtuiError):
                assert errors(text(item.taken(plan(name), typed, WORLD))) == []


@pytest.mark.parametrize(("there", "value"), [("method", "full"), ("model", "Qwen/Qwen3-8B")])
@pytest.mark.parametrize("name", NAMES)
def test_going_somewhere_and_back_changes_nothing(name: str, there: str, value: str) -> None:
    if plan(name).settings["base_model"] == "builtin:nano" and there == "model":
        value = "HuggingFaceTB/SmolLM2-135M-Instruct"
    each, before = step(there), plan(name)
    back = each.apply(each.apply(before, value, WORLD), each.current(before), WORLD)
    assert text(back) == text(before)


class TestPreset:
    def test_another_preset_starts_over_on_the_same_target(self) -> None:
        changed = field("method", "lora_r").write(plan(), "64")
        moved = step("hardware").apply(changed, "cloud", WORLD)
        other = step("preset").apply(moved, "qwen3-0.6b-lora", WORLD)
        assert other == dataclasses.replace(plan("qwen3-0.6b-lora"), target="cloud")

    def test_the_same_preset_keeps_what_was_changed(self) -> None:
        changed = field("method", "lora_r").write(plan(), "64")
        assert step("preset").apply(changed, changed.preset.name, WORLD) == changed

    def test_says_what_this_machine_lacks(self) -> None:
        warnings = {o.value: o.warning for o in step("preset").options(plan(), WORLD)}
        assert warnings["nano-sql-lora"] == ""
        assert warnings["llama3-8b-qlora"] == "needs a GPU with 16 GiB; this machine has no GPU"
        world = dataclasses.replace(WORLD, hardware=GPU)
        warnings = {o.value: o.warning for o in step("preset").options(plan(), world)}
        assert warnings["llama3-8b-lora"] == ""  # a card sold as 24 GB shows 22.5 GiB
        assert warnings["llama3-8b-qlora-fsdp"] == (
            "needs 2 GPUs with 24 GiB each; this machine has NVIDIA A10 22 GiB"
        )

    def test_uses_a_gpu_where_there_is_one(self) -> None:
        [nano] = [preset for preset in PRESETS if preset.name == "nano-sql-lora"]
        assert (begin(nano, CPU).gpus, begin(nano, GPU).gpus) == (0, 1)

    def test_an_unknown_one(self) -> None:
        with pytest.raises(PresetError):
            step("preset").apply(plan(), "nope", WORLD)


class TestModel:
    def test_a_hub_id_or_a_folder_may_be_typed(self, home: Path) -> None:
        (home / "my model").mkdir()
        for typed in ("someone/some-model", "my model"):
            chosen = step("model").apply(plan(), typed, WORLD)
            assert chosen.settings["base_model"] == typed
            assert chosen.settings["chat_template"] == "tokenizer_default"
            assert "special_tokens" not in chosen.settings

    def test_what_belongs_to_a_model_changes_with_it(self) -> None:
        chosen = step("model").apply(plan("llama3-8b-qlora-fsdp"), "Qwen/Qwen3-8B", WORLD)
        assert chosen.settings["chat_template"] == "qwen3"
        assert chosen.get("fsdp_config.transformer_layer_cls_to_wrap") == "Qwen3DecoderLayer"
        assert "special_tokens" not in chosen.settings

    def test_neither_hub_id_nor_folder(self) -> None:
        with pytest.raises(UsageError) as caught:
            step("model").apply(plan(), "Qwen3-0.6B", WORLD)
        assert "Qwen/Qwen3-0.6B" in caught.value.hint

    def test_a_gated_model_says_so(self) -> None:
        options = {item.value: item for item in step("model").options(plan(), WORLD)}
        assert "login" in options["google/gemma-3-1b-it"].warning
        assert next(iter(options)) == plan().settings["base_model"]


class TestData:
    def test_the_format_of_a_file_is_found(self, home: Path) -> None:
        (home / "rows.jsonl").write_text(json.dumps({"instruction": "a", "output": "b"}))
        chosen = step("data").apply(plan(), "rows.jsonl", WORLD)
        path = str(home / "rows.jsonl")
        assert chosen.settings["datasets"] == [{"path": path, "ds_type": "json", "type": "alpaca"}]
        assert step("data").summary(chosen) == "rows.jsonl"
        assert "instruction" in step("data").explain(chosen, path, WORLD)
        assert [item.value for item in step("data").options(chosen, WORLD)][1] == path
        assert errors(text(chosen)) == []

    def test_conversations_get_a_chat_template(self, home: Path) -> None:
        turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
        (home / "rows.jsonl").write_text(json.dumps({"messages": turns}))
        chosen = step("data").apply(plan("codellama-7b-sql-lora"), "rows.jsonl", WORLD)
        assert chosen.settings["chat_template"] == "tokenizer_default"

    @pytest.mark.parametrize("typed", ["nope.jsonl", "~nobody-here/x", "x" * 5000, "\0", ""])
    def test_a_file_that_is_not_there(self, typed: str) -> None:
        with pytest.raises(DatasetError):
            step("data").apply(plan(), typed, WORLD)


class TestMethod:
    def test_each_method_is_what_axolotl_calls_it(self) -> None:
        lora = step("method").apply(plan(), "lora", WORLD).settings
        assert (lora["adapter"], "load_in_4bit" in lora) == ("lora", False)
        full = step("method").apply(plan(), "full", WORLD).settings
        assert not [key for key in full if "lora" in key or key in ("adapter", "load_in_4bit")]
        assert full["learning_rate"] == 2e-5
        qlora = step("method").apply(plan("llama3-8b-lora"), "qlora", WORLD).settings
        assert (qlora["adapter"], qlora["load_in_4bit"]) == ("qlora", True)

    def test_an_adapter_keeps_its_numbers_between_lora_and_qlora(self) -> None:
        changed = field("method", "lora_r").write(plan(), "64")
        changed = field("method", "learning_rate").write(changed, "1e-4")
        other = step("method").apply(changed, "lora", WORLD)
        assert (other.settings["lora_r"], other.settings["learning_rate"]) == (64, 1e-4)

    def test_a_preset_without_adapter_gets_a_common_one(self) -> None:
        [preset] = [preset for preset in PRESETS if preset.name == "llama3-8b-lora"]
        settings = {key: preset.settings[key] for key in ("base_model", "datasets")}
        full = start(dataclasses.replace(preset, settings={**settings, "learning_rate": 1e-5}))
        lora = step("method").apply(full, "lora", WORLD)
        assert (lora.settings["lora_r"], lora.settings["learning_rate"]) == (16, 2e-4)
        assert errors(text(lora)) == []

    @pytest.mark.parametrize(
        ("id", "typed", "value"),
        [
            ("lora_r", "8", 8),
            ("sequence_len", "4,096", 4096),
            ("learning_rate", "2e-5", 2e-5),
            ("lora_dropout", "0", 0.0),
            ("num_epochs", "0.5", 0.5),
            ("micro_batch_size", " 4 ", 4),
        ],
    )
    def test_numbers(self, id: str, typed: str, value: float) -> None:
        assert field("method", id).write(plan(), typed).settings[id] == value

    @pytest.mark.parametrize(
        ("id", "typed"),
        [
            *(("lora_r", typed) for typed in ("0", "-1", "1.5", "", "²")),
            *(("learning_rate", typed) for typed in ("0", "nan", "inf", "x")),
            *(("lora_dropout", typed) for typed in ("1", "-0.1")),
        ],
    )
    def test_no_numbers(self, id: str, typed: str) -> None:
        with pytest.raises(UsageError):
            field("method", id).write(plan(), typed)

    def test_a_full_fine_tune_has_no_rank(self) -> None:
        full = step("method").apply(plan(), "full", WORLD)
        assert field("method", "lora_r").read(full) == ""
        with pytest.raises(UsageError, match="belongs to an adapter"):
            field("method", "lora_r").write(full, "8")

    def test_no_second_quantization_of_a_model_that_comes_in_4_bits(self) -> None:
        preset = plan("gpt-oss-20b-lora")
        assert [option.value for option in step("method").options(preset, WORLD)] == [
            "lora",
            "full",
        ]
        with pytest.raises(UsageError, match="already are in 4 bits"):
            step("method").apply(preset, "qlora", WORLD)

    def test_qlora_becomes_lora_on_a_model_that_comes_in_4_bits(self) -> None:
        chosen = step("model").apply(plan("llama3-8b-qlora-fsdp"), "openai/gpt-oss-20b", WORLD)
        assert (chosen.get("adapter"), chosen.get("load_in_4bit")) == ("lora", None)
        assert chosen.get("model_quantization_config") == "Mxfp4Config"
        assert chosen.get("attn_implementation") == "eager"
        assert "LoRA, not with QLoRA" in step("model").explain(chosen, "openai/gpt-oss-20b", WORLD)
        llama = step("model").apply(chosen, "Qwen/Qwen3-8B", WORLD)
        assert llama.get("attn_implementation") == "sdpa"

    def test_an_unknown_method(self) -> None:
        with pytest.raises(UsageError):
            step("method").apply(plan(), "magic", WORLD)


class TestHardware:
    def test_target_and_gpus(self) -> None:
        chosen = step("hardware").apply(plan(), "cloud", WORLD)
        chosen = field("hardware", "gpus").write(chosen, "4")
        assert (chosen.target, chosen.gpus) == ("cloud", 4)
        assert step("hardware").summary(chosen) == "cloud, 4 GPUs"
        assert chosen.settings == plan().settings

    @pytest.mark.parametrize("typed", ["-1", "two", "65", "", "1.5", "²"])
    def test_no_number_of_gpus(self, typed: str) -> None:
        with pytest.raises(UsageError):
            field("hardware", "gpus").write(plan(), typed)

    def test_an_unknown_target(self) -> None:
        with pytest.raises(UsageError, match="no target 'moon'"):
            step("hardware").apply(plan(), "moon", WORLD)


@pytest.mark.parametrize(
    ("typed", "told", "keys"),
    [
        ("fsdp2", "FSDP2", {"fsdp_version", "fsdp_config"}),
        ("FSDP", "FSDP2", {"fsdp_version", "fsdp_config"}),
        ("zero-2", "ZeRO-2", {"deepspeed"}),
        ("DeepSpeed ZeRO 3", "ZeRO-3", {"deepspeed"}),
        ("ddp", "DDP", set()),
    ],
)
def test_several_gpus_share_the_work_as_it_is_said(typed: str, told: str, keys: set[str]) -> None:
    [shared] = [item for item in step("hardware").fields if item.id == "sharing"]
    alone = dataclasses.replace(begin(find("llama3-8b-qlora"), GPU), gpus=1)
    assert shared.read(alone) == "", "one GPU shares nothing"
    several = dataclasses.replace(alone, gpus=4)
    assert shared.read(several) == "DDP"
    written = shared.write(several, typed)
    assert shared.read(written) == told
    assert {key for key in ("fsdp_version", "fsdp_config", "deepspeed") if written.get(key)} == keys
    assert "paged" not in str(written.get("optimizer")) or told != "FSDP2"
    back = shared.write(written, "ddp")
    assert not any(back.get(key) for key in ("fsdp_version", "fsdp_config", "deepspeed"))
    with pytest.raises(UsageError, match="like that"):
        shared.write(several, "magic")
