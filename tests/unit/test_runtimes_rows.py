"""Rows out of the train runtime: what its process says, or fails to say, in words."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ftui.data.layout import Layout
from ftui.data.parts import Time
from ftui.data.rows import Fault, Row
from ftui.errors import DatasetError, RuntimeMissing, TimedOut
from ftui.runtimes import rows as runtime_rows
from ftui.runtimes.hub_words import Failure, without_tokens
from ftui.runtimes.rows import read_rows_in_runtime


@pytest.fixture
def parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "ftui"))
    monkeypatch.delenv("FTUI_TRAIN_PYTHON", raising=False)
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1\x15\x04")
    return str(path)


def standin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A train runtime whose Python is this shell script."""
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setenv("FTUI_TRAIN_PYTHON", str(python))


def saying(*lines: Any) -> str:
    return "\n".join(f"echo '{json.dumps(line)}'" for line in lines)


def test_without_a_runtime_the_command_that_makes_one_is_told(parquet: str) -> None:
    with pytest.raises(RuntimeMissing) as caught:
        list(read_rows_in_runtime(parquet))
    assert caught.value.hint == "ftui setup train"


def test_a_missing_file_is_told_without_a_runtime(parquet: str) -> None:
    with pytest.raises(DatasetError, match="no such file"):
        list(read_rows_in_runtime(parquet + "x"))


def test_rows_faults_and_notes_are_told_apart(
    parquet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (["note", "said"], [1, {"a": "x"}], ["fault", 2, "a", "why"], [3, {"a": "z"}], ["end"])
    standin(tmp_path, monkeypatch, saying(*lines))
    notes: list[str] = []
    one, two, three = read_rows_in_runtime(parquet, on_note=notes.append)
    assert notes == ["said"]
    assert isinstance(one, Row)
    assert one.values == {"a": "x"}
    assert isinstance(two, Fault)
    assert (two.line, two.field, two.message) == (2, "a", "this row cannot be read: why")
    assert (three.line, isinstance(three, Row)) == (3, True)


def test_text_that_stands_for_times_is_known_as_such(
    parquet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (["times", "a"], [1, {"a": "2024-01-01", "b": "x"}], [2, {"a": None}], ["end"])
    standin(tmp_path, monkeypatch, saying(*lines))
    notes: list[str] = []
    one, two = read_rows_in_runtime(parquet, on_note=notes.append)
    assert notes == ["the column a: times are given as text"]
    assert isinstance(one, Row)
    assert isinstance(two, Row)
    assert {name: type(value) for name, value in one.values.items()} == {"a": Time, "b": str}
    assert two.values == {"a": None}


FAILED = ["failed", [{"names": ["ArrowInvalid", "ValueError"], "text": "cut off", "status": None}]]


def test_a_failure_before_any_row_is_an_error(
    parquet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    standin(tmp_path, monkeypatch, saying(FAILED))
    with pytest.raises(DatasetError, match="this Parquet file cannot be read: cut off") as caught:
        list(read_rows_in_runtime(parquet))
    assert caught.value.where == parquet


def test_a_failure_after_rows_is_the_last_fault(
    parquet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    standin(tmp_path, monkeypatch, saying([1, {"a": "x"}], FAILED))
    one, two = read_rows_in_runtime(parquet)
    assert isinstance(one, Row)
    assert isinstance(two, Fault)
    assert (two.line, two.message) == (2, "this Parquet file cannot be read: cut off")


def test_a_process_that_dies_is_told_by_its_last_words(
    parquet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "echo 'ImportError: no pyarrow, hf_SecretSecret' >&2; exit 1"
    standin(tmp_path, monkeypatch, saying([1, {"a": "x"}]) + "\n" + words)
    with pytest.raises(RuntimeMissing, match="no pyarrow, …"):
        list(read_rows_in_runtime(parquet))


def test_a_process_that_says_nothing_is_given_up(
    parquet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    standin(tmp_path, monkeypatch, f"echo $$ > {tmp_path}/pid; exec sleep 600")
    monkeypatch.setattr(runtime_rows, "_LIMIT", 1.0)
    with pytest.raises(TimedOut, match="no row came"):
        list(read_rows_in_runtime(parquet))
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


@pytest.mark.parametrize(
    ("own", "is_hub", "told"),
    [(None, True, "none"), ("1", True, "1"), ("0", True, "0"), (None, False, "1")],
)
def test_the_hub_is_asked_only_for_a_hub_id_and_unless_a_person_forbids_it(
    parquet: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    own: str | None,
    is_hub: bool,
    told: str,
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    if own is not None:
        monkeypatch.setenv("HF_HUB_OFFLINE", own)
    script = """echo "[1, {\\"offline\\": \\"${HF_HUB_OFFLINE-none}\\"}]"; echo '["end"]'"""
    standin(tmp_path, monkeypatch, script)
    (row,) = read_rows_in_runtime("someone/rows" if is_hub else parquet)
    assert isinstance(row, Row)
    assert row.values == {"offline": told}


def test_no_token_gets_into_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "my-own-secret")
    text = "got my-own-secret, hf_AbCdEf123 and Authorization: Bearer xyz.123'"
    assert without_tokens(text) == "got …, … and Authorization: …'"


def test_a_failure_that_nobody_foresaw_has_words_too() -> None:
    chain = [{"names": ["OddError", "Exception"], "text": "\x1b[31modd\nthings", "status": None}]
    error = Failure.told("a/b", Layout.HUB, chain).error()
    assert (error.what, error.why) == ("the dataset cannot be read", "odd things")
    assert "a/b" in error.hint
    assert os.linesep not in str(error)
