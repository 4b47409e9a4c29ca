"""A name that axolotl would look up in vain is told before the run, with the nearest real one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftui.config import schema
from ftui.config.rules.silent import dataset_types, names
from tests.unit.rules import findings

RULES = (*names.RULES, *dataset_types.RULES)


@pytest.mark.parametrize(
    ("wrong", "hint", "right"),
    [
        ("optimizer: adamwx", "did you mean adamw_torch?", "optimizer: adamw_torch"),
        ("optimizer: adamw_torch_fuse", "did you mean adamw_torch_fused?", "optimizer: muon"),
        ("optimizer: adamw_hf", "did you mean adamw_", "optimizer: adamw_bnb_8bit"),
        ("lr_scheduler: cosin", "did you mean cosine?", "lr_scheduler: cosine"),
        ("lr_scheduler: onecycle", "did you mean one_cycle?", "lr_scheduler: rex"),
        ("save_strategy: step", "did you mean steps?", "save_strategy: best"),
        ("save_strategy: no", '"no"', "save_strategy: 'no'"),
        ("eval_strategy: best", "steps", "eval_strategy: epoch"),
        ("hub_strategy: every-save", "did you mean every_save?", "hub_strategy: end"),
        ("trl:\n  loss_type: grop", "did you mean grpo?", "trl: {loss_type: dapo}"),
        ("dpo_loss_type: [sigmod]", "did you mean sigmoid?", "dpo_loss_type: [sigmoid, ipo]"),
        (
            "chat_template: tokenizer_default_fallback_chatmll",
            "did you mean chatml?",
            "chat_template: tokenizer_default_fallback_chatml",
        ),
        ("datasets: [{path: a, type: x, ds_type: jsonl}]", "write json", "datasets:"),
        ("model_type: llama", "AutoModelForCausalLM", "model_type: LlamaForCausalLM"),
        ("tokenizer_type: auto", "AutoTokenizer", "tokenizer_type: AutoTokenizer"),
    ],
)
def test_a_name_that_nothing_has_is_told(wrong: str, hint: str, right: str) -> None:
    key = wrong.partition(":")[0]
    said = findings(names.RULES, "base_model: m\n" + wrong)
    assert [(each.path.partition(".")[0], each.line >= 2) for each in said] == [(key, True)]
    assert hint in said[0].hint
    assert findings(names.RULES, "base_model: m\n" + right) == []


def _rows(kind: str, training: str = "") -> str:
    return f"{training}\ndatasets:\n  - path: a\n    type: {kind}\n"


SFT, DPO, KTO, ORPO = "", "rl: dpo", "rl: kto", "rl: orpo"


@pytest.mark.parametrize(
    ("kind", "training"),
    [
        *((name, SFT) for name in ("alpaca", "chat_template", "completion", "input_output")),
        *((name, SFT) for name in ("alpaca:chat", "alpaca_chat.load_qa", "context_qa.load_v2")),
        *((name, SFT) for name in ("pygmalion", "messages", "{field_instruction: q}", "")),
        *((name, DPO) for name in ("chat_template.default", "chatml", "llama3.ultra")),
        *((name, DPO) for name in ("zephyr.nectar", "{field_prompt: q}", "passthrough")),
        *((name, KTO) for name in ("chatml.argilla", "{field_prompt: q}")),
        ("chat_template.argilla", ORPO),
        ("chatml.intel", "rl: ipo"),
        ("bradley_terry.chat_template", "reward_model: true"),
        ("stepwise_supervised", "process_reward_model: true"),
        ("ebft_pretrain.transform", "rl: ebft"),
        ("whatever", "rl: dpoo"),  # the schema tells
        ("sharegpt.load_role", SFT),  # another rule tells
    ],
)
def test_a_type_that_axolotl_has_is_left_alone(kind: str, training: str) -> None:
    assert findings(RULES, _rows(kind, training)) == []


@pytest.mark.parametrize(
    ("kind", "training", "hint"),
    [
        ("alpacca", SFT, "did you mean alpaca?"),
        ("chat-template", SFT, "did you mean chat_template?"),
        ("alpaca_chat.load_qq", SFT, "did you mean alpaca_chat.load_qa?"),
        ("alpaca:poem", SFT, "alpaca:"),
        ("context_qa:load_v2", SFT, "did you mean context_qa.load_v2?"),
        ("chatml.intel", SFT, "there is "),
        ("chat_template.default", SFT, "did you mean chat_template?"),
        ("bradley_terry.chat_template", SFT, "did you mean"),
        ("alpaca", DPO, "there is "),
        ("completion", KTO, "there is "),
        ("chat_template", ORPO, "did you mean chat_template.argilla?"),
        ("chatml", KTO, "did you mean chatml."),
        ("chatml.intle", DPO, "did you mean chatml.intel?"),
        ("{field_prompt: q}", ORPO, "chat_template.argilla"),
        ("alpaca", "reward_model: true", "bradley_terry.chat_template"),
        ("my.module.load_rows", SFT, ""),
    ],
)
def test_a_type_of_nothing_or_of_another_training_is_an_error(
    kind: str, training: str, hint: str
) -> None:
    [said] = findings(RULES, _rows(kind, training))
    assert (said.severity, said.path, said.line) == ("error", "datasets.0.type", 4)
    assert hint in said.hint


@pytest.mark.parametrize(
    ("kind", "training"),
    [("my.module", SFT), ("rewards.to_prompt", "rl: grpo"), ("mine.rows", DPO)],
)
def test_a_module_of_ones_own_is_a_warning(kind: str, training: str) -> None:
    [said] = findings(RULES, _rows(kind, training))
    assert (said.severity, said.path) == ("warning", "datasets.0.type")
    assert "of yours" in said.message


def test_test_datasets_are_looked_at_too() -> None:
    [said] = findings(RULES, "test_datasets: [{path: a, type: alpacca}]")
    assert said.path == "test_datasets.0.type"


def test_a_dataset_without_a_type_is_a_warning_unless_it_is_left_empty_on_purpose() -> None:
    [said] = findings(RULES, "datasets:\n  - path: a\n")
    assert (said.severity, said.path, said.line) == ("warning", "datasets.0", 2)
    for fine in ("rl: dpo\ndatasets: [{path: a}]", "datasets: [{path: a, type: null}]"):
        assert findings(RULES, fine) == []


def test_mappings_the_wrong_way_round_are_told() -> None:
    start = "datasets:\n  - path: a\n    type: chat_template\n"
    [said] = findings(
        RULES, f"{start}    message_property_mappings: {{from: role, value: content}}"
    )
    assert (said.severity, said.line, said.hint) == (
        "error",
        4,
        "write {role: from, content: value}",
    )
    [said] = findings(RULES, f"{start}    roles: {{human: [user], assistant: [gpt]}}")
    assert (said.severity, said.path) == ("warning", "datasets.0.roles.human")
    right = (
        "    message_property_mappings: {role: from, content: value}\n    roles: {user: [human]}"
    )
    assert findings(RULES, start + right) == []


def test_an_older_axolotl_knows_fewer() -> None:
    assert findings(RULES, "optimizer: muon_8bit") == []
    [said] = findings(RULES, "optimizer: muon_8bit", axolotl="0.19.0")
    assert said.path == "optimizer"


def test_there_are_names_for_every_version() -> None:
    for version in schema.VERSIONS:
        file = Path(schema.__file__).parent / f"names-{version}.json"
        kinds = json.loads(file.read_text(encoding="utf-8"))["dataset_types"]
        assert set(kinds) == {"sft", "reward", "process_reward", "dpo", "kto", "orpo", "ebft"}


def test_a_pattern_stands_alone_and_not_in_a_list() -> None:
    pattern = r"model.layers.*\.(q|v)_proj"
    [said] = findings(RULES, f"lora_target_modules: [q_proj, '{pattern}']")
    assert (said.severity, said.path) == ("error", "lora_target_modules.1")
    assert findings(RULES, f"lora_target_modules: '{pattern}'") == []
    assert findings(RULES, "lora_target_modules: [q_proj, layers.0.v_proj]") == []
