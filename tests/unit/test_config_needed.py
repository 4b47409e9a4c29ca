"""What is missing or misspelt where axolotl's schema takes anything."""

from __future__ import annotations

import pytest

from ftui.config.issue import Issue
from ftui.config.lint import check

GOOD = """\
base_model: some/model
learning_rate: 0.0002
sequence_len: 512
adapter: lora
lora_r: 8
lora_alpha: 16
lora_target_linear: true
gradient_checkpointing: true
gradient_checkpointing_kwargs: {use_reentrant: false}
chat_template: chatml
datasets:
  - path: acme/rows
    type: chat_template
    message_property_mappings: {role: from, content: value}
"""


def told(old: str, new: str) -> Issue:
    [issue] = check(GOOD.replace(old, new))
    assert issue.severity == "error"
    return issue


def test_nothing_is_wrong_with_it() -> None:
    assert check(GOOD) == []


@pytest.mark.parametrize(
    ("old", "path", "line", "words"),
    [
        ("lora_r: 8\n", "adapter", 4, "lora_r is missing"),
        ("lora_alpha: 16\n", "adapter", 4, "lora_alpha is missing"),
        ("path: acme/rows\n    ", "datasets.0.path", 12, "path is missing"),
    ],
)
def test_what_a_run_cannot_do_without_is_missed(old: str, path: str, line: int, words: str) -> None:
    issue = told(old, "")
    assert (issue.path, issue.line) == (path, line)
    assert words in issue.message


def test_an_adapter_that_exists_has_its_rank_already() -> None:
    assert (
        check(GOOD.replace("lora_r: 8\nlora_alpha: 16\n", "lora_model_dir: acme/adapter\n")) == []
    )


@pytest.mark.parametrize(
    ("old", "new", "path", "hint"),
    [
        (
            "use_reentrant: false",
            "use-reentrant: false",
            "gradient_checkpointing_kwargs.use-reentrant",
            "did you mean use_reentrant?",
        ),
        ("use_reentrant: false", "reentry: 1", "gradient_checkpointing_kwargs.reentry", ""),
        (
            "use_reentrant: false",
            "use_reentrant: perhaps",
            "gradient_checkpointing_kwargs.use_reentrant",
            "",
        ),
        (
            "role: from",
            "roel: from",
            "datasets.0.message_property_mappings.roel",
            "did you mean role?",
        ),
    ],
)
def test_a_key_or_value_that_nobody_reads_is_told(old: str, new: str, path: str, hint: str) -> None:
    issue = told(old, new)
    assert (issue.path, issue.hint) == (path, hint)


def test_a_property_of_the_template_is_no_mistake() -> None:
    more = "{role: from, content: value, tool_calls: calls, roles: x}"
    assert check(GOOD.replace("{role: from, content: value}", more)) == []
