"""What axolotl's reader makes of values without a word is told, with what to do about it.

Each was measured with datasets 4.8 and axolotl 0.19; tests/e2e/test_values.py asks them again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftui.data.dataset import open_dataset, read_files
from ftui.data.doctor import examine
from ftui.data.judge import Reason
from ftui.data.report import Complaint, Report

DATES = ("2024-05-01", "2024-05-02T10:30:00+02:00", "2024-05-03 08")
Rows = list[dict[str, Any]]


def seen(path: Path, content: str, type_name: str = "", training: str = "") -> Report:
    path.write_text(content, encoding="utf-8")
    dataset = open_dataset(str(path), type_name=type_name, training=training)
    return examine(read_files(str(path)), dataset.format)


def of(folder: Path, rows: Rows, type_name: str = "", training: str = "") -> Report:
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    return seen(folder / "rows.jsonl", lines, type_name, training)


def only(report: Report) -> Complaint:
    [complaint] = report.complaints
    assert complaint.message
    assert complaint.hint
    return complaint


def alpaca(**columns: Any) -> Rows:
    """Rows of alpaca, with other values in some columns; a tuple has one for each row."""
    plain: Rows = [
        {"instruction": f"ask {n}", "input": f"of {n}", "output": f"say {n}"} for n in range(3)
    ]
    for name, each in columns.items():
        for number, row in enumerate(plain):
            row[name] = each[number] if isinstance(each, tuple) else each
    return plain


# ── No value ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rows", "training", "field", "reason"),
    [
        (alpaca(instruction=("a", None, "b")), "", "instruction", Reason.NO_VALUE),
        (alpaca(output=("a", None, "b")), "", "output", Reason.EMPTY),
        (alpaca(instruction=("a", 5, "b")), "", "instruction", Reason.REWRITTEN),
        (alpaca(input=("a", ["x"], "b")), "", "input", Reason.REWRITTEN),
        (alpaca(output=("a", 5, "b")), "", "output", Reason.UNREADABLE),
        (
            [
                {"system": "s", "question": f"{n}", "chosen": None if n else "a", "rejected": "b"}
                for n in range(2)
            ],
            "dpo",
            "chosen",
            Reason.NO_VALUE,
        ),
        (
            [{"article": f"{n}", "question": "q" if n else None, "answer": "a"} for n in (1, 0, 2)],
            "",
            "question",
            Reason.UNREADABLE,
        ),
    ],
)
def test_what_becomes_of_no_value(
    tmp_path: Path, rows: Rows, training: str, field: str, reason: Reason
) -> None:
    report = of(tmp_path, rows, training=training)
    complaint = only(report)
    assert (complaint.line, complaint.field, complaint.reason) == (2, field, reason)
    assert report.ok is (reason is not Reason.UNREADABLE)


def test_no_value_where_a_row_is_written_without_it_gets_no_word(tmp_path: Path) -> None:
    rows = alpaca(input=("a", None, "b"))
    assert of(tmp_path, rows).complaints == []
    system: Rows = [{**row, "system": row["input"]} for row in rows]
    assert of(tmp_path, system, "alpaca_w_system").complaints == []


def test_a_column_that_no_row_has_stops_axolotl(tmp_path: Path) -> None:
    rows: Rows = [{"text": "a", "output": str(number)} for number in range(3)]
    report = of(tmp_path, rows, "alpaca")
    complaint = only(report)
    assert (complaint.reason, complaint.field) == (Reason.UNREADABLE, "instruction")
    assert report.found == {Reason.UNREADABLE: 3}
    assert not report.ok


def test_a_system_prompt_that_some_conversations_lack_stops_axolotl(tmp_path: Path) -> None:
    def chat(number: int, **more: Any) -> dict[str, Any]:
        turns = [("user", f"{number}?"), ("assistant", "yes")]
        return {"messages": [{"role": r, "content": c} for r, c in turns], **more}

    told = {"role": "system", "content": "be kind"}
    own = {"messages": [told, *chat(4)["messages"]], "system": None}
    assert of(tmp_path, [chat(1), chat(2)]).complaints == []
    assert of(tmp_path, [chat(1, system="s"), own]).complaints == []
    for rows, line in (
        ([chat(1, system="s"), chat(2, system=None)], 2),
        ([chat(1, system="s"), chat(2)], 2),
        ([chat(1), chat(2), chat(3, system="s")], 1),
    ):
        complaint = of(tmp_path, rows).complaints[0]
        assert (complaint.reason, complaint.line) == (Reason.UNREADABLE, line)
        assert (complaint.field, bool(complaint.hint)) == ("system", True)


# ── Dates ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("column", "reason"),
    [("instruction", Reason.REWRITTEN), ("input", Reason.REWRITTEN), ("output", Reason.UNREADABLE)],
)
@pytest.mark.parametrize("array", [False, True])
def test_a_column_of_dates_is_told(
    tmp_path: Path, column: str, reason: Reason, array: bool
) -> None:
    rows = alpaca(**{column: DATES})
    report = seen(tmp_path / "rows.json", json.dumps(rows)) if array else of(tmp_path, rows)
    complaint = only(report)
    assert (complaint.line, complaint.field, complaint.reason) == (1, column, reason)
    assert report.found[reason] == 3
    assert ("2024-05-01 00:00:00" in complaint.message) == (reason is Reason.REWRITTEN)


@pytest.mark.parametrize(
    "other", ["hello", "2024/05/01", "2024-13-01", "2024-05-01T10:00:00.5", "20240501", " "]
)
def test_one_value_that_is_no_date_keeps_all_of_them_text(tmp_path: Path, other: str) -> None:
    assert of(tmp_path, alpaca(instruction=(*DATES[:2], other))).complaints == []


def test_conversations_of_nothing_but_dates_are_told(tmp_path: Path) -> None:
    turns = [("user", DATES[0]), ("assistant", DATES[2])]
    row = {"messages": [{"role": role, "content": text} for role, text in turns]}
    complaint = only(of(tmp_path, [row]))
    assert (complaint.reason, complaint.field) == (Reason.UNREADABLE, "messages")


# ── CSV ──────────────────────────────────────────────────────────────────────────────────────────


def csv_of(folder: Path, *lines: str, type_name: str = "alpaca") -> Report:
    text = "instruction,input,output\n" + "".join(f"{line}\n" for line in lines)
    return seen(folder / "rows.csv", text, type_name)


@pytest.mark.parametrize("word", ["NA", "null", "None", "nan", "N/A", '"NA"'])
@pytest.mark.parametrize(
    ("line", "reason"),
    [("{},b,c", Reason.NO_VALUE), ("a,{},c", None), ("a,b,{}", Reason.EMPTY)],
)
def test_words_that_mean_no_value_in_csv(
    tmp_path: Path, word: str, line: str, reason: Reason | None
) -> None:
    report = csv_of(tmp_path, "x,y,z", line.format(word))
    if reason is None:
        assert report.complaints == []
        return
    complaint = only(report)
    assert (complaint.reason, complaint.line) == (reason, 3)
    assert f"is {word.strip(chr(34))}, which is read as no value" in complaint.message
    assert "--convert" in complaint.hint


@pytest.mark.parametrize("cell", ["none", "Na", "NIL", "-"])
def test_other_words_are_text_in_csv(tmp_path: Path, cell: str) -> None:
    assert csv_of(tmp_path, f"{cell},b,{cell}").complaints == []


def test_an_empty_instruction_becomes_the_word_none_in_csv(tmp_path: Path) -> None:
    complaint = only(csv_of(tmp_path, "x,y,z", ",b,c"))
    assert (complaint.reason, complaint.field) == (Reason.NO_VALUE, "instruction")


@pytest.mark.parametrize(
    ("cells", "written"),
    [
        (("8", "007"), "007 is written as 7"),
        (("1", "1.50"), "1 is written as 1.0"),
        (("true", "False"), "true is written as True"),
        (("1", "NA"), "1 is written as 1.0"),
    ],
)
def test_a_column_of_numbers_in_csv_is_no_text(
    tmp_path: Path, cells: tuple[str, ...], written: str
) -> None:
    asked = csv_of(tmp_path, *(f"{cell},b{n},c" for n, cell in enumerate(cells)))
    told = [each for each in asked.complaints if each.reason is Reason.REWRITTEN]
    assert written in told[0].message
    assert asked.ok
    learnt = csv_of(tmp_path, *(f"a{n},b,{cell}" for n, cell in enumerate(cells)))
    assert Reason.UNREADABLE in learnt.found
    assert not learnt.ok


@pytest.mark.parametrize("cells", [("1", "2"), ("a", "007"), ("1,000", "2,000"), ("0x1F", "1")])
def test_cells_that_stay_as_they_are_get_no_word(tmp_path: Path, cells: tuple[str, ...]) -> None:
    report = csv_of(tmp_path, *(f'"{cell}",b{n},c' for n, cell in enumerate(cells)))
    assert report.complaints == []


@pytest.mark.parametrize(
    ("first", "late"), [("1", "word"), ("1", "0.5"), ("True", "word"), ("", "word")]
)
def test_a_cell_unlike_the_first_ten_thousand_ends_the_reading(
    tmp_path: Path, first: str, late: str
) -> None:
    lines = [f"a{number},{first},c" for number in range(10_000)]
    complaint = only(csv_of(tmp_path, *lines, "x,y,z" if late == "word" else f"x,{late},z"))
    assert (complaint.reason, complaint.line) == (Reason.LATE, 10_002)
    assert csv_of(tmp_path, *lines, f"x,{first},z").ok


# ── After the first 10 MB ────────────────────────────────────────────────────────────────────────


LATE: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"n": None}, "n"),
    ({"n": None}, {"n": "a"}, "n"),
    ({"n": []}, {"n": ["a"]}, "n"),
    ({"n": 1}, {"n": 0.5}, "n"),
    ({"n": 1}, {"n": "a"}, "n"),
    ({"n": True}, {"n": 3}, "n"),
    ({"n": ["a"]}, {"n": "a"}, "n"),
    ({"n": {"a": 1}}, {"n": {"a": 1, "b": 2}}, "n.b"),
    ({"n": [{"a": "x"}]}, {"n": [{"a": "x", "b": "y"}]}, "n.b"),
    ({"n": [{"a": "x", "b": None}]}, {"n": [{"a": "x", "b": "y"}]}, "n.b"),
]
"""What all rows of the first 10 MB have, what a later one has, and the place in that."""
STILL_FITS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"n": "a"}, {"n": 5}),
    ({"n": "a"}, {"n": None}),
    ({"n": 1}, {"n": 2.0}),
    ({"n": 1}, {"n": "12"}),
    ({"n": 0.5}, {"n": 1}),
    ({"n": {}}, {"n": {"a": 1}}),
    ({"n": {"a": 1, "b": 2}}, {"n": {"a": 1}}),
    ({"n": ["a"]}, {"n": []}),
    ({"n": ["a"]}, {"n": [3]}),
    ({"n": [{"a": 1}]}, {"n": []}),
    ({"n": 1}, {}),
]


def after_10_mb(folder: Path, late: dict[str, Any], **usual: Any) -> Report:
    return of(folder, rows_after_10_mb(late, **usual), "completion")


def rows_after_10_mb(late: dict[str, Any], **usual: Any) -> Rows:
    text = "x" * 100_000
    rows: Rows = [{"text": f"{number} {text}", **usual} for number in range(110)]
    return [*rows, {"text": "late", **late}, {"text": "end", **usual}]


@pytest.mark.parametrize(("usual", "late", "field"), LATE)
def test_what_comes_first_after_10_mb_ends_the_reading(
    tmp_path: Path, usual: dict[str, Any], late: dict[str, Any], field: str
) -> None:
    report = after_10_mb(tmp_path, late, **usual)
    complaint = only(report)
    assert (complaint.reason, complaint.line, complaint.field) == (Reason.LATE, 111, field)
    assert not report.ok


@pytest.mark.parametrize(("usual", "late"), STILL_FITS)
def test_what_fits_all_the_same_gets_no_word(
    tmp_path: Path, usual: dict[str, Any], late: dict[str, Any]
) -> None:
    assert after_10_mb(tmp_path, late, **usual).complaints == []


def test_a_new_column_before_10_mb_gets_no_word(tmp_path: Path) -> None:
    rows: Rows = [{"text": f"{number}"} for number in range(5)]
    assert of(tmp_path, [*rows, {"text": "a", "n": 1}], "completion").complaints == []


def test_many_turns_with_a_new_key_after_10_mb_end_the_reading(tmp_path: Path) -> None:
    def chat(number: int, **more: str) -> dict[str, Any]:
        asked = {"role": "user", "content": f"{number}?" + "x" * 9_000, **more}
        return {"messages": [asked, {"role": "assistant", "content": "yes"}]}

    rows = [chat(number) for number in range(1_200)]
    named = [chat(number, name="bob") for number in range(2_000, 2_100)]
    complaint = only(of(tmp_path, [*rows, *named]))
    assert (complaint.reason, complaint.field) == (Reason.LATE, "messages.name")
    assert of(tmp_path, [*named, *rows]).complaints == []


# ── Conversations as JSON text ───────────────────────────────────────────────────────────────────


def test_conversations_written_as_json_text_are_read(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    unanswered = turns[:1]
    rows: Rows = [{"messages": json.dumps(each)} for each in (turns, unanswered)]
    report = of(tmp_path, rows)
    assert report.format.name == "chat_template"
    assert (report.rows, report.kept) == (2, 1)
    assert [each.reason for each in report.complaints][:1] == [Reason.NO_ANSWER]


@pytest.mark.parametrize(
    ("text", "words"),
    [("[{'role': 'user', 'content': 'a'}]", "as Python writes it"), ("hello", "not a list")],
)
def test_text_that_is_no_json_stops_axolotl(tmp_path: Path, text: str, words: str) -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    report = of(tmp_path, [{"messages": json.dumps(turns)}, {"messages": text}], "chat_template")
    complaint = only(report)
    assert (complaint.reason, complaint.line) == (Reason.UNREADABLE, 2)
    assert words in complaint.message


# ── Several files ────────────────────────────────────────────────────────────────────────────────


def test_what_is_true_of_all_rows_is_told_where_it_begins(tmp_path: Path) -> None:
    for file in ("a", "b"):
        row = {"prompt": f"Say {file}.", "generation": f"2024-05-0{ord(file) - 96}"}
        (tmp_path / f"{file}.jsonl").write_text(json.dumps(row) + "\n")
    complaint = only(examine(read_files(str(tmp_path)), open_dataset(str(tmp_path)).format))
    assert (complaint.file, complaint.line) == (str(tmp_path / "a.jsonl"), 1)
    assert complaint.message.startswith("generation holds nothing but dates")


def test_numbers_are_told_in_the_file_that_has_them_first(tmp_path: Path) -> None:
    for file in ("a", "b"):
        (tmp_path / f"{file}.csv").write_text(f"instruction,output\nSay {file}.,7\n")
    complaint = only(examine(read_files(str(tmp_path)), open_dataset(str(tmp_path)).format))
    assert (complaint.file, complaint.line) == (str(tmp_path / "a.csv"), 2)


def test_a_system_prompt_that_comes_with_the_second_file_is_missing_in_the_first(
    tmp_path: Path,
) -> None:
    for file, more in (("a", {}), ("b", {"system": "Be kind."})):
        turns = [{"role": "user", "content": file}, {"role": "assistant", "content": "b"}]
        (tmp_path / f"{file}.jsonl").write_text(json.dumps({"messages": turns, **more}) + "\n")
    report = examine(read_files(str(tmp_path)), open_dataset(str(tmp_path)).format)
    [complaint] = [each for each in report.complaints if each.reason is Reason.UNREADABLE]
    assert (complaint.file, complaint.line) == (str(tmp_path / "a.jsonl"), 1)


def test_a_row_that_is_useless_twice_is_dropped_once(tmp_path: Path) -> None:
    row = dict.fromkeys(("context", "question", "answer"), "2024-05-01")
    report = of(tmp_path, [row, row | {"answer": "2024-05-02"}], "context_qa.load_v2")
    assert (report.rows, report.kept, report.dropped) == (2, 0, 2)
    assert report.found[Reason.UNREADABLE] == 2


def test_a_cell_of_thousands_of_digits_is_text(tmp_path: Path) -> None:
    report = csv_of(tmp_path, f"{'1' * 5000},a,b", f"{'2' * 5000},c,d")
    assert report.complaints == []
