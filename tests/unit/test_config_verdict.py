"""ftui's and axolotl's opinions of one config, told once each."""

from __future__ import annotations

from typing import Literal

import pytest

from ftui.config.issue import Issue
from ftui.config.verdict import merge


def issue(
    path: str,
    line: int = 3,
    message: str = "is wrong",
    severity: Literal["error", "warning"] = "error",
) -> Issue:
    return Issue(severity, path, line, message)


def test_both_come_in_the_order_of_their_lines() -> None:
    merged = merge([issue("b", 5), issue("a", 1)], [issue("c", 3), issue("", 0, "no place")])
    assert [each.path for each in merged] == ["", "a", "c", "b"]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (issue("rl"), issue("rl", message="Input should be 'dpo'")),
        (issue("datasets.0.type"), issue("datasets")),
        (issue("datasets"), issue("datasets.0.type")),
        (issue("warmup_ratio", message="warmup_steps and warmup_ratio …"), issue("warmup_steps")),
        (issue("load_in_8bit"), issue("adapter", message="Can't load: load_in_8bit")),
        (issue("trl.num_generations"), issue("rl", message="GRPO requires `trl.num_generations`")),
        (issue("deepcompile"), issue("", 0, "deepcompile needs deepspeed")),
        (issue("", message="this is not YAML"), issue("", message="this is not YAML")),
        (issue("trl"), issue("", 0, "axolotl cannot read this config: 'bool' has no 'get'")),
        (
            issue("bf16", severity="warning"),
            issue("bf16", message="another thing", severity="warning"),
        ),
    ],
)
def test_ftuis_words_win(ours: Issue, theirs: Issue) -> None:
    assert merge([ours], [theirs]) == [ours]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (issue("rl"), issue("rl_beta")),
        (issue("datasets.0.type"), issue("datasets.1.type", message="no type here")),
        (issue("rl", severity="warning"), issue("rl")),
        (issue("rl"), issue("rl", severity="warning")),
        (issue("", 0), issue("rl")),
        (issue("rl"), issue("", 0, "something else")),
        (issue("lora_r", message="lora_range"), issue("lora_ran")),
        (issue("a", severity="warning", message="of b"), issue("b", severity="warning")),
    ],
)
def test_what_is_about_something_else_stays(ours: Issue, theirs: Issue) -> None:
    assert sorted(map(str, merge([ours], [theirs]))) == sorted(map(str, [ours, theirs]))


def test_nothing_merges_to_nothing() -> None:
    assert merge([], []) == []
