"""What the machine cannot do is told before the run, and nothing where nobody knows the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftui.config.build import build
from ftui.config.lint import check
from ftui.config.render import render
from ftui.config.rules.silent.hardware import RULES
from ftui.plan.gpus import parse
from ftui.plan.hardware import Gpu, Hardware
from ftui.plan.plan import Preset
from ftui.plan.presets import catalogue
from ftui.plan.steps import begin
from tests.unit.rules import findings

BF16 = "bf16: true\n"


@pytest.mark.parametrize(
    ("wrong", "machine", "fine_on"),
    [
        ("bf16: true", "cpu", "a100"),
        ("bf16: true", "t4", "rtx 3060"),
        ("bf16: full", "v100", "h100"),
        ("bfloat16: true", "t4", "a10"),
        ("bf16: auto", "cpu", "a100"),
        ("bf16: auto", "t4", "a100"),
        ("tf32: true", "2080 ti", "3090"),
        ("tf32: true", "cpu", "a40"),
        ("fp8: true", "a100", "h100"),
        ("fp8: true", "l40s", "b200"),
        ("fp16: true", "cpu", "t4"),
        ("attn_implementation: flash_attention_2", "cpu", "a100"),
        ("attn_implementation: flash_attention_2", "t4", "a10g"),
        ("flash_attention: true", "v100", "4090"),
        ("attn_implementation: flash_attention_3", "2080 ti", "h200"),
        ("attn_implementation: flash_attention_4", "a100", "h100"),
        ("attn_implementation: flex_attention", "cpu", "a100"),
        ("attn_implementation: xformers", "cpu", "t4"),
        ("attn_implementation: sage", "v100", "a100"),
        ("attn_implementation: sage", "b200", "5090"),
        ("attn_implementation: fp8", "l4", "h100"),
        ("attn_implementation: kernels-community/flash-attn3", "cpu", "h100"),
        ("lora_mlp_kernel: true", "cpu", "t4"),
        ("tensor_parallel_size: 2", "h100", "h100:2"),
        ("tensor_parallel_size: 2", "h100:3", "h100:4"),
        ("dp_shard_size: 8", "h100:4", "h100:8"),
        ("fsdp_config: {reshard_after_forward: true}", "h100", "h100:2"),
        ("deepspeed: zero3.json", "a100", "a100:2"),
        ("deepspeed: zero3.json", "none", "a100:8"),
    ],
)
def test_what_a_machine_cannot_do_is_told_for_it_alone(
    wrong: str, machine: str, fine_on: str
) -> None:
    key = wrong.partition(":")[0]
    start = "base_model: m\n" + ("" if key in ("bf16", "bfloat16", "fp16") else "bf16: false\n")
    text = start + wrong
    said = findings(RULES, text, gpus=parse(machine))
    said = [each for each in said if each.path == key]
    assert [(each.path, each.line) for each in said] == [(key, text.count("\n") + 1)]
    assert findings(RULES, text, gpus=parse(fine_on)) == []
    assert findings(RULES, text, gpus=None) == []


def test_the_weakest_gpu_decides() -> None:
    [said] = findings(RULES, BF16, gpus=(*parse("a100:3"), *parse("t4")))
    assert "T4 (sm_75)" in said.message
    assert findings(RULES, BF16, gpus=(*parse("a100"), *parse("h100"))) == []


def test_a_gpu_whose_driver_tells_nothing_is_no_old_one() -> None:
    unknown = Gpu("NVIDIA X", 24, "")
    text = f"{BF16}attn_implementation: flash_attention_2\ntf32: true\n"
    assert findings(RULES, text, gpus=(unknown,)) == []


LORA = "bf16: false\nadapter: lora\n"
ONE_OFF = f"{LORA}lora_mlp_kernel: false\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (LORA, ["adapter"]),
        (ONE_OFF, []),  # axolotl then leaves all four alone
        (f"{LORA}lora_o_kernel: true\n", ["lora_o_kernel"]),
        (f"{LORA}load_in_8bit: true\n", []),
        (f"{LORA}rl: dpo\n", []),
        (f"{LORA}trust_remote_code: true\n", []),
        ("bf16: false\n", []),
    ],
)
def test_the_lora_kernels_that_axolotl_turns_on_by_itself_are_told_on_a_cpu(
    text: str, told: list[str]
) -> None:
    assert [each.path for each in findings(RULES, text, gpus=())] == told
    assert findings(RULES, text, gpus=parse("t4")) == []


def test_the_kernels_can_be_turned_off_in_one_go() -> None:
    issues = check(f"base_model: m\nlearning_rate: 0.1\n{LORA}", gpus=())
    [issue] = [each for each in issues if "faster LoRA code" in each.message]
    assert len(issue.edits) == 4


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sample_packing: true", ["sample_packing"]),
        (
            "sample_packing: true\nattn_implementation: kernels-community/vllm-flash-attn3",
            ["sample_packing"],
        ),
        ("sample_packing: true\nattn_implementation: kernels-community/flash-attn3@v1", []),
        ("sample_packing: true\nattn_implementation: flash_attention_2", []),
        ("sample_packing: true\nattn_implementation: sdpa", []),
        ("sample_packing: true\nsdp_attention: true", []),
        ("sample_packing: false", []),
    ],
)
def test_packing_needs_an_attention_that_keeps_rows_apart(text: str, told: list[str]) -> None:
    assert [each.path for each in findings(RULES, text)] == told


def test_packing_with_sdpa_in_bf16_is_a_warning_before_hopper() -> None:
    text = f"{BF16}sample_packing: true\nattn_implementation: sdpa\n"
    [said] = findings(RULES, text, gpus=parse("a100"))
    assert (said.severity, said.path, said.line) == ("warning", "sample_packing", 2)
    assert findings(RULES, text, gpus=parse("h100")) == []
    assert findings(RULES, text.replace("true\ns", "false\ns", 1), gpus=parse("a100")) == []


def test_evaluating_four_bits_on_a_cpu_is_a_warning() -> None:
    text = f"{ONE_OFF}load_in_4bit: true\nval_set_size: 0.1\n"
    [said] = findings(RULES, text, gpus=())
    assert (said.severity, said.path, said.line) == ("warning", "val_set_size", 5)
    assert findings(RULES, text, gpus=parse("t4")) == []
    assert findings(RULES, text.replace("0.1", "0"), gpus=()) == []


@pytest.mark.parametrize("preset", catalogue().presets, ids=lambda preset: preset.name)
def test_a_built_in_preset_is_fit_for_the_machine_that_it_asks_for(
    preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path))
    gpu = Gpu("NVIDIA A10", preset.needs.gpu_memory_gib, "sm_86")
    machine = Hardware(cores=2, memory_gib=64.0, gpus=(gpu,) * preset.needs.gpus)
    text = render(build(begin(preset, machine)))
    for version in ("0.19.0", "0.21.0"):
        issues = check(text, axolotl=version, gpus=machine.gpus, folder=Path("/"))
        assert [issue.message for issue in issues] == []
