"""`ftui data --convert`: one document, and no file is written over that is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftui.cli import _guarded, cli

ROW = {"instruction": "a", "output": "b"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text(json.dumps(ROW) + "\n[1]\n")


def run(*arguments: str) -> int:
    line = ["data", *arguments]
    return _guarded(lambda: cli.main(line, prog_name="ftui", standalone_mode=False))


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("rows.jsonl", "--convert", "chat_template", "-o", "out.jsonl", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "ok": True,
        "written": 1,
        "left_out": {"broken": 1},
        "type": "chat_template",
        "out": "out.jsonl",
        "issues": [],
    }


def test_what_cannot_be_written_gives_a_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("rows.jsonl", "--convert", "dpo", "-o", "out.jsonl", "--json") == 2
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["written"]) == (False, 0)
    assert found["issues"][0]["message"]


@pytest.mark.parametrize("out", ["rows.jsonl", "./rows.jsonl", "link.jsonl"])
def test_what_is_read_is_not_written_over(out: str) -> None:
    Path("link.jsonl").symlink_to("rows.jsonl")
    before = Path("rows.jsonl").read_text()
    assert run("rows.jsonl", "--convert", "chat_template", "-o", out, "-y") == 2
    assert Path("rows.jsonl").read_text() == before


def test_a_file_of_a_folder_that_is_read_is_not_written_over() -> None:
    Path("many").mkdir()
    Path("rows.jsonl").rename("many/rows.jsonl")
    assert run("many", "--convert", "chat_template", "-o", "many/rows.jsonl", "-y") == 2
    assert "instruction" in Path("many/rows.jsonl").read_text()


@pytest.mark.parametrize("out", ["x.parquet", "x.csv", "x.TSV", "x.jsonl.gz"])
def test_a_name_that_promises_another_layout_is_refused(
    capsys: pytest.CaptureFixture[str], out: str
) -> None:
    assert run("rows.jsonl", "--convert", "chat_template", "-o", out) == 2
    assert "Name it x.jsonl:" in capsys.readouterr().err
    assert not Path(out).exists()
