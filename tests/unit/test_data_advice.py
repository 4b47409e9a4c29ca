"""What is only unsure is refused where nobody is asked; what is proposed can be pasted."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from ftui.cli import _guarded, cli
from ftui.data.choosing import tells_rows_apart
from ftui.data.dataset import Undecided, open_dataset
from ftui.errors import DatasetError
from ftui.plan.plan import start
from ftui.plan.presets import find
from ftui.plan.rows_choice import Ask, following
from ftui.plan.steps import step
from ftui.targets.world import survey


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def rows(*values: dict[str, Any], file: str = "rows.jsonl") -> str:
    Path(file).write_text("".join(json.dumps(row) + "\n" for row in values), encoding="utf-8")
    return file


def rated(*labels: object) -> str:
    return rows(*({"prompt": f"q {n}", "completion": "a", "label": n} for n in labels))


def run(*arguments: str) -> int:
    return _guarded(lambda: cli.main([*arguments], prog_name="ftui", standalone_mode=False))


@pytest.mark.parametrize("labels", [("yes", "no"), (1, 0), (0.5, 0.1)])
def test_a_label_that_is_not_true_or_false_is_told_where_it_is(
    capsys: pytest.CaptureFixture[str], labels: tuple[object, ...]
) -> None:
    assert run("data", rated(*labels), "--rl", "kto", "--json") == 2
    found = json.loads(capsys.readouterr().out)
    assert [(each["line"], each["field"]) for each in found["issues"]] == [
        (1, "label"),
        (2, "label"),
    ]
    assert all("not true or false" in each["message"] for each in found["issues"])


def test_a_label_beside_an_answer_is_not_passed_over_without_a_word(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("data", rated("yes", "no")) == 0
    told = capsys.readouterr().err
    assert "unsure" in told
    assert "label is not read" in told


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "a", "completion": "b", "label": "yes"},
        {"question": "a", "sql": "b"},
        {"text": "a", "title": "b"},
    ],
)
def test_what_is_unsure_is_refused_where_nobody_is_asked(row: dict[str, Any]) -> None:
    world = survey()
    with pytest.raises(Undecided) as caught:
        step("data").apply(start(find("nano-sql-lora")), rows(row), world)
    assert "--convert chat_template -o NEW.jsonl" in caught.value.hint


def test_the_columns_that_are_proposed_can_be_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    source = rows(
        *(
            {"Ticket No": f"T-{n}", "Anfrage Text": f"Was ist {n}?", "SQL-Lösung": f"SELECT {n}, 1"}
            for n in range(3)
        )
    )
    with pytest.raises(DatasetError) as caught:
        open_dataset(source)
    command = caught.value.hint.split(": ")[1].split(", and train")[0]
    _, *arguments = shlex.split(command.replace("FILE", source))
    assert "Anfrage Text,SQL-Lösung" in arguments
    assert run(*arguments) == 0
    assert json.loads(Path("NEW.jsonl").read_text().splitlines()[0])["messages"]
    assert "3 rows of chat_template" in capsys.readouterr().err


def test_an_answer_is_never_proposed_for_a_question() -> None:
    with pytest.raises(DatasetError) as caught:
        open_dataset(rows({"chosen": "good", "rejected": "bad"}))
    assert not isinstance(caught.value, Undecided)
    assert "question is missing" in caught.value.what
    assert "--columns" not in caught.value.hint


def test_among_many_columns_none_is_proposed() -> None:
    with pytest.raises(DatasetError) as caught:
        open_dataset(rows({f"c{n}": "some text" for n in range(40)}))
    assert "--columns QUESTION,ANSWER" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "values", "apart"),
    [
        ("id", ["a text that is long enough"], True),
        ("Ticket No", ["a"], True),
        ("ticket_nr", ["a"], True),
        ("x", ["T-1", "T-2"], True),
        ("x", ["yes", "yes"], False),
        ("answer", ["Paris", "Rome"], False),
        ("notes", ["How many are there?", "Why 7?"], False),
    ],
)
def test_columns_that_tell_rows_apart(name: str, values: list[str], apart: bool) -> None:
    assert tells_rows_apart([{name: value} for value in values], name) is apart


def test_a_person_is_not_offered_a_number_first() -> None:
    source = rows({"ref": "a-rather-long-reference-0001", "id": "x" * 90, "ask": "b?", "say": "c"})
    with pytest.raises(Undecided) as caught:
        open_dataset(source, ask=True)
    first = following(caught.value, [])
    assert isinstance(first, Ask)
    assert list(caught.value.columns)[int(first.current)] != "id"


@pytest.mark.parametrize(
    "arguments",
    [
        ("",),
        ("rows.jsonl", "--type", ""),
        ("rows.jsonl", "--columns", ""),
        ("rows.jsonl", "--columns", "a,a"),
        ("rows.jsonl", "--columns", "a,b", "--type", "alpaca"),
        ("rows.jsonl", "--show", "3"),
        ("rows.jsonl", "--show", "-1", "--preset", "nano-sql-lora"),
    ],
)
def test_options_that_say_nothing_are_refused(arguments: tuple[str, ...]) -> None:
    rows({"a": "x", "b": "y"})
    assert run("data", *arguments) == 2


def test_a_link_to_nothing_and_one_to_itself_are_told_apart() -> None:
    Path("self.jsonl").symlink_to("self.jsonl")
    Path("gone.jsonl").symlink_to("nowhere.jsonl")
    with pytest.raises(DatasetError, match="without an end"):
        open_dataset("self.jsonl")
    with pytest.raises(DatasetError, match="link to nothing") as caught:
        open_dataset("gone.jsonl")
    assert "nowhere.jsonl" in str(caught.value.why)


def test_a_table_of_names_alone_says_so() -> None:
    Path("rows.csv").write_text("question,answer\n")
    with pytest.raises(DatasetError, match="only its header"):
        open_dataset("rows.csv")


def test_cells_that_are_read_as_nothing_name_a_type_that_can_be_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("rows.csv").write_text("question,answer\nHow?,NA\nWhy?,So\n")
    assert run("data", "rows.csv") == 0
    assert "--convert chat_template -o NEW.jsonl" in capsys.readouterr().out
