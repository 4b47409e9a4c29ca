"""The datasets of a config, row by row; and what is asked where their rows say nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftui.data.dataset import Groups, Undecided, open_dataset, read_files
from ftui.data.entries import format_of, look_at
from ftui.data.formats import Format, chat, columns_of_your_own
from ftui.data.guess import formats_for, pick
from ftui.data.report import asked_in_both
from ftui.errors import DatasetError, Interrupted
from ftui.plan.rows_choice import Ask, following, shown_of

ROLES = {"assistant": ["gpt", "bot"]}


@pytest.mark.parametrize(
    "format",
    [
        chat(),
        chat("dialogue", "from", "value", ROLES),
        columns_of_your_own("a", "b"),
        columns_of_your_own("a", "b", "c"),
        pick("alpaca"),
        pick("completion"),
    ],
)
def test_an_entry_is_read_back_as_the_format_that_wrote_it(format: Format) -> None:
    read = format_of({"path": "x", **format.keys})
    assert read is not None
    assert (read.keys, read.words, read.columns) == (format.keys, format.words, format.columns)


@pytest.mark.parametrize("kind", ["no_such_type", "my.own.module", None, 7])
def test_a_type_that_is_not_known_has_no_format(kind: Any) -> None:
    assert format_of({"path": "x", "type": kind}) is None


def test_a_completion_of_another_column() -> None:
    format = format_of({"type": "completion", "field": "body"})
    assert format is not None
    assert format.columns == ("body",)


@pytest.mark.parametrize("odd", [{"roles": "x"}, {"message_property_mappings": ["role"]}])
def test_a_config_with_a_slip_breaks_nothing(odd: dict[str, Any]) -> None:
    read = format_of({"type": "chat_template", **odd})
    assert read is not None
    assert read.keys == chat().keys


def test_every_dataset_has_its_own_report_or_says_why_not(tmp_path: Path) -> None:
    good = written(tmp_path, {"instruction": "a", "output": "b"})
    entries = [
        {"path": good, "type": "alpaca"},
        {"path": str(tmp_path / "nope.jsonl"), "type": "alpaca"},
        {"path": "acme/questions", "type": "alpaca"},
        {"path": good, "type": "alpaca", "split": "train[:10%]"},
        {"path": good, "type": "my.own"},
    ]
    heard: list[int] = []
    first, *others = look_at(entries, read_files, heard.append)
    assert first.report is not None
    assert (first.report.rows, heard) == (1, [1])
    told = [str(each.problem) for each in others]
    for words, said in zip(
        ("no such file", "on the hub", "only a part", "does not know the type"), told, strict=True
    ):
        assert words in said


def test_what_the_progress_raises_ends_the_reading(tmp_path: Path) -> None:
    closed: list[bool] = []

    def read(source: str) -> Groups:
        try:
            while True:
                yield from read_files(source)
        finally:
            closed.append(True)

    def stop(rows: int) -> None:
        raise Interrupted("enough")

    entry = {"path": written(tmp_path, {"instruction": "a", "output": "b"}), "type": "alpaca"}
    with pytest.raises(Interrupted):
        list(look_at([entry], read, stop))
    assert closed == [True], "and with it the process that reads"


def written(folder: Path, row: dict[str, Any], count: int = 1) -> str:
    source = folder / "rows.jsonl"
    source.write_text((json.dumps(row) + "\n") * count)
    return str(source)


def undecided(folder: Path, row: dict[str, Any]) -> Undecided:
    with pytest.raises(Undecided) as caught:
        open_dataset(written(folder, row), training="sft", ask=True)
    return caught.value


def test_the_same_answers_come_to_the_same_entry_as_the_flag(tmp_path: Path) -> None:
    row = {"id": "7", "asked here": "a long question", "said": "an answer"}
    choice = undecided(tmp_path, row)
    asked = following(choice, [])
    assert isinstance(asked, Ask)
    assert [option.label for option in asked.options] == list(row)
    chosen = following(choice, ["1", "2", "none"])
    assert isinstance(chosen, Format)
    source = written(tmp_path, row)
    by_flag = open_dataset(source, columns=("asked here", "said"))
    assert open_dataset(source, format=chosen, ask=True).entry == by_flag.entry


def test_every_way_through_the_questions_ends(tmp_path: Path) -> None:
    choice = undecided(tmp_path, {"title": "Rivers", "text": "Long.", "note": ""})
    ways: list[list[str]] = [[]]
    ended = 0
    while ways:
        answers = ways.pop()
        asked = following(choice, answers)
        if isinstance(asked, Ask):
            values = [option.value for option in asked.options]
            assert asked.current in values
            assert len(set(values)) == len(values)
            ways += [[*answers, value] for value in values]
        else:
            ended += 1
            learnt = [is_learnt for is_learnt, _ in shown_of(choice, answers)]
            assert learnt == sorted(learnt), "what is read comes before what is learnt"
            assert learnt.count(True) == 1
    assert ended > 6


def test_without_a_person_the_likeliest_is_taken(tmp_path: Path) -> None:
    source = written(tmp_path, {"question": "How long?", "sql": "SELECT 1"})
    assert open_dataset(source).guess.surely == "unsure"
    with pytest.raises(Undecided):
        open_dataset(source, ask=True)


@pytest.mark.parametrize("training", ["dpo", "kto"])
def test_preferences_are_not_asked_for_but_told(tmp_path: Path, training: str) -> None:
    source = written(tmp_path, {"left": "a", "right": "b"})
    with pytest.raises(DatasetError) as caught:
        open_dataset(source, training=training, ask=True)
    assert not isinstance(caught.value, Undecided)
    assert "What it reads, for example: each row has" in caught.value.hint


@pytest.mark.parametrize(
    ("row", "training", "hint"),
    [
        ({"instruction": "a", "output": "b"}, "dpo", "that has no `rl`"),
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, "sft", "that has `rl: dpo`"),
    ],
)
def test_rows_for_another_training_say_which(
    tmp_path: Path, row: dict[str, Any], training: str, hint: str
) -> None:
    with pytest.raises(DatasetError) as caught:
        open_dataset(written(tmp_path, row), training=training)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "entry",
    [
        "rows.jsonl",
        None,
        {"type": "chat_template", "roles": {"assistant": None}},
        {"type": "chat_template", "roles": {"assistant": "bot"}},
        {"type": "chat_template", "roles": ["bot"]},
    ],
)
def test_an_entry_of_an_odd_shape_says_nothing_of_roles(entry: Any) -> None:
    found = format_of(entry)
    assert found is None or "roles" not in found.keys


def test_what_is_held_out_and_asked_in_training_too_is_found(tmp_path: Path) -> None:
    rows = [{"instruction": f"{n}", "output": "b"} for n in range(20)]
    file, held = tmp_path / "rows.jsonl", tmp_path / "held.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    train = {"path": str(file), "type": "alpaca"}
    held.write_text("\n".join(json.dumps(row) for row in ({**rows[0], "output": "c"}, rows[1])))
    tests = [
        {"path": str(tmp_path / "nope.jsonl"), "type": "alpaca"},
        {"path": str(held), "type": "alpaca", "split": "train"},
    ]
    first, missing, second = look_at([train], read_files, lambda rows: None, tests)
    assert first.report is not None
    assert first.held_out is not None
    assert asked_in_both(first.report, first.held_out) == 2
    assert missing.problem is not None
    assert second.report is not None
    assert (second.report.rows, second.held_out) == (2, None)
    [alone] = look_at([train], read_files, lambda rows: None)
    assert alone.held_out is None


def test_a_part_of_a_file_is_not_looked_at(tmp_path: Path) -> None:
    entry = {"path": written(tmp_path, {"instruction": "a", "output": "b"}), "type": "alpaca"}
    [part] = look_at([{**entry, "split": "train[:5%]"}], read_files, lambda rows: None)
    assert "a part of it" in str(part.problem)
    [whole] = look_at([{**entry, "split": "train"}], read_files, lambda rows: None)
    assert whole.report is not None


@pytest.mark.parametrize("training", ["dpo", "orpo", "kto"])
@pytest.mark.parametrize("family", ["chatml", "llama3"])
def test_a_type_of_preferences_is_read_back_for_its_training(training: str, family: str) -> None:
    """axolotl gives one name to types of several trainings, and of several columns."""
    for format in formats_for(training, family):
        read = format_of({"path": "x", "ds_type": "json", **format.keys}, training)
        assert read is not None
        if format.name != "chat_template.default" or "field_messages" in format.keys:
            assert (read.training, read.keys) == (format.training, format.keys)
            assert (read.columns, read.words) == (format.columns, format.words)


def test_preferences_are_looked_at_as_those_of_the_configs_training(tmp_path: Path) -> None:
    rated = {"system": "s", "prompt": "a", "completion": "b", "label": True}
    entry = {"path": written(tmp_path, rated), "type": "chatml.prompt_pairs"}
    [kto] = look_at([entry], read_files, lambda rows: None, rl="kto")
    assert kto.report is not None
    assert kto.report.ok
