"""Many edits at once are made as quickly and as gently as one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ftui.config.edit import Drop, Edit, Put, Rename, changed
from ftui.config.edit_text import apply_edits
from ftui.config.fix import modernise
from ftui.plan.places import Place

MANY = 1_100


def edited(text: str, *edits: Edit) -> str:
    return apply_edits(text, edits)


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


# A key that is given many times


@pytest.mark.parametrize("line", ["a: 1", "a: 1  # {}", "a: {{b: 1}}", "a:\n  - {}"])
def test_a_key_given_a_thousand_times_goes_or_gets_another_name(line: str) -> None:
    text = "x: 1\n" + "".join(f"{line.format(number)}\n" for number in range(MANY)) + "y: 2\n"
    assert edited(text, Drop(("a",))) == "x: 1\ny: 2\n"
    last = line.format(MANY - 1).replace("a", "b", 1)
    assert edited(text, Rename(("a",), "b")) == f"x: 1\n{last}\ny: 2\n"


def test_duplicates_are_cut_in_a_moment() -> None:
    block = "do_train: true\n" * 20_000 + "base_model: m\n"
    flow = "special_tokens: {" + "a: b, " * MANY + "pad_token: p}\n"
    assert seconds(lambda: edited(block, Drop(("do_train",)))) < 5
    assert seconds(lambda: edited(flow, Drop(("special_tokens", "a")))) < 5


@pytest.mark.parametrize(
    ("text", "dropped", "renamed"),
    [
        ("{a: 1, a: 2}\n", "{}\n", "{c: 2}\n"),
        ("{a: 1, b: 2, a: 3}\n", "{b: 2}\n", "{b: 2, c: 3}\n"),
        ("{b: 2, a: 1, a: 3}\n", "{b: 2}\n", "{b: 2, c: 3}\n"),
        ("{a: 1, a: 2, b: 3, c: 4, a: 5}\n", "{b: 3, c: 4}\n", "{b: 3, c: 5}\n"),
        ("{a: 1, b: 2, a: 3, c: 4}\n", "{b: 2, c: 4}\n", "{b: 2, c: 3}\n"),
        ("{\n  a: 1,\n  b: 2,  # r\n  a: 3\n}\n", "{\n  b: 2  # r\n}\n", None),
        ("{\n  a: 1,\n  a: 3,\n  b: 2,  # r\n}\n", "{\n  b: 2,  # r\n}\n", None),
        ("a: 1\n# mine\na: 2  # r\nb: 3\n", "# mine\nb: 3\n", "# mine\nc: 2  # r\nb: 3\n"),
    ],
)
def test_what_is_around_duplicates_stays(text: str, dropped: str, renamed: str | None) -> None:
    assert edited(text, Drop(("a",))) == dropped
    if renamed:
        assert edited(text, Rename(("a",), "c")) == renamed


def test_the_first_key_of_an_item_can_be_a_duplicate() -> None:
    text = "k:\n  - a: 1\n    a: 2\n    b: 3\n    a: 4\n    # r\n    c: 5\n"
    assert edited(text, Drop(("k", "0", "a"))) == "k:\n  - b: 3\n    # r\n    c: 5\n"


@given(st.lists(st.sampled_from("aaabc"), min_size=1), st.sampled_from(["{%s}\n", "k: {%s}\n"]))
def test_any_duplicates_in_braces_are_cut_where_they_stand(names: list[str], frame: str) -> None:
    entries = [f"{name}: {number}" for number, name in enumerate(names)]
    holder = ("k",) * frame.startswith("k")
    new = edited(frame % ", ".join(entries), Drop((*holder, "a")))
    assert new == frame % ", ".join(entry for entry in entries if entry[0] != "a")


# Many edits inside the items of a list

ITEMS = """\
first: 1
datasets:
  # one
  - path: a  # here
    type: sharegpt

  # two
  - {path: b, type: sharegpt}  # there
  - type: sharegpt
    path: |
      text
# after
last: 2
"""


def test_each_item_keeps_its_looks() -> None:
    puts = [Put(("datasets", str(index), "type"), "alpaca") for index in range(3)]
    more = [Put(("datasets", str(index), "split"), "x") for index in range(3)]
    drops = [Drop(("datasets", str(index), "path")) for index in range(3)]
    assert edited(ITEMS, *puts) == ITEMS.replace("sharegpt", "alpaca")
    assert edited(ITEMS, *puts, *more, *drops, Drop(("first",))) == (
        "datasets:\n  # one\n  - type: alpaca\n    split: x\n\n  # two\n"
        "  - {type: alpaca, split: x}  # there\n  - type: alpaca\n    split: x\n# after\nlast: 2\n"
    )


def test_a_long_list_is_mended_in_a_moment() -> None:
    entry = "  - path: some/rows\n    type: sharegpt\n    conversation: chatml\n"
    text = "base_model: m\ndatasets:\n" + entry * 200
    assert seconds(lambda: modernise(text)) < 5
    assert "sharegpt" not in modernise(text)


@pytest.mark.parametrize(
    ("text", "edits"),
    [
        ("a: &x {t: 1}\nd:\n  - *x\n  - {t: 2}\n", [Put(("d", "0", "t"), 3)]),
        ("d:\n  - &x {t: 1}\n  - *x\n", [Put(("d", "0", "t"), 3)]),
        ("d:\n  - &x {t: 1}\n  - *x\n", [Put(("d", "1", "t"), 3), Drop(("d", "0", "t"))]),
        ("b: &b {t: 1}\nd:\n  - <<: *b\n    u: 2\n", [Drop(("d", "0", "t"))]),
        ("d:\n  - t: 1\n  - t: 2\n", [Put(("d", "1", "t"), 3), Drop(("d", "0"))]),
        ("d:\n  - t: 1\n  - t: 2\n", [Drop(("d", "0")), Put(("d", "0", "t"), 3)]),
        ("e:\n  - t: 1\nd:\n  - t: 2\n", [Put(("d", "0", "t"), 3), Rename(("e",), "d")]),
        ("e:\n  - t: 1\nd:\n  - t: 2\n", [Rename(("e",), "d"), Put(("d", "0", "t"), 3)]),
        ("d:\n  - t: 1\nd:\n  - t: 2\n  - t: 3\n", [Put(("d", "1", "t"), 4)]),
        ("d: [{t: 1}, {t: 2}]\n", [Put(("d", "1", "t"), 3), Put(("d", "0", "u"), 4)]),
        ("d:\n  - t\n  -\n", [Put(("d", "0", "t"), 3), Put(("d", "1", "u"), 4)]),
        ("d:\n- - t: 1\n- [{t: 2}]\n", [Put(("d", "0", "0", "t"), 3), Drop(("d", "1", "0", "t"))]),
        ("3:\n  - t: 1\n", [Put(("3", "0", "t"), 3)]),
        ("d: {'0': {t: 1}}\n", [Put(("d", "0", "t"), 3)]),
        ("d:\n  - t: 1\n", [Put(("d", "5", "t"), 3)]),
    ],
)
def test_any_edits_in_any_order_mean_what_they_say(text: str, edits: list[Edit]) -> None:
    expected = yaml.safe_load(text)
    for edit in edits:
        expected = changed(expected, edit.place, edit)
    assert yaml.safe_load(edited(text, *edits)) == expected


names = st.sampled_from("tuv")
scalars = st.integers(0, 3) | st.sampled_from(["x", "a: b", "1"])
items = st.dictionaries(names, scalars | st.dictionaries(names, scalars), max_size=3)
configs = st.dictionaries(st.sampled_from("de"), st.lists(items, min_size=1, max_size=3))
inner = st.tuples(st.sampled_from("de"), st.sampled_from("012"), names)
places: st.SearchStrategy[Place] = inner | inner.map(lambda place: place[:2])
edits = st.builds(Put, places, scalars) | st.builds(Drop, places) | st.builds(Rename, inner, names)


@given(configs, st.lists(edits, max_size=6), st.booleans())
def test_a_list_reads_as_the_data_after_any_edits(
    data: dict[str, Any], made: list[Edit], inline: bool
) -> None:
    text = yaml.safe_dump(data, default_flow_style=None if inline else False)
    expected: Any = data
    for edit in made:
        expected = changed(expected, edit.place, edit)
    assert yaml.safe_load(edited(text, *made)) == expected
