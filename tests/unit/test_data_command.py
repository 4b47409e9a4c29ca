"""`ftui data`: words on stderr, what is wrong on stdout, and the exit code of the contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftui.cli import _guarded, cli
from ftui.data.convert import TARGETS
from ftui.data.guess import guess
from ftui.data.tokens import Tokens
from ftui.plan.plan import Plan
from tests.fixtures.tokens import GOOD as TOKENS

USER = {"role": "user", "content": "What is the capital of France?"}
ANSWER = {"role": "assistant", "content": "Paris."}
GOOD = {"messages": [USER, ANSWER]}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def rows(*values: object, file: str = "rows.jsonl") -> str:
    Path(file).write_text("".join(json.dumps(row) + "\n" for row in values), encoding="utf-8")
    return file


def run(*arguments: str) -> int:
    line = ["data", *arguments]
    return _guarded(lambda: cli.main(line, prog_name="ftui", standalone_mode=False))


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = run(*arguments, "--json")
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, found


def test_good_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(rows(GOOD, {"messages": [{**USER, "content": "Why?"}, ANSWER]})) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "JSONL, chat_template" in printed.err
    assert "✓ 2 rows · 2 teach something\n" in printed.err


def test_an_odd_row_is_told_on_stdout_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    bad = {"messages": [{**USER, "content": "Why?"}, {**ANSWER, "content": 5}]}
    assert run(rows(GOOD, bad)) == 2
    first, hint = capsys.readouterr().out.splitlines()
    assert first == "✗ rows.jsonl:2:messages.1.content: is a number, not text"
    assert hint.startswith("    → ")


def test_the_document_has_the_keys_of_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = document(capsys, rows(GOOD, {"messages": [{**USER, "content": "Why?"}]}))
    assert (code, found["ok"], found["format"]) == (0, True, "chat_template")
    assert (found["rows"], found["kept"], found["dropped"]) == (2, 1, 1)
    [issue] = found["issues"]
    assert (issue["line"], issue["field"]) == (2, "messages")
    assert found["entry"] == {"path": "rows.jsonl", "ds_type": "json", "type": "chat_template"}


@pytest.mark.parametrize("name", ["nowhere.jsonl", "empty.jsonl", "a/b/c", "", "\x00"])
def test_what_cannot_be_read_gives_a_document_too(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    Path("empty.jsonl").touch()
    code, found = document(capsys, name)
    assert (code, found["ok"]) == (2, False)
    assert found["issues"][0]["message"]
    assert found["issues"][0]["hint"]


def test_a_terminal_is_not_written_to_by_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    run(rows({"messages": [{"role": "\x1b[31mred", "content": "a"}, ANSWER]}))
    assert "\x1b" not in capsys.readouterr().out


def test_columns_that_a_person_chose(capsys: pytest.CaptureFixture[str]) -> None:
    source = rows({"a": "x", "b": "y", "c": "z"})
    code, found = document(capsys, source)
    assert code == 2
    assert "--columns" in found["issues"][0]["hint"]
    code, found = document(capsys, source, "--columns", "a,b")
    assert (code, found["format"]) == (0, "user_defined")
    assert run(source, "--columns", "a") == 2
    assert run(source, "--columns", "a,nope") == 2


def test_a_type_that_a_person_chose(capsys: pytest.CaptureFixture[str]) -> None:
    source = rows({"text": "x", "instruction": "a", "output": "b"})
    code, found = document(capsys, source, "--type", "completion")
    assert (code, found["format"]) == (0, "completion")
    assert run(source, "--type", "nope") == 2


def test_rows_that_are_held_out_too_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    held = rows(GOOD, file="held.jsonl")
    assert run(rows(GOOD), "--held-out", held) == 0
    assert "1 row of held.jsonl is in rows.jsonl too" in capsys.readouterr().err


def test_a_question_that_is_held_out_too_is_told_whatever_its_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    again = {"messages": [{**USER, "content": "what IS the capital of France?"}, USER, ANSWER]}
    other = {"messages": [{**USER, "content": "Why?"}, ANSWER]}
    same = {"messages": [USER, {**ANSWER, "content": "Lyon."}]}
    held = rows(other, same, file="held.jsonl")
    assert run(rows(again, GOOD), "--held-out", held) == 0
    told = capsys.readouterr().err
    assert "1 row of held.jsonl asks what a row of rows.jsonl asks" in told
    assert "such as held.jsonl:2 and rows.jsonl:2" in told
    _, found = document(capsys, "rows.jsonl", "--held-out", held)
    assert found["held_out"] == {"rows": 2, "same": 0, "asked": 1, "broken": 0}
    _, found = document(capsys, "rows.jsonl")
    assert "held_out" not in found


def test_the_test_datasets_of_a_config_must_not_be_trained_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[Plan] = []

    def look(plan: Plan, show: int) -> Tokens:
        counted.append(plan)
        return TOKENS

    monkeypatch.setattr("ftui.plain.tokens.look", look)
    rows(GOOD, file="held.jsonl")
    Path("config.yml").write_text(
        "base_model: some/model\n"
        "datasets: [{path: rows.jsonl, type: chat_template}]\n"
        "test_datasets: [{path: held.jsonl, type: chat_template}]\n"
    )
    assert run(rows(GOOD), "--config", "config.yml", "--show", "0") == 0
    assert "1 row of held.jsonl is in rows.jsonl too" in capsys.readouterr().err.replace(
        f"{Path.cwd()}/", ""
    )
    assert counted[0].get("test_datasets.0.type") == "chat_template", "they are still evaluated on"
    assert run(rows(GOOD, file="others.jsonl"), "--config", "config.yml", "--show", "0") == 0
    assert counted[1].get("test_datasets") is None, "they are of other rows"


def test_the_disk_that_a_training_needs_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftui.plain.tokens.look", lambda plan, show: TOKENS)
    source = rows(GOOD)
    assert run(source, "--preset", "nano-sql-lora", "--show", "0") == 0
    told = capsys.readouterr().err
    assert "10.4 MiB of disk: 2 checkpoints of 3.5 MiB, one more while the oldest goes" in told
    _, found = document(capsys, source, "--preset", "nano-sql-lora")
    assert found["receipt"]["disk_gib"] == {
        "checkpoint": 0.0034,
        "result": 0.0011,
        "peak": 0.0102,
    }


def test_conversations_in_json_text_can_be_written_as_lists() -> None:
    source = rows({"messages": json.dumps(GOOD["messages"])})
    assert run(source, "--convert", "chat_template", "-o", "out.jsonl") == 0
    assert json.loads(Path("out.jsonl").read_text()) == GOOD


def test_numbers_in_csv_stay_text_in_another_type() -> None:
    Path("rows.csv").write_text("instruction,output\nHow many?,007\nWhy?,NA\n")
    assert run("rows.csv") == 2
    assert run("rows.csv", "--convert", "alpaca", "-o", "out.jsonl") == 0
    made = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [row["output"] for row in made] == ["007", "NA"]
    assert run("out.jsonl") == 0


@pytest.mark.parametrize("to", ["alpaca", "alpaca_w_system", "chat_template"])
def test_rows_are_written_in_another_type(to: str, capsys: pytest.CaptureFixture[str]) -> None:
    long = {"messages": [USER, ANSWER, USER, ANSWER]}
    assert run(rows(GOOD, long, [1]), "--convert", to, "-o", "out.jsonl") == 0
    made = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    found = guess(made)
    assert found is not None
    assert found.format.name == TARGETS[to].says
    told = capsys.readouterr().err
    assert "1 row left out: broken" in told
    assert ("not one question with one answer" in told) == (to != "chat_template")


def test_a_file_that_is_there_stays(capsys: pytest.CaptureFixture[str]) -> None:
    Path("out.jsonl").write_text("mine")
    assert run(rows(GOOD), "--convert", "alpaca", "-o", "out.jsonl") == 2
    assert Path("out.jsonl").read_text() == "mine"
    assert "-y" in capsys.readouterr().err
    assert run("rows.jsonl", "--convert", "alpaca", "-o", "out.jsonl", "-y") == 0
    assert "Paris" in Path("out.jsonl").read_text()


def test_where_no_row_can_be_written_nothing_is() -> None:
    source = rows({"messages": [USER, ANSWER, USER, ANSWER]})
    assert run(source, "--convert", "alpaca", "-o", "out.jsonl") == 2
    assert not Path("out.jsonl").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--convert", "alpaca"),
        ("-o", "out.jsonl"),
        ("--convert", "nope", "-o", "out.jsonl"),
        ("--convert", "dpo", "-o", "out.jsonl"),
    ],
)
def test_a_conversion_that_cannot_be(arguments: tuple[str, ...]) -> None:
    assert run(rows(GOOD), *arguments) == 2


def test_a_folder_that_cannot_be_written_to_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").touch()
    assert run(rows(GOOD), "--convert", "alpaca", "-o", "file/out.jsonl") == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_row_that_is_nested_too_deep_to_be_written_is_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"a": deep}
    source = rows(
        {"instruction": "a", "output": "b"}, {"instruction": "c", "output": "d", "x": deep}
    )
    assert run(source, "--convert", "chat_template", "-o", "new.jsonl") == 0
    assert "1 row left out: it is nested too deep" in capsys.readouterr().err
