"""A key that does nothing in its combination is told, and what would bring it to life."""

from __future__ import annotations

import pytest

from ftui.config import schema
from ftui.config.rules.silent import dead, dead_dataset, defaults
from ftui.config.rules.silent.dead import _GROUPS
from tests.unit.rules import findings

RULES = (*dead.RULES, *dead_dataset.RULES)


@pytest.mark.parametrize(
    ("dead_key", "severity", "alive"),
    [
        ("lora_r: 8", "error", "adapter: lora"),
        ("lora_target_linear: true", "error", "adapter: qlora"),
        ("peft_use_dora: true", "error", "adapter: lora"),
        ("evals_per_epoch: 4", "warning", "val_set_size: 0.1"),
        ("eval_steps: 100", "warning", "test_datasets: [{path: a}]"),
        ("early_stopping_patience: 3", "warning", "do_bench_eval: true"),
        (
            "gradient_checkpointing_kwargs: {use_reentrant: false}",
            "warning",
            "gradient_checkpointing: true",
        ),
        ("sample_packing_bin_size: 200", "warning", "sample_packing: true"),
        ("rl_beta: 0.1", "error", "rl: dpo"),
        ("orpo_alpha: 0.1", "error", "rl: orpo"),
        ("kto_desirable_weight: 0.2", "error", "rl: kto"),
        ("trl: {num_generations: 4}", "error", "rl: grpo"),
        ("wandb_name: x", "warning", "wandb_project: y"),
        ("mlflow_run_name: x", "warning", "mlflow_experiment_name: y"),
        ("comet_workspace: x", "warning", "comet_project_name: y"),
        ("trackio_run_name: x", "warning", "trackio_project_name: y"),
        ("hub_strategy: end", "warning", "hub_model_id: a/b"),
        ("lr_scheduler: linear\ncosine_min_lr_ratio: 0.1", "warning", "lr_scheduler: cosine"),
        ("cosine_constant_lr_ratio: 0.8", "warning", "cosine_min_lr_ratio: 0.1"),
        ("dion_lr: 0.01", "warning", "optimizer: dion"),
        ("qgalore_rank: 64", "warning", "optimizer: q_galore_adamw8bit"),
        ("optim_target_modules: [attn]", "warning", "optimizer: galore_adamw"),
        ("relora_prune_ratio: 0.9", "warning", "relora: true"),
        ("torch_compile_backend: inductor", "warning", "torch_compile: true"),
        ("dataset_shard_idx: 1", "error", "dataset_shard_num: 4"),
        ("dataset_shard_num: 4", "error", "dataset_shard_idx: 0"),
        ("generation_max_new_tokens: 5", "warning", "generate_samples: true"),
        ("sample_packing: true\ngroup_by_length: true", "warning", "sample_packing: false"),
        ("center_rewards_coefficient: 0.01", "warning", "reward_model: true"),
    ],
)
def test_a_key_without_effect_is_told_until_another_gives_it_one(
    dead_key: str, severity: str, alive: str
) -> None:
    last = dead_key.splitlines()[-1]
    said = findings(RULES, f"base_model: m\n{dead_key}\n")
    line = dead_key.count("\n") + 2
    assert [(each.severity, each.path, each.line) for each in said] == [
        (severity, last.partition(":")[0], line)
    ]
    replaced = "\n".join(
        each for each in dead_key.splitlines() if each.partition(":")[0] != alive.partition(":")[0]
    )
    assert findings(RULES, f"base_model: m\n{replaced}\n{alive}\n") == []


def test_a_misspelt_key_is_not_taken_for_one_without_effect() -> None:
    assert findings(dead.RULES, "lora_rr: 8\n") == []


def test_several_keys_of_one_kind_are_told_once_at_the_chief_one() -> None:
    [said] = findings(RULES, "lora_dropout: 0.1\nlora_alpha: 16\nlora_r: 8\nlora_o_kernel: false\n")
    assert (said.path, said.line) == ("lora_r", 3)
    assert "lora_alpha and lora_dropout" in said.message
    assert "every weight" in said.message


@pytest.mark.parametrize(
    "right",
    [
        "lora_r:\nlora_target_linear: false",
        "lora_dropout: 0",
        "evals_per_epoch: 0",
        "val_set_size: 0\neval_steps: 5",  # axolotl itself refuses it
        "rl: ipo\ndpo_label_smoothing: 0.1",
        "wandb_watch: ''\nwandb_log_model:",
        "use_wandb: true\nwandb_name: x",
        "cosine_min_lr_ratio: 0.1",
        "lr_scheduler: rex\ncosine_min_lr_ratio: 0.1",
        "adapter: lora\nlora_r: 8\nloraplus_lr_ratio: 16\nloraplus_lr_embedding: 0.1",
        "chat_template: jinja\nchat_template_jinja: x",
        "chat_template_jinja: x",
        "adapter: qlora\nload_in_4bit: true",
        "activation_offloading: true\ngradient_checkpointing_kwargs: {a: 1}",
    ],
)
def test_a_key_with_an_effect_is_left_alone(right: str) -> None:
    assert findings(RULES, right) == []


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ("adapter: lora\nload_in_4bit: true\n", "load_in_4bit"),
        ("chat_template: llama3\nchat_template_jinja: x\n", "chat_template_jinja"),
        ("rl: grpo\nkto_desirable_weight: 0.3\n", "kto_desirable_weight"),
        ("rl: dpo\nsimpo_gamma: 0.3\n", "simpo_gamma"),
        ("adapter: lora\nloraplus_lr_embedding: 0.1\n", "loraplus_lr_embedding"),
        ("val_set_size: 0\nevals_per_epoch: 4\n", "evals_per_epoch"),
    ],
)
def test_a_key_that_another_one_robs_of_its_effect_is_told(wrong: str, path: str) -> None:
    [said] = findings(RULES, wrong)
    assert (said.path, said.line) == (path, 2)


def _rows(kind: str, key: str, start: str = "") -> str:
    return f"{start}datasets:\n  - path: a\n    type: {kind}\n    {key}\n"


@pytest.mark.parametrize(
    ("start", "kind", "key", "severity"),
    [
        ("", "alpaca", "field_messages: x", "warning"),
        ("", "completion", "message_property_mappings: {role: from}", "warning"),
        ("", "{field_instruction: q}", "roles_to_train: [gpt]", "warning"),
        ("", "alpaca", "field: x", "warning"),
        ("", "chat_template", "field: x", "warning"),
        ("", "chat_template", "field_chosen: x", "error"),
        ("rl: dpo\n", "chat_template.default", "message_property_mappings: {role: from}", "error"),
        ("rl: dpo\n", "chatml.intel", "name: x", "error"),
        ("rl: simpo\n", "chatml.intel", "shards: 4", "error"),
        ("rl: kto\n", "chatml.argilla", "field_messages: x", "error"),
        ("rl: dpo\n", "chatml.intel", "ds_type: csv", "error"),
        ("process_reward_model: true\n", "stepwise_supervised", "step_separator: x", "error"),
    ],
)
def test_a_key_that_a_dataset_does_not_read_is_told(
    start: str, kind: str, key: str, severity: str
) -> None:
    said = findings(RULES, _rows(kind, key, start))
    path = f"datasets.0.{key.partition(':')[0]}"
    assert [(each.severity, each.path) for each in said] == [(severity, path)]
    assert said[0].line == start.count("\n") + 4


@pytest.mark.parametrize(
    ("start", "kind", "key"),
    [
        ("", "chat_template", "field_messages: x"),
        ("", "my.module", "field_messages: x"),
        ("", "completion", "field: x"),
        ("", "my.module", "field: x"),
        ("rl: dpo\n", "chat_template.default", "field_chosen: x"),
        ("rl: dpo\n", "chat_template.default", "message_property_mappings: {role: role}"),
        ("rl: dpo\n", "chat_template.default", "roles: {user: [user]}"),
        ("rl: dpo\n", "chatml.intel", "ds_type: json"),
        ("rl: orpo\n", "chat_template.argilla", "name: x"),
        ("rl: kto\n", "chatml.argilla", "trust_remote_code: true"),
        ("process_reward_model: true\n", "stepwise_supervised", 'step_separator: "\\n"'),
        ("", "_synthetic", "length: 5"),
    ],
)
def test_a_key_that_a_dataset_reads_is_left_alone(start: str, kind: str, key: str) -> None:
    assert findings(RULES, _rows(kind, key, start)) == []


def test_a_format_that_axolotl_would_guess_anyway_is_left_alone() -> None:
    rows = "rl: dpo\ndatasets: [{path: %s, type: chatml.intel, ds_type: parquet}]"
    assert findings(RULES, rows % "a.parquet") == []
    [said] = findings(RULES, rows % "a.data")
    assert said.path == "datasets.0.ds_type"


def test_a_template_that_no_rows_are_put_into_is_told() -> None:
    [said] = findings(RULES, "chat_template: llama3\ndatasets: [{path: a, type: completion}]")
    assert (said.severity, said.path) == ("warning", "chat_template")
    for fine in (
        "datasets: [{path: a, type: completion}, {path: b, type: chat_template}]",
        "datasets: [{path: a, type: 'alpaca:phi'}]",
    ):
        assert findings(RULES, f"chat_template: llama3\n{fine}") == []


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("datasets: [{path: a}]", ["sequence_len"]),
        ("datasets: [{path: a}]\nsequence_len: 512", []),
        ("base_model: m", []),
        ("adapter: lora", ["adapter"]),
        ("adapter: lora\nlora_target_linear: true", []),
        ("adapter: qlora\nlora_target_modules: [q_proj]", []),
        ("adapter: lora\nlora_model_dir: out", []),
        ("adapter: mora", []),
    ],
)
def test_a_default_that_surprises_is_told(text: str, paths: list[str]) -> None:
    assert [each.path for each in findings(defaults.RULES, text)] == paths


def test_every_key_of_the_table_is_one_of_axolotls() -> None:
    known = {key for version in schema.VERSIONS for key in schema.load(version)["properties"]}
    for group in _GROUPS:
        for key in group.keys.split():
            stem = key.removesuffix("*")
            assert any(each == key or ("*" in key and each.startswith(stem)) for each in known), key


def test_fsdp_without_its_settings_splits_nothing() -> None:
    [said] = findings(RULES, "fsdp_version: 2")
    assert (said.severity, said.path) == ("error", "fsdp_version")
    assert findings(RULES, "fsdp_version: 2\nfsdp_config: {offload_params: true}") == []
