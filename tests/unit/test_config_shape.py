"""No misspelt, misplaced or mistyped setting passes in silence."""

from __future__ import annotations

import time

import pytest

from ftui.config import shape
from ftui.config.rules.rule import Finding
from ftui.config.schema import NEWEST, VERSIONS
from ftui.plan.yaml_source import read

GOOD = "base_model: some/model\nlearning_rate: 0.0002\n"
REQUIRED = {("base_model",), ("learning_rate",)}


def check(text: str, version: str = NEWEST) -> list[Finding]:
    return shape.check(read(text).data, version)


def only(text: str) -> Finding:
    [finding] = check(GOOD + text)
    assert finding.severity == "error"
    return finding


@pytest.mark.parametrize(
    ("text", "path", "line", "hint"),
    [
        ("micro_batch_sise: 1\n", "micro_batch_sise", 3, "did you mean micro_batch_size?"),
        ("lora_rank: 8\n", "lora_rank", 3, "did you mean lora_r?"),
        (
            "datasets:\n  - path: a\n    tpye: alpaca\n",
            "datasets.0.tpye",
            5,
            "did you mean type?",
        ),
        (
            "datasets:\n  - path: a\n    type: {feild_input: x}\n",
            "datasets.0.type.feild_input",
            5,
            "did you mean field_input?",
        ),
        (
            "fsdp_config:\n  offload_param: true\n",
            "fsdp_config.offload_param",
            4,
            "did you mean offload_params?",
        ),
        (
            "special_tokens: {pad_tokn: x}\n",
            "special_tokens.pad_tokn",
            3,
            "did you mean pad_token?",
        ),
        (
            "liger_rope: true\n",
            "liger_rope",
            3,
            "it counts only with `plugins: [axolotl.integrations.liger.LigerPlugin]`",
        ),
        ("qqqqqqqqqqq: 1\n", "qqqqqqqqqqq", 3, ""),
        ("3: 1\n", "3", 3, ""),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest_one(
    text: str, path: str, line: int, hint: str
) -> None:
    finding = only(text)
    assert (".".join(finding.place), finding.hint) == (path, hint)
    assert read(GOOD + text).line(finding.place) == line
    assert "does not know" in finding.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lora_r: two\n", "should be a whole number, not 'two'"),
        ("lora_r: 2.5\n", "should be a whole number, not 2.5"),
        ("lora_dropout: lots\n", "should be a number, not 'lots'"),
        ("load_in_4bit: maybe\n", "should be true or false, not 'maybe'"),
        ("load_in_4bit: 2\n", "should be true or false, not 2"),
        ("optimizer: 3\n", "should be text"),
        ("datasets: a.jsonl\n", "should be a list, not 'a.jsonl'"),
        ("datasets: [a.jsonl]\n", "should be a mapping, not 'a.jsonl'"),
        ("fsdp_config: [x]\n", "should be a mapping, not a list"),
        ("rl: dpoo\n", "should be one of dpo, "),
        ("adapter: [lora]\n", "should be text, not a list"),
        ("gradient_checkpointing: x\n", "should be one of offload, offload_disk, true, false, not"),
        ("num_epochs:\n", "should be a number, but it has no value"),
    ],
)
def test_a_wrong_type_is_told_in_plain_words(text: str, message: str) -> None:
    assert message in only(text).message


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("micro_batch_size: 1e3\n", "YAML reads 1e3 as text: write 1000"),
        ("special_tokens: {eos: x}\n", "did you mean eos_token?"),
        ("plugins: a.b\n", "for example `plugins: [a.b]`"),
        ("datasets: foo/bar\n", "for example `datasets: [{path: foo/bar, type: alpaca}]`"),
        ("gradient_checkpointing: offlod\n", "did you mean offload?"),
    ],
)
def test_a_wrong_value_gets_a_right_one(text: str, hint: str) -> None:
    assert only(text).hint == hint


def test_a_long_value_is_not_repeated() -> None:
    assert "should be a whole number, not this" in only(f"lora_r: {'x' * 100}\n").message
    inside = ", ".join(f"key_{number}: 1" for number in range(100))
    assert only(f"optimizer: {{{inside}}}\n").message.endswith(", not a mapping")


def test_any_number_of_unknown_keys_is_told_in_a_moment() -> None:
    config = {f"key_{number}": 1 for number in range(20_000)}
    began = time.process_time()
    assert len(shape.check(config, NEWEST)) == len(config) + len(REQUIRED)
    assert time.process_time() - began < 5


def test_a_misspelt_choice_gets_the_nearest_one() -> None:
    assert only("chat_template: lama3\n").hint == "did you mean llama3?"


@pytest.mark.parametrize(
    "text",
    [
        "lora_r: '8'\n",
        "lora_r: 8.0\n",
        "lora_r:\n",
        "weight_decay: 1e-4\n",
        "load_in_4bit: 'yes'\n",
        "load_in_4bit: 1\n",
        "bf16: auto\n",
        "deepspeed: {zero_optimization: {stage: 3}}\n",
        "chat_template: tokenizer_default_fallback_chatml\n",
        "lora_target_modules: 'q_proj|v_proj'\n",
        "model_type: x\ntokenizer_type: y\n",
        "type_of_model: x\n",
        "plugins: [axolotl.integrations.liger.LigerPlugin]\nliger_rope: true\n",
        "datasets: [{path: a, type: {field_instruction: q, format: '{instruction}'}}]\n",
    ],
)
def test_what_axolotl_takes_is_taken(text: str) -> None:
    assert check(GOOD + text) == []


def test_what_axolotl_must_have_is_missed() -> None:
    missed = {finding.place for finding in check("lora_r: 8\n")}
    assert missed == REQUIRED


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (
            "datasets: [{path: a, lora_r: 8}]\n",
            "lora_r belongs to the top level, not into datasets",
        ),
        ("fsdp_config: {learning_rate: 1}\n", "belongs to the top level, not into fsdp_config"),
        ("field_messages: turns\n", "field_messages belongs into datasets"),
        ("offload_params: true\n", "offload_params belongs into fsdp_config"),
        ("pad_token: x\n", "pad_token belongs into special_tokens"),
    ],
)
def test_a_key_in_the_wrong_mapping_is_told_where_it_belongs(text: str, hint: str) -> None:
    assert hint in only(text).hint


@pytest.mark.parametrize("key", ["lora_r", "learning_rate", "micro_batch_size", "val_set_size"])
def test_a_truth_value_is_no_number(key: str) -> None:
    [finding] = check(
        f"base_model: m\n{key}: true\n" + "learning_rate: 1\n" * (key != "learning_rate")
    )
    assert finding.place == (key,)
    assert "not true" in finding.message


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_is_judged_by_its_own_schema(version: str) -> None:
    found = check(GOOD + "diffusion_lm: {}\n", version)
    assert bool(found) is (version == "0.19.0"), "0.21 knows diffusion_lm, 0.19 does not"
