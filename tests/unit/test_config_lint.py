"""The linter as a whole: any text gets an answer, in the order of its lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ftui.config.lint import check
from ftui.config.schema import VERSIONS, dataset_keys, known, load
from ftui.plan.hardware import Gpu

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
        ("a: 1\nmixlora_expert_lora_r: 1" + "0" * 400, 2),
        ("a: 1\nseed: 0x" + "f" * 5000, 2),
        ("a: !!timestamp x\n", 1),
        ("a: !!python/object:os.system {}\n", 1),
        ("a:\n" + "[" * 100_000, 2),
        ("a: 1\n---\nb: 1\n", 2),
    ],
)
def test_what_is_no_config_is_one_issue_with_its_line(text: str, line: int) -> None:
    [issue] = check(text)
    assert (issue.severity, issue.line) == ("error", line)


def test_a_mapping_that_belongs_into_a_list_is_looked_into() -> None:
    text = GOOD + "max_steps: 3\nsequence_len: 512\npretraining_dataset:\n  pth: a/b\n"
    told = {issue.path: (issue.line, issue.hint) for issue in check(text)}
    assert told["pretraining_dataset.pth"] == (6, "did you mean path?")


def test_issues_come_in_the_order_of_their_lines() -> None:
    text = "zzz: 1\nseed: x\nlearning_rate: 0.1\nbase_model: m\nyyy: 1\n" + DATA
    assert [issue.line for issue in check(text)] == [1, 2, 5]


@given(st.text())
def test_any_text_gets_an_answer(text: str) -> None:
    check(text)


KEYS = sorted(
    {*load()["properties"], *(key for keys in load()["plugins"].values() for key in keys)}
)
FILES = ["base_model", "tokenizer_config", "deepspeed", "chat_template_jinja", "lora_model_dir"]
ODD = ["²", "9" * 5000, "1e999", "nan", "", "/", "~nobody/x", "a\x85b", "x" * 5000, '{"a":' * 9999]
REAL = ["steps", "0", "lora", "fp8", "dpo", "auto", "./", str(Path(__file__)), "builtin:nano"]
keys = st.sampled_from(KEYS) | st.sampled_from(FILES)
numbers = st.integers() | st.integers(-(10**400), 10**400) | st.floats()
words = st.sampled_from(ODD) | st.sampled_from(REAL) | st.text()
values = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(REAL) | st.text(), inner, max_size=4)
    ),
    max_leaves=8,
)
rows = st.dictionaries(
    st.sampled_from(sorted(dataset_keys(VERSIONS[-1]))), words | values, min_size=1, max_size=4
)
machines = st.none() | st.lists(
    st.builds(Gpu, st.just("GPU"), st.just(24), st.sampled_from(["sm_75", "sm_90", "sm_²", ""])),
    max_size=3,
)


@given(
    st.dictionaries(keys, words | values, max_size=5),
    st.lists(rows, max_size=3),
    st.sampled_from(VERSIONS),
    machines,
    st.sampled_from([None, Path(__file__).parent]),
)
def test_any_values_of_any_keys_get_an_answer_on_any_machine(
    config: dict[str, Any],
    datasets: list[dict[str, Any]],
    version: str,
    gpus: list[Gpu] | None,
    folder: Path | None,
) -> None:
    text = yaml.safe_dump({"datasets": datasets, **config})
    for issue in check(text, axolotl=version, gpus=gpus, folder=folder):
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
        ("0.²", "0.21.0"),
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
