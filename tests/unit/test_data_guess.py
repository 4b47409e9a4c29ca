"""The type of a dataset is found from its rows, and how surely is said."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftui.data.guess import guess, pick
from tests.fixtures.datasets import ANSWERS, ASKED, EVERY, SFT, Row, Sample, name, rows

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
NAMES = st.sampled_from(
    ["messages", "text", "instruction", "output", "chosen", "rejected", "label"]
)


@pytest.mark.parametrize("sample", EVERY, ids=name)
def test_each_type_is_known_by_its_rows(sample: Sample) -> None:
    found = guess(sample.rows, training=sample.rl or "sft")
    assert found is not None
    assert (found.format.name, found.format.keys) == (sample.type, sample.keys)


@pytest.mark.parametrize("sample", EVERY, ids=name)
def test_rows_tell_their_kind_of_training_too(sample: Sample) -> None:
    found = guess(sample.rows)
    assert found is not None
    preference = {"dpo", "orpo", "kto"}
    assert (found.format.training in preference) == bool(sample.rl)


def test_telling_columns_are_certain_and_others_less() -> None:
    sure = guess(rows(instruction=ASKED, output=ANSWERS))
    plain = guess(rows(text=ASKED))
    named = guess(rows(question=ASKED, sql=ANSWERS))
    assert sure is not None
    assert plain is not None
    assert named is not None
    assert (sure.surely, plain.surely, named.surely) == ("certain", "likely", "unsure")
    assert "question" in named.why


def test_a_text_beside_other_texts_is_not_sure_to_be_all() -> None:
    found = guess(rows(text=ASKED, title=ANSWERS))
    assert found is not None
    assert found.surely == "unsure"
    assert "title" in found.why


def test_one_odd_row_does_not_hide_the_type() -> None:
    odd: list[Row] = [*rows(instruction=ASKED, output=ANSWERS), {"instruction": "x"}]
    found = guess(odd)
    assert found is not None
    assert (found.format.name, found.surely) == ("alpaca", "likely")


def test_columns_that_say_nothing_are_no_type() -> None:
    assert guess(rows(a=ASKED, b=ANSWERS)) is None
    assert guess([]) is None
    assert guess(rows(instruction=ASKED, output=ANSWERS), training="dpo") is None


def test_a_role_that_nobody_knows_is_left_for_the_doctor_to_tell() -> None:
    odd = [{"messages": [{"role": "zorg", "content": "a"}, {"role": "assistant", "content": "b"}]}]
    found = guess(odd)
    assert found is not None
    assert "roles" not in found.format.keys


@pytest.mark.parametrize("sample", SFT, ids=name)
def test_a_type_can_be_picked_by_its_name(sample: Sample) -> None:
    if sample.type not in ("user_defined", "chat_template"):
        picked = pick(sample.type)
        assert picked is not None
        assert picked.wrong(sample.rows[0]) is None


@given(st.lists(st.dictionaries(NAMES | st.text(max_size=4), JSON, max_size=4), max_size=4))
def test_any_rows_get_an_answer(found: list[Row]) -> None:
    answer = guess(found)
    if answer is not None:
        wrong = [answer.format.wrong(row) for row in found]
        assert None in wrong


def test_what_is_wrong_with_a_row_says_where() -> None:
    chat = pick("chat_template")
    assert chat is not None
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": 5}]
    assert chat.wrong({"messages": turns}) == ("messages.1.content", "is a number, not text")
    assert chat.wrong({"messages": []}) == ("messages", "is an empty list")
    assert chat.wrong({}) == ("messages", "is missing")
    assert chat.wrong({"messages": [None]}) is not None


def test_roles_are_found_in_conversations_written_as_json_text() -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "bot", "content": "b"}]
    as_lists, as_text = guess([{"messages": turns}]), guess([{"messages": json.dumps(turns)}])
    assert as_lists is not None
    assert as_text is not None
    assert "bot" in as_text.format.keys["roles"]["assistant"]
    assert as_text.format.keys == as_lists.format.keys
