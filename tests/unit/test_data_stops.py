"""Rows at which axolotl stops: where they are, in words and in the document, with the exit code."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftui.cli import _guarded, cli
from ftui.data.dataset import open_dataset, read_files
from ftui.data.doctor import examine
from ftui.data.judge import Reason
from ftui.data.mask import more_words
from ftui.data.parts import Time
from ftui.data.row import Group
from ftui.data.tokens import RowError, Rows, Shown, Tokens
from ftui.errors import DatasetError
from ftui.plain.tokens import row_lines
from tests.fixtures.tokens import GOOD as TOKENS
from tests.fixtures.tokens import PART

USER = {"role": "user", "content": "Why?"}
ANSWER = {"role": "assistant", "content": "So."}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"type": "function"}]}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> int:
    line = ["data", *arguments]
    return _guarded(lambda: cli.main(line, prog_name="ftui", standalone_mode=False))


def chats(*turns: list[dict[str, Any]]) -> str:
    lines = [json.dumps({"messages": [*each], "n": n}) for n, each in enumerate(turns)]
    Path("rows.jsonl").write_text("\n\n".join(lines) + "\n")
    return "rows.jsonl"


def stopping(monkeypatch: pytest.MonkeyPatch, *numbers: int) -> None:
    count = len(numbers)
    seen = replace(
        TOKENS,
        rows=Rows(3, 3 - count, 0, {"train": 3 - count, "held_out": 0, "failed": count}),
        errors=tuple(RowError(0, number, "no content") for number in numbers),
    )
    monkeypatch.setattr("ftui.plain.tokens.look", lambda plan, show: seen)


def test_a_turn_that_calls_tools_without_a_text_is_told() -> None:
    source = chats([USER, ANSWER], [USER, CALL, {"role": "tool", "content": "1"}, ANSWER])
    report = examine(read_files(source), open_dataset(source).format)
    [complaint] = report.complaints
    assert complaint.reason is Reason.NO_WORDS
    assert (complaint.line, complaint.field) == (3, "messages.1.content")
    assert report.ok, "some chat templates take it"


def test_rows_at_which_axolotl_stops_have_their_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = chats([USER, ANSWER], [USER, ANSWER, USER, ANSWER], [USER, ANSWER])
    stopping(monkeypatch, 1, 2)
    assert run(source, "--preset", "nano-sql-lora", "--json") == 2
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    told = [each for each in found["issues"] if "axolotl stops here: no content" in each["message"]]
    assert [(each["file"], each["line"]) for each in told] == [("rows.jsonl", 3), ("rows.jsonl", 5)]
    assert run(source, "--preset", "nano-sql-lora", "--show", "0") == 2
    printed = capsys.readouterr()
    assert "✗ rows.jsonl:3: axolotl stops here: no content" in printed.out
    assert "tells where each is" not in printed.err


def test_where_axolotl_refuses_the_document_has_what_was_found(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(plan: object, show: int) -> Tokens:
        raise DatasetError("axolotl cannot use the rows", where="rows.jsonl", hint="mend them")

    monkeypatch.setattr("ftui.plain.tokens.look", refuse)
    assert run(chats([USER, ANSWER]), "--preset", "nano-sql-lora", "--json") == 2
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["format"], found["rows"]) == (False, "chat_template", 1)
    assert found["issues"][-1]["message"] == "axolotl cannot use the rows"


def test_broken_rows_come_in_the_order_of_their_lines_and_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("plain.txt").write_text("one\ntwo\nthree\n")
    assert run("plain.txt") == 2
    printed = capsys.readouterr()
    lines = [line.split(":")[1] for line in printed.out.splitlines() if line.startswith("✗")]
    assert lines == ["1", "2", "3"]
    assert "plain.txt: no row can be read" in printed.err
    assert run("plain.txt", "--json") == 2
    found = json.loads(capsys.readouterr().out)
    assert [each["line"] for each in found["issues"]] == [1, 2, 3]
    Path("fake.jsonl.gz").write_text("{}\n")
    assert run("fake.jsonl.gz", "--json") == 2
    assert len(json.loads(capsys.readouterr().out)["issues"]) == 1


def test_times_are_no_text_to_axolotl() -> None:
    def read(source: str) -> Any:
        values = [{"question": f"q {n}", "answer": Time("2024-01-01")} for n in range(3)]
        yield "rows.jsonl", Group([1, 2, 3], values, [1, 2, 3], [])

    Path("rows.jsonl").write_text("{}\n")
    with pytest.raises(DatasetError) as caught:
        open_dataset("rows.jsonl", read)
    assert "answer (a time)" in caught.value.what
    assert "as text" in caught.value.hint
    dataset = open_dataset("rows.jsonl", read, type_name="alpaca_chat.load_qa")
    report = examine(read("rows.jsonl"), dataset.format)
    assert not report.ok
    assert report.complaints[0].message == "answer is a time, not text"


def test_rows_that_teach_nothing_are_not_called_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(chats([USER, ANSWER], [USER])) == 0
    told = capsys.readouterr().err
    assert "2 rows · 1 teaches something · 1 teaches nothing (1 no assistant turn)" in told
    assert "dropped" not in told
    assert told.startswith("rows.jsonl: JSONL, chat_template\n")


def test_a_text_of_millions_of_tokens_says_how_many_are_not_shown() -> None:
    part = replace(PART, more=12_000, more_learnt=3)
    assert (part.size, part.learnt) == (12_005, 5)
    assert more_words(part) == "… and 12,000 more tokens, 3 of them learnt"
    assert more_words(PART) == ""
    assert any("12,000 more tokens" in line for line in row_lines(Shown(0, 0, "train", (part,))))


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ('{"instruction": "Why?", "input": "", "output": "x"}\n', "asks what a row of rows.jsonl"),
        ('{"instruction": "How?", "output": "x"}\n', "✓ the held-out row is not trained on"),
        ('{"instruction": "How?", "output": "x"}\n' * 2, "✓ 0 of 2 held-out rows are trained on"),
        ("", "held.jsonl has no row to hold out"),
        ('{"messages": [', "held.jsonl has no row to hold out"),
    ],
)
def test_what_is_held_out_always_gets_a_word(
    capsys: pytest.CaptureFixture[str], held: str, said: str
) -> None:
    Path("held.jsonl").write_text(held)
    assert run(chats([USER, ANSWER]), "--held-out", "held.jsonl") == 0
    printed = capsys.readouterr()
    assert said in printed.err
    assert ("held.jsonl:1" in printed.out) == (not held.endswith("}\n"))


@pytest.mark.parametrize(
    ("rl", "said"), [("rl: dpo\n", "these rows are no preferences"), ("", "messages")]
)
def test_the_training_of_a_config_says_what_the_rows_must_be(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, rl: str, said: str
) -> None:
    monkeypatch.setattr("ftui.plain.tokens.look", lambda plan, show: TOKENS)
    Path("config.yml").write_text(
        f"base_model: some/model\n{rl}datasets: [{{path: a.jsonl, type: chat_template}}]\n"
    )
    assert run(chats([USER, ANSWER]), "--config", "config.yml") == (2 if rl else 0)
    assert said in capsys.readouterr().err
