"""No number passes that cannot be right."""

from __future__ import annotations

import pytest

from ftui.config import schema
from ftui.config.rules.silent.values import _BOUNDS, RULES
from tests.unit.rules import findings


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("micro_batch_size: 0", "micro_batch_size: 1"),
        ("micro_batch_size: '0'", "micro_batch_size: '4'"),
        ("micro_batch_size: -1", "micro_batch_size: 64"),
        ("gradient_accumulation_steps: 0", "gradient_accumulation_steps: 1"),
        ("sequence_len: 0", "sequence_len: 4096"),
        ("num_epochs: 0", "num_epochs: 0.1"),
        ("max_steps: -2", "max_steps: 1"),
        ("max_steps: 0", "max_steps: 100000"),
        ("logging_steps: 0", "logging_steps: 1"),
        ("learning_rate: 0", "learning_rate: 2e-4"),
        ("learning_rate: -0.1", "learning_rate: 0.00000001"),
        ("learning_rate: .inf", "learning_rate: 0.1"),
        ("learning_rate: .nan", "learning_rate: '0.0002'"),
        ("weight_decay: -0.1", "weight_decay: 0"),
        ("warmup_steps: -1", "warmup_steps: 0"),
        ("warmup_ratio: 1", "warmup_ratio: 0"),
        ("warmup_ratio: 5", "warmup_ratio: 0.05"),
        ("max_grad_norm: -1", "max_grad_norm: 0"),
        ("lora_r: 0", "lora_r: 1"),
        ("lora_alpha: 0", "lora_alpha: 1"),
        ("lora_dropout: 5", "lora_dropout: 0"),
        ("lora_dropout: 1", "lora_dropout: 0.05"),
        ("lora_dropout: -0.1", "lora_dropout: 0.5"),
        ("adam_beta1: 1", "adam_beta1: 0.9"),
        ("adam_beta2: 1.999", "adam_beta2: 0.999"),
        ("adam_epsilon: 0", "adam_epsilon: 1e-8"),
        ("seed: -1", "seed: 42"),
        ("seed: 4294967296", "seed: 0"),
        ("rl_beta: -0.1", "rl_beta: 0"),
        ("kto_desirable_weight: 0", "kto_desirable_weight: 0.2"),
        ("dpo_label_smoothing: 0.5", "dpo_label_smoothing: 0.1"),
        ("cosine_min_lr_ratio: 10", "cosine_min_lr_ratio: 0.1"),
        ("dataset_num_proc: 0", "dataset_num_proc: 8"),
        ("gradio_server_port: 70000", "gradio_server_port: 7860"),
        ("eval_steps: -5", "eval_steps: 0.25"),
        ("save_total_limit: 0", "save_total_limit: -1"),
        ("val_set_size: -0.1", "val_set_size: 0.0"),
        ("val_set_size: 1", "val_set_size: 0.05"),
        ("val_set_size: 1.0", "val_set_size: 2"),
        ("val_set_size: 5.0", "val_set_size: 500"),
        ("val_set_size: 1.5", "val_set_size: 0.999"),
        ("learning_rate: 2", "learning_rate: 0.02"),
        ("lora_dropout: 0.9", "lora_dropout: 0.1"),
        ("weight_decay: 1", "weight_decay: 0.1"),
        ("warmup_ratio: 0.9", "warmup_ratio: 0.5"),
        ("num_epochs: 5000", "num_epochs: 100"),
        ("sequence_len: 8", "sequence_len: 64"),
        ("embedding_lr: 0", "embedding_lr:"),
        ("lora_r: two", "lora_r: 2"),
    ],
)
def test_a_number_out_of_bounds_is_told_at_its_key(wrong: str, right: str) -> None:
    key, text = wrong.partition(":")[0], "base_model: m\n"
    said = findings(RULES, text + wrong)
    if wrong != "lora_r: two":  # a wrong type is the schema's to tell
        assert [(each.path, each.line) for each in said] == [(key, 2)]
    assert findings(RULES, text + right) == []


@pytest.mark.parametrize(
    ("wrong", "path", "line"),
    [
        ("datasets:\n  - path: a\n    shards: 0\n", "datasets.0.shards", 3),
        ("datasets:\n  - path: a\n    shards: 4\n    shards_idx: 4\n", "datasets.0.shards_idx", 4),
        ("datasets:\n  - {path: a}\n  - {path: b, shards: 0}\n", "datasets.1.shards", 3),
        ("trl:\n  top_p: 1.5\n", "trl.top_p", 2),
        ("trl: {temperature: 0}\n", "trl.temperature", 1),
        ("vllm:\n  port: 0\n", "vllm.port", 2),
        ("lora_rank_pattern:\n  q_proj: 0\n", "lora_rank_pattern.q_proj", 2),
        ("lr_groups:\n  - {name: a, modules: [b], lr: 0}\n", "lr_groups.0.lr", 2),
        ("dataset_shard_num: 2\ndataset_shard_idx: 2\n", "dataset_shard_idx", 2),
        (
            "dataloader_num_workers: 0\ndataloader_prefetch_factor: 2",
            "dataloader_prefetch_factor",
            2,
        ),
        ("rl: dpo\nval_set_size: 200\n", "val_set_size", 2),
    ],
)
def test_numbers_are_found_inside_and_beside_others(wrong: str, path: str, line: int) -> None:
    [said] = findings(RULES, wrong)
    assert (said.severity, said.path, said.line) == ("error", path, line)


@pytest.mark.parametrize(
    "right",
    [
        "datasets: [{path: a, shards: 4, shards_idx: 3}]",
        "dataset_shard_num: 2\ndataset_shard_idx: 1",
        "dataloader_num_workers: 1\ndataloader_prefetch_factor: 2",
        "rl: dpo\nval_set_size: 0.1",
        "datasets: a.jsonl\ntrl: [1]\nlr_groups: x",
        "trl: {beta: 0, top_k: -1, min_p: 0}",
    ],
)
def test_what_fits_together_is_left_alone(right: str) -> None:
    assert findings(RULES, right) == []


def test_no_steps_is_a_warning_unless_the_rows_are_a_stream() -> None:
    [said] = findings(RULES, "max_steps: -1\n")
    assert (said.severity, said.path) == ("warning", "max_steps")
    [said] = findings(RULES, "streaming: true\nmax_steps: -1\n")
    assert (said.severity, said.path) == ("error", "max_steps")


def test_a_percentage_written_as_one_is_mended() -> None:
    [said] = findings(RULES, "val_set_size: 5.0")
    assert "5 rows" in said.message
    assert "0.05" in said.hint


def test_every_key_of_the_table_is_one_of_axolotls() -> None:
    known = set()
    for version in schema.VERSIONS:
        loaded = schema.load(version)
        known |= loaded["properties"].keys()
        for part in (
            *loaded["plugins"].values(),
            *(d.get("properties", {}) for d in loaded["$defs"].values()),
        ):
            known |= part.keys()
    patterns = [pattern for _, patterns in _BOUNDS for pattern in patterns.split()]
    assert len(patterns) == len(set(patterns))
    for pattern in patterns:
        assert set(pattern.replace(".*", "").split(".")) <= known, pattern
