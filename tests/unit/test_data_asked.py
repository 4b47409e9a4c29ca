"""The same question again is told: in training a hint, in held-out rows that memory is measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftui.data.asked import asked_in
from ftui.data.dataset import open_dataset, read_files
from ftui.data.doctor import examine, examine_held_out
from ftui.data.guess import guess
from ftui.data.judge import Reason
from ftui.data.report import asked_in_both, in_both
from tests.fixtures.datasets import EVERY, Sample, name


def chat(question: str, answer: str, system: str = "be kind") -> dict[str, Any]:
    turns = (("system", system), ("user", question), ("assistant", answer))
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


def written(folder: Path, file: str, *rows: dict[str, Any]) -> str:
    path = folder / file
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("sample", EVERY, ids=name)
def test_every_type_has_a_question_unless_it_has_no_text(sample: Sample) -> None:
    found = guess(sample.rows, training=sample.rl or "sft")
    assert found is not None
    questions = {asked_in(found.format)(row) for row in sample.rows}
    if sample.type in ("tokenized", "input_output"):
        assert questions == {None}
    else:
        assert len(questions - {None}) == 3


def test_the_same_question_in_training_is_a_hint(tmp_path: Path) -> None:
    source = written(
        tmp_path,
        "rows.jsonl",
        chat("Why  is it so?", "a"),
        chat("What?", "b"),
        chat("why is it\nSO?", "c"),
        chat("Why is it so?", "a", system="another table"),
        chat("What?", "b"),
    )
    report = examine(read_files(source), open_dataset(source).format)
    assert report.found == {Reason.ALIKE: 1, Reason.DUPLICATE: 1}
    [alike] = [each for each in report.complaints if each.reason is Reason.ALIKE]
    assert (alike.line, alike.message) == (3, "asks what line 1 asks")
    assert alike.hint
    assert (report.ok, report.kept) == (True, 5)


def test_rated_and_preferred_answers_may_share_their_question(tmp_path: Path) -> None:
    rows = [{"prompt": "a", "chosen": f"{n}", "rejected": "x"} for n in range(3)]
    source = written(tmp_path, "rows.jsonl", *rows)
    report = examine(read_files(source), open_dataset(source, training="dpo").format)
    assert report.complaints == []


def test_held_out_rows_that_ask_what_is_trained_are_counted(tmp_path: Path) -> None:
    train = written(tmp_path, "train.jsonl", chat("one", "a"), chat("two", "b"), chat("three", "c"))
    held = written(
        tmp_path,
        "held.jsonl",
        chat("four", "a"),
        chat("ONE ", "z"),
        chat("one", "y"),
        chat("two", "b"),
    )
    format = open_dataset(train).format
    held_out = examine_held_out(read_files(held), format)
    report = examine(read_files(train), format, held_out=held_out)
    assert in_both(report, held_out) == 1
    assert asked_in_both(report, held_out) == 3
    question = min(report.met, key=lambda each: report.met[each])
    assert report.at(report.met[question]) == (train, 1)
    assert held_out.at(held_out.questions[question]) == (held, 2)


def test_rows_that_are_no_conversations_are_passed_over(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"messages": 5}, {"messages": [None]}, {"messages": "no JSON"}]
    source = written(tmp_path, "rows.jsonl", chat("a", "b"), *rows)
    format = open_dataset(source, type_name="chat_template").format
    held_out = examine_held_out(read_files(source), format)
    assert (held_out.rows, len(held_out.questions)) == (4, 1)
