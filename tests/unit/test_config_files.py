"""A file that is not there is told before the run, and what may be elsewhere is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftui.config.rules.silent.files import RULES
from tests.unit.rules import findings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "rows.jsonl").write_text("{}\n")
    (tmp_path / "zero.json").write_text('{"zero_optimization": {"stage": 2}}')
    (tmp_path / "nothing.json").write_text("{}")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "broken.json").write_text('{\n"a": 1,\n}')
    (tmp_path / "chat.jinja").write_text("{{ messages }}")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.jsonl").write_text("{}\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.parametrize(
    ("wrong", "path", "right"),
    [
        ("deepspeed: zero9.json", "deepspeed", "deepspeed: zero.json"),
        (
            "deepspeed: deepspeed_configs/zero1.json",
            "deepspeed",
            "deepspeed: {zero_optimization: {stage: 1}}",
        ),
        ("deepspeed: model", "deepspeed", "deepspeed: ./zero.json"),
        ("deepspeed: broken.json", "deepspeed", "deepspeed:"),
        ("deepspeed: list.json", "deepspeed", "deepspeed: ''"),
        ("deepspeed: nothing.json", "deepspeed", "deepspeed: builtin:deepspeed/zero3.json"),
        ("deepspeed: '{\"a\":'", "deepspeed", "deepspeed: '{\"zero_optimization\": {}}'"),
        (
            "deepspeed: '" + '{"a":' * 50_000 + "'",
            "deepspeed",
            "deepspeed: '{\"zero_optimization\": {}}'",
        ),
        ("base_model: ./nobody", "base_model", "base_model: ./model"),
        ("base_model: ~/no/such/folder", "base_model", "base_model: owner/name"),
        ("base_model: /no/such/folder", "base_model", "base_model: gpt2"),
        ("base_model: builtin:nanno", "base_model", "base_model: builtin:nano"),
        ("tokenizer_config: ../nobody", "tokenizer_config", "tokenizer_config: model"),
        (
            "datasets: [{path: rowz.jsonl}]",
            "datasets.0.path",
            "datasets: [{path: rows.jsonl}, {path: owner/name}]",
        ),
        ("datasets: [{path: ./rows}]", "datasets.0.path", "datasets: [{path: ./data}]"),
        (
            "datasets: [{path: builtin:nl2sql/trane.jsonl}]",
            "datasets.0.path",
            "datasets: [{path: builtin:nl2sql/train.jsonl}]",
        ),
        (
            "test_datasets: [{path: no.csv}]",
            "test_datasets.0.path",
            "test_datasets: [{path: 'https://example.org/no.csv'}, {path: 's3://bucket/no.csv'}]",
        ),
        (
            "datasets: [{path: data, data_files: [data/a.jsonl, data/b.jsonl]}]",
            "datasets.0.data_files.1",
            "datasets: [{path: data, data_files: 'data/*.jsonl'}]",
        ),
        (
            "datasets: [{path: data, data_files: data/b.jsonl}]",
            "datasets.0.data_files",
            "datasets: [{path: owner/name, data_files: b.jsonl}]",
        ),
        ("chat_template_jinja: no.jinja", "chat_template_jinja", "chat_template_jinja: chat.jinja"),
        (
            "datasets: [{path: data, chat_template_jinja: no.jinja}]",
            "datasets.0.chat_template_jinja",
            "chat_template_jinja: '{{ messages }}'",
        ),
    ],
)
def test_a_missing_file_is_told_at_its_key(wrong: str, path: str, right: str, folder: Path) -> None:
    [said] = findings(RULES, f"learning_rate: 0.1\n{wrong}\n", folder=folder)
    assert (said.path, said.line) == (path, 2)
    assert findings(RULES, f"learning_rate: 0.1\n{right}\n", folder=folder) == []
    assert findings(RULES, wrong) == []


def test_a_path_may_begin_here_or_beside_the_config(folder: Path) -> None:
    (folder / "elsewhere" / "here.json").write_text('{"zero_optimization": {}}')
    assert findings(RULES, "deepspeed: here.json", folder=folder) == []


def test_a_missing_deepspeed_file_gets_a_way_to_one(folder: Path) -> None:
    [said] = findings(RULES, "deepspeed: deepspeed_configs/zero2.json", folder=folder)
    assert "axolotl fetch deepspeed_configs" in said.hint


def test_deepspeeds_settings_may_stand_in_the_config_itself() -> None:
    [said] = findings(RULES, "deepspeed: {bf16: {enabled: true}}")
    assert (said.path, "zero_optimization" in said.message) == ("deepspeed", True)
    assert findings(RULES, "deepspeed: {zero_optimization: {stage: 2}}") == []
