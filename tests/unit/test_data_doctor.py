"""Every row is looked at, and what is odd about one is told with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftui.data.dataset import Dataset, open_dataset, read_files
from ftui.data.doctor import examine
from ftui.data.formats import chat
from ftui.data.guess import pick
from ftui.data.judge import Reason, judge_of, odd_rows
from ftui.data.report import Report, in_both
from ftui.data.writing import written_in
from ftui.errors import DatasetError
from tests.fixtures.datasets import EVERY, Row, Sample, name

USER = {"role": "user", "content": "Hello?"}
ANSWER = {"role": "assistant", "content": "Hi."}
GOOD: Row = {"messages": [USER, ANSWER]}


def written(folder: Path, *rows: object, file: str = "rows.jsonl") -> str:
    path = folder / file
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def looked_at(folder: Path, *rows: object) -> Report:
    source = written(folder, *rows)
    return examine(read_files(source), open_dataset(source).format)


@pytest.mark.parametrize("sample", EVERY, ids=name)
def test_good_rows_of_every_type_get_no_word(tmp_path: Path, sample: Sample) -> None:
    source = written(tmp_path, *sample.rows)
    dataset = open_dataset(source, training=sample.rl or "sft")
    report = examine(read_files(source), dataset.format)
    assert report.complaints == []
    assert (report.rows, report.kept, report.ok) == (3, 3, True)
    assert dataset.entry == {"path": source, "ds_type": "json", **sample.keys}


@pytest.mark.parametrize(
    ("row", "reason", "field"),
    [
        ({"messages": [USER]}, Reason.NO_ANSWER, "messages"),
        ({"messages": [USER, {**ANSWER, "content": ""}]}, Reason.EMPTY, "messages"),
        ({"messages": [USER, {**ANSWER, "content": " \n"}]}, Reason.EMPTY, "messages"),
        ({"messages": [USER, ANSWER, USER]}, Reason.LAST_TURN, "messages"),
        ({"messages": [{**USER, "role": "zorg"}, ANSWER]}, Reason.ROLE, "messages"),
        ({"messages": [USER, {**ANSWER, "content": 5}]}, Reason.UNREADABLE, "messages.1.content"),
        ({"messages": [USER, {**ANSWER, "role": None}]}, Reason.UNREADABLE, "messages.1.role"),
        ({"messages": [USER, None]}, Reason.UNREADABLE, "messages.1"),
        ({"messages": []}, Reason.UNREADABLE, "messages"),
        ({"messages": None}, Reason.UNREADABLE, "messages"),
        ({}, Reason.UNREADABLE, "messages"),
        ([1], Reason.BROKEN, ""),
        (GOOD, Reason.DUPLICATE, ""),
    ],
)
def test_an_odd_row_is_told_with_its_place(
    tmp_path: Path, row: object, reason: Reason, field: str
) -> None:
    others = [{"messages": [{**USER, "content": f"{n}?"}, ANSWER]} for n in range(3)]
    report = looked_at(tmp_path, GOOD, *others, row)
    [complaint] = [each for each in report.complaints if each.reason is not Reason.ALIKE]
    assert (complaint.reason, complaint.line, complaint.field) == (reason, 5, field)
    assert complaint.message
    assert complaint.hint


@pytest.mark.parametrize("output", [None, "", "  "])
def test_a_row_without_an_answer_teaches_nothing_and_stops_nothing(
    tmp_path: Path, output: str | None
) -> None:
    good = {"instruction": "a", "output": "b"}
    report = looked_at(tmp_path, good, {"instruction": "c", "output": output})
    assert report.found == {Reason.EMPTY: 1}
    assert (report.kept, report.dropped, report.ok) == (1, 1, True)


def test_what_would_stop_axolotl_is_not_ok(tmp_path: Path) -> None:
    good = {"instruction": "a", "output": "b"}
    report = looked_at(tmp_path, good, {"instruction": "c", "output": 5})
    assert not report.ok
    assert report.complaints[0].field == "output"


def test_nothing_to_learn_at_all_is_not_ok(tmp_path: Path) -> None:
    assert not looked_at(tmp_path, {"messages": [USER]}).ok


def test_many_alike_are_counted_and_the_first_few_told(tmp_path: Path) -> None:
    report = looked_at(tmp_path, GOOD, *({"messages": [USER]} for _ in range(50)))
    assert report.found[Reason.NO_ANSWER] == 50
    assert report.found[Reason.DUPLICATE] == 49
    told = [each for each in report.complaints if each.reason is Reason.NO_ANSWER]
    assert [each.line for each in told] == [2, 3, 4, 5, 6]


def test_rows_that_are_held_out_and_trained_on_are_counted(tmp_path: Path) -> None:
    train = looked_at(tmp_path, GOOD, {"messages": [USER, {**ANSWER, "content": "x"}]})
    assert in_both(train, looked_at(tmp_path, GOOD)) == 1


def test_progress_is_told_row_by_row(tmp_path: Path) -> None:
    source = written(tmp_path, *({"text": f"row {number}" * 100} for number in range(500)))
    heard: list[int] = []
    report = examine(read_files(source), open_dataset(source).format, on_progress=heard.append)
    assert heard == sorted(heard)
    assert len(heard) > 3
    assert heard[-1] == report.rows == 500


JSON = st.none() | st.booleans() | st.integers() | st.sampled_from(["", " ", "a", "user"])
TURN = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "assistant", "gpt", "system", "zorg", "", None]),
        "content": JSON,
        "tool_calls": JSON,
    },
)
CHAT_ROW = st.fixed_dictionaries({}, optional={"messages": st.none() | st.lists(TURN, max_size=4)})
PLAIN_ROW = st.dictionaries(st.sampled_from(["instruction", "input", "output"]), JSON)


@given(st.lists(CHAT_ROW, max_size=4), st.lists(PLAIN_ROW, max_size=4))
def test_the_quick_look_passes_over_nothing(chats: list[Row], plain: list[Row]) -> None:
    alpaca = pick("alpaca")
    assert alpaca is not None
    for format, rows in ((chat(), chats), (alpaca, plain)):
        odd = set(odd_rows(format)(rows))
        for number, row in enumerate(rows):
            if format.wrong(row) is not None or judge_of(format)(row):
                assert number in odd


def test_the_columns_can_be_chosen(tmp_path: Path) -> None:
    source = written(tmp_path, {"a": "x", "b": "y", "n": 5})
    with pytest.raises(DatasetError) as caught:
        open_dataset(source)
    assert "--columns a,b" in caught.value.hint
    dataset: Dataset = open_dataset(source, columns=("a", "b"))
    assert dataset.entry["type"]["field_output"] == "b"
    with pytest.raises(DatasetError, match="no column of text 'n'"):
        open_dataset(source, columns=("a", "n"))


@pytest.mark.parametrize(
    ("text", "languages"),
    [
        ("The dog is in the house and it is not the one that was there for this. ", ("English",)),
        ("Der Hund ist nicht mit der Katze und das ist ein Haus von den Leuten. ", ("German",)),
        ("これは日本語の文章です。漢字も混ざっています。", ("Japanese",)),
        ("Съешь же ещё этих мягких французских булок. ", ("Cyrillic",)),
        ("SELECT a FROM b WHERE c > d; ", ("Latin letters",)),
        ("1234 ", ()),
    ],
)
def test_the_language_is_guessed(text: str, languages: tuple[str, ...]) -> None:
    assert written_in([{"messages": [{"content": text * 20}]}]) == languages
    assert written_in([{"text": text[:20]}]) == ()
