"""Rows in another type say what they said before."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftui.data.convert import TARGETS, convert, targets
from ftui.data.guess import guess
from ftui.data.said import CannotHold, read
from tests.fixtures.datasets import EVERY, SFT, Row, Sample, name

TEXT = st.text(min_size=1, max_size=20)


def converted(rows: list[Row], to: str, training: str = "sft") -> list[Row]:
    found = guess(rows, training=training)
    assert found is not None
    return [made for row in rows for made in convert(row, found.format, TARGETS[to])]


@st.composite
def conversations(draw: st.DrawFn) -> Row:
    system = draw(st.none() | TEXT)
    turns = [{"role": "system", "content": system}] if system else []
    for _ in range(draw(st.integers(1, 3))):
        turns.append({"role": "user", "content": draw(st.text(max_size=9))})
        turns.append({"role": "assistant", "content": draw(st.text(max_size=9))})
    others = draw(st.dictionaries(st.sampled_from(["id", "source"]), st.integers()))
    return {"messages": turns, **others}


@given(conversations())
def test_a_conversation_comes_back_as_it_was(row: Row) -> None:
    try:
        [there] = converted([row], "alpaca_w_system")
    except CannotHold:
        assert len(row["messages"]) > 3
        return
    assert converted([there], "chat_template") == [row]


@given(
    st.fixed_dictionaries(
        {"instruction": TEXT, "input": st.just(""), "output": TEXT},
        optional={"id": st.integers()},
    )
)
def test_an_instruction_comes_back_as_it_was(row: Row) -> None:
    assert converted(converted([row], "chat_template"), "alpaca") == [row]


@given(st.fixed_dictionaries({"instruction": TEXT, "input": TEXT, "output": TEXT}))
def test_an_input_stands_under_its_question(row: Row) -> None:
    [chat] = converted([row], "chat_template")
    asked = chat["messages"][0]["content"]
    assert asked == f"{row['instruction']}\n\n{row['input']}"
    assert converted(converted([chat], "alpaca"), "chat_template") == [chat]


@given(st.fixed_dictionaries({"prompt": TEXT, "chosen": TEXT, "rejected": TEXT}))
def test_a_preference_comes_back_as_it_was(row: Row) -> None:
    [pair] = converted([row], "dpo", "dpo")
    [both] = converted([pair], "orpo", "dpo")
    assert converted([both], "dpo", "dpo") == [pair]
    assert pair["messages"] == [{"role": "user", "content": row["prompt"]}]
    assert (pair["chosen"]["content"], pair["rejected"]["content"]) == (
        row["chosen"],
        row["rejected"],
    )


def test_a_pair_is_a_good_and_a_bad_answer() -> None:
    made = converted([{"prompt": "a", "chosen": "b", "rejected": "c"}], "kto", "dpo")
    assert [(row["completion"], row["label"]) for row in made] == [("b", True), ("c", False)]


@pytest.mark.parametrize("sample", EVERY, ids=name)
def test_what_is_written_is_of_the_type_it_says(sample: Sample) -> None:
    found = guess(sample.rows, training=sample.rl or "sft")
    assert found is not None
    for to in targets(found.format):
        try:
            made = converted(list(sample.rows), to, sample.rl or "sft")
        except CannotHold:
            continue
        again = guess(made, training=TARGETS[to].training)
        assert again is not None
        assert again.format.name == TARGETS[to].says


@pytest.mark.parametrize("sample", SFT, ids=name)
def test_every_answer_is_still_there(sample: Sample) -> None:
    found = guess(sample.rows, training="sft")
    assert found is not None
    for row in sample.rows if "chat_template" in targets(found.format) else ():
        before = read(row, found.format)
        [made] = convert(row, found.format, TARGETS["chat_template"])
        after: Any = read(made, guess([made]).format)  # type: ignore[union-attr]
        assert [turn.text for turn in before.turns if turn.role == "assistant"] == [  # type: ignore[union-attr]
            turn.text for turn in after.turns if turn.role == "assistant"
        ]


def test_a_row_that_does_not_fit_is_refused_with_a_reason() -> None:
    turn = {"role": "user", "content": "a"}
    rows: list[Row] = [{"messages": [turn, {"role": "assistant", "content": "b"}, turn]}]
    with pytest.raises(CannotHold, match="one question"):
        converted(rows, "alpaca")
    tools: list[Row] = [
        {"messages": [turn, {"role": "assistant", "content": "", "tool_calls": []}]}
    ]
    with pytest.raises(CannotHold, match="more than a role and a text"):
        converted(tools, "alpaca")


def test_a_turn_that_calls_a_tool_and_says_nothing_is_refused() -> None:
    call = {"role": "assistant", "tool_calls": [{"id": "1"}]}
    row = {"messages": [{"role": "user", "content": "a"}, call]}
    with pytest.raises(CannotHold, match="more than a role and a text"):
        converted([row], "alpaca")
