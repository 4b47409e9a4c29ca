"""The linter as a whole: any text gets an answer, in the order of its lines."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ftui.config.lint import check
from ftui.config.schema import VERSIONS, known, load

GOOD = "base_model: some/model\nlearning_rate: 0.0002\n"
DATA = "datasets: [{path: a/b, type: alpaca}]\nsequence_len: 512\n"


def test_a_key_given_twice_is_told_at_the_second() -> None:
    [issue] = check(GOOD + "seed: 8\nseed: 16\n" + DATA)
    assert (issue.path, issue.line) == ("seed", 4)
    assert "twice" in issue.message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1\nb: 2\n", 2),
        ("a: 1\n\tb: 2\n", 2),
        ("- a\n", 1),
        ("", 1),
        ("just words\n", 1),
        ("a: 1\nb: \x00\n", 2),
        ("a: &a [*a]\n", 1),
        ("a: 2024-99-99\n", 1),
        ("a: !!timestamp x\n", 1),
        ("a: !!python/object:os.system {}\n", 1),
        ("a:\n" + "[" * 100_000, 2),
        ("a: 1\n---\nb: 1\n", 2),
    ],
)
def test_what_is_no_config_is_one_issue_with_its_line(text: str, line: int) -> None:
    [issue] = check(text)
    assert (issue.severity, issue.line) == ("error", line)


def test_issues_come_in_the_order_of_their_lines() -> None:
    text = "zzz: 1\nseed: x\nlearning_rate: 0.1\nbase_model: m\nyyy: 1\n" + DATA
    assert [issue.line for issue in check(text)] == [1, 2, 5]


@given(st.text())
def test_any_text_gets_an_answer(text: str) -> None:
    check(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.sampled_from(sorted(load()["properties"])),
    st.sampled_from(VERSIONS),
)
def test_any_value_of_any_key_gets_an_answer(value: Any, key: str, version: str) -> None:
    text = yaml.safe_dump({"base_model": "m", "learning_rate": 1, key: value})
    for issue in check(text, axolotl=version, gpus=(), folder=None):
        assert 1 <= issue.line <= text.count("\n") + 1
        assert issue.message


@pytest.mark.parametrize(
    ("version", "judged_by"),
    [
        ("0.19.0", "0.19.0"),
        ("0.19.2", "0.19.0"),
        ("0.20.1", "0.19.0"),
        ("0.21.0", "0.21.0"),
        ("0.22.0.dev0", "0.21.0"),
        ("1.0", "0.21.0"),
        ("0.9.2", "0.19.0"),
        (None, "0.21.0"),
        ("main", "0.21.0"),
    ],
)
def test_a_config_is_judged_by_the_newest_schema_that_is_not_newer(
    version: str | None, judged_by: str
) -> None:
    assert known(version) == judged_by


@pytest.mark.parametrize("version", VERSIONS)
def test_the_schema_is_one_document_that_refers_only_to_itself(version: str) -> None:
    schema = load(version)
    text = json.dumps(schema)
    for name in {part.split('"')[0] for part in text.split("#/$defs/")[1:]}:
        assert name in schema["$defs"]


def test_a_key_under_its_old_name_is_not_called_missing_too() -> None:
    text = "base_model: a/b\nlr: 0.1\nmax_seq_len: 512\nlora_rank: 8\nlora_alpha: 16\n"
    adapter = "adapter: lora\nlora_target_linear: true\ndatasets: [{path: a/b, type: alpaca}]\n"
    assert [issue.path for issue in check(text + adapter)] == ["lr", "max_seq_len", "lora_rank"]


def test_each_key_that_asks_for_an_evaluation_is_told_that_there_are_no_rows() -> None:
    asked = "val_set_size: 0\neval_steps: 10\neval_strategy: steps\n"
    found = check(GOOD + DATA + asked)
    assert [issue.path for issue in found] == ["eval_steps", "eval_strategy"]
