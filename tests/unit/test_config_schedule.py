"""Warm-up, logs, evaluations and checkpoints that would not happen, or not as meant."""

from __future__ import annotations

import pytest

from ftui.config.edit_text import apply_edits
from ftui.config.lint import check
from ftui.config.rules.silent.timing import RULES
from tests.unit.rules import findings

ROWS = "val_set_size: 0.1\n"
EVALUATED = f"{ROWS}evals_per_epoch: 4\n"


@pytest.mark.parametrize(
    ("start", "wrong", "severity", "right"),
    [
        ("max_steps: 100\n", "warmup_steps: 100", "error", "warmup_steps: 99"),
        ("max_steps: 100\n", "warmup_steps: 500", "error", "warmup_steps: 10"),
        ("lr_scheduler: constant\n", "warmup_steps: 10", "warning", "warmup_steps: 0"),
        ("lr_scheduler: constant\n", "warmup_ratio: 0.1", "warning", "warmup_ratio: 0.0"),
        ("max_steps: 100\n", "save_steps: 101", "warning", "save_steps: 100"),
        ("max_steps: 100\n", "logging_steps: 500", "warning", "logging_steps: 1"),
        (f"{ROWS}max_steps: 100\n", "eval_steps: 200", "warning", "eval_steps: 50"),
        (ROWS, "eval_steps: 100.5", "error", "eval_steps: 100.0"),
        (ROWS, "eval_steps: 1.0", "warning", "eval_steps: 1"),
        (ROWS, "evals_per_epoch: 1", "error", "evals_per_epoch: 2"),
        (f"{ROWS}num_epochs: 0.5\n", "evals_per_epoch: 2", "error", "evals_per_epoch: 3"),
        (f"{ROWS}num_epochs: 1\n", "evals_per_epoch: 1", "error", "eval_strategy: epoch"),
        ("", "save_steps: 10.5", "error", "save_steps: 0.25"),
        ("", "save_steps: 1.0", "warning", "save_steps: 2.0"),
        ("", "val_set_size: 0.1", "warning", "val_set_size: 0"),
        ("eval_strategy: 'no'\n", "val_set_size: 0.1", "warning", "val_set_size: 0.0"),
        ("", "test_datasets: [{path: a}]", "warning", "test_datasets: []"),
        ("saves_per_epoch: 4\n", "save_strategy: 'no'", "warning", "save_strategy: steps"),
        ("saves_per_epoch: 1\n", "lr_scheduler: greedy", "error", "save_strategy: epoch"),
        (ROWS, "eval_strategy: steps", "warning", "eval_strategy: epoch"),
        ("", "load_best_model_at_end: true", "error", "load_best_model_at_end: false"),
        (
            f"{ROWS}eval_steps: 30\nsave_steps: 50\n",
            "load_best_model_at_end: true",
            "error",
            "metric_for_best_model: loss",
        ),
        (
            f"{ROWS}eval_steps: 10\nmax_steps: 50\n",
            "early_stopping_patience: 5",
            "warning",
            "early_stopping_patience: 4",
        ),
        ("", "lr_scheduler: reduce_lr_on_plateau", "error", "lr_scheduler: cosine"),
    ],
)
def test_what_would_not_happen_is_told_at_its_key(
    start: str, wrong: str, severity: str, right: str
) -> None:
    line = start.count("\n") + 1
    said = findings(RULES, start + wrong)
    assert [(each.severity, each.path, each.line) for each in said] == [
        (severity, wrong.partition(":")[0], line)
    ]
    assert findings(RULES, start + right) == []


@pytest.mark.parametrize(
    "right",
    [
        "warmup_steps: 100\nnum_epochs: 1",
        f"{EVALUATED}lr_scheduler: reduce_lr_on_plateau",
        f"{EVALUATED}saves_per_epoch: 2\nload_best_model_at_end: true",
        f"{ROWS}evals_per_epoch: 1\nnum_epochs: 2",
        f"{ROWS}evals_per_epoch: 1\neval_strategy: steps\nnum_epochs: 1.5",
        f"{ROWS}eval_steps: 10\nsave_steps: 20\nload_best_model_at_end: true",
        f"{ROWS}eval_steps: 10\nearly_stopping_patience: 3",
        "saves_per_epoch: 1\nsave_strategy: epoch",
        "do_bench_eval: true\nevals_per_epoch: 4",
        "evals_per_epoch: 1",
        "max_steps: x\nwarmup_steps: y",
    ],
)
def test_a_run_that_goes_as_meant_is_left_alone(right: str) -> None:
    assert findings(RULES, right) == []


def test_the_evaluation_that_axolotl_leaves_out_gets_a_way_out() -> None:
    [said] = findings(RULES, f"{ROWS}evals_per_epoch: 1\n")
    assert "evaluates not once" in said.message
    assert "eval_strategy: epoch" in said.hint


def test_one_evaluation_in_one_epoch_can_be_mended() -> None:
    text = f"base_model: m\n{ROWS}evals_per_epoch: 1  # at its end\n"
    [issue] = [each for each in check(text) if each.path == "evals_per_epoch"]
    mended = apply_edits(text, issue.edits)
    assert "eval_strategy: epoch  # at its end\n" in mended
    assert findings(RULES, mended) == []
