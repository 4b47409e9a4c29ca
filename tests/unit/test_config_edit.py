"""A person's own YAML is changed where it must be, and stays theirs everywhere else."""

from __future__ import annotations

import copy
import difflib
import random
from collections.abc import Mapping
from typing import Any
from unittest import mock

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from ftui.config.dump import dump, dump_inline
from ftui.config.edit import Drop, Edit, Put, Rename
from ftui.config.edit_text import apply_edits, rewrite
from ftui.config.render import render
from ftui.config.yaml_tree import tree
from ftui.plan.yaml_source import YamlProblem

OWN = """\
# My first run
base_model: "org/größe-😀"   # the model 🤗

# Data
datasets:              # what to learn from
  # the good one
  - path: a.jsonl      # in this folder
    type: alpaca
  - path: b.jsonl
    type: chat_template

lora_r: 16             # rank
lora_target_modules: [q_proj, v_proj]  # which layers
special_tokens: {pad_token: <pad>, eos_token: </s>}
learning_rate: 1e-4
# about steps
max_steps: 10
note: |  # a text
  # not a comment
  line

# the end
"""


def changes(old: str, new: str) -> tuple[list[str], list[str]]:
    """The lines that went and the lines that came."""
    lines = list(difflib.ndiff(old.splitlines(keepends=True), new.splitlines(keepends=True)))
    return [x[2:] for x in lines if x[0] == "-"], [x[2:] for x in lines if x[0] == "+"]


def edited(text: str, *edits: Edit) -> str:
    return apply_edits(text, edits)


# One value


@pytest.mark.parametrize(
    ("place", "value", "was", "now"),
    [
        (("lora_r",), 32, "lora_r: 16             # rank\n", "lora_r: 32             # rank\n"),
        (
            ("base_model",),
            "org/ü",
            'base_model: "org/größe-😀"   # the model 🤗\n',
            'base_model: "org/ü"   # the model 🤗\n',
        ),
        (
            ("datasets", "0", "path"),
            "c.jsonl",
            "  - path: a.jsonl      # in this folder\n",
            "  - path: c.jsonl      # in this folder\n",
        ),
        (("datasets", "1", "type"), "alpaca", "    type: chat_template\n", "    type: alpaca\n"),
        (
            ("lora_target_modules", "1"),
            "k_proj",
            "lora_target_modules: [q_proj, v_proj]  # which layers\n",
            "lora_target_modules: [q_proj, k_proj]  # which layers\n",
        ),
        (
            ("special_tokens", "pad_token"),
            "a, b",
            "special_tokens: {pad_token: <pad>, eos_token: </s>}\n",
            "special_tokens: {pad_token: 'a, b', eos_token: </s>}\n",
        ),
        (("learning_rate",), 1e-4, "learning_rate: 1e-4\n", "learning_rate: 0.0001\n"),
        (("max_steps",), None, "max_steps: 10\n", "max_steps: null\n"),
        (("max_steps",), "10", "max_steps: 10\n", "max_steps: '10'\n"),
    ],
)
def test_a_scalar_changes_its_own_characters_only(
    place: tuple[str, ...], value: Any, was: str, now: str
) -> None:
    assert edited(OWN, Put(place, value)) == OWN.replace(was, now)


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("a:\nb: 1\n", 2, "a: 2\nb: 1\n"),
        ("a:   # remark\n", 2, "a: 2   # remark\n"),
        ("a: \nb: 1\n", 2, "a: 2\nb: 1\n"),
        ("a: 'x'  # remark\n", "y", "a: 'y'  # remark\n"),
        ("a: x\n  y  # remark\nb: 1\n", "z", "a: z  # remark\nb: 1\n"),
        ("a: >-  # remark\n  x\n  y\n\nb: 1\n", "z", "a: z  # remark\n\nb: 1\n"),
        ("a: 1  # remark\nb: 1\n", "x\ny\n", "a: |  # remark\n  x\n  y\nb: 1\n"),
        ("a: 1  # remark\nb: 1\n", [{"c": 1, "d": [2]}], None),
        ("a: &x 1\nb: 1\n", 2, "a: 2\nb: 1\n"),
        ("a: !!str 1\nb: 1\n", "2", "a: '2'\nb: 1\n"),
        ("a: 1\na: 2\n", 3, "a: 1\na: 3\n"),
    ],
)
def test_a_value_gives_way_and_its_remark_stays(
    text: str, value: Any, expected: str | None
) -> None:
    expected = expected or "a:  # remark\n  - c: 1\n    d:\n      - 2\nb: 1\n"
    assert edited(text, Put(("a",), value)) == expected


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("a: [1, 2]  # r\n", [3, "x"], "a: [3, x]  # r\n"),
        ("a: [\n  1,\n  2\n]\nb: 1\n", [3], "a: [3]\nb: 1\n"),
        ("a: []\n", [1], "a: [1]\n"),
        ("a: []\n", [{"b": 1}], "a:\n  - b: 1\n"),
        ("a: [1]  # r\n", ["x" * 60, "y" * 60], f"a:  # r\n  - {'x' * 60}\n  - {'y' * 60}\n"),
        ("a:  # r\n- 1\n- 2\n\nb: 1\n", [3], "a:  # r\n- 3\n\nb: 1\n"),
        ("a:\n    - 1\n# c\nb: 1\n", [{"c": [3]}], "a:\n    - c:\n        - 3\n# c\nb: 1\n"),
        ("a:  # r\n  # c\n  - 1  # one\nb: 1\n", 3, "a: 3  # r\n  # c\nb: 1\n"),
        ("a:\n- 1\nb: 1\n", {"c": 1}, "a:\n  c: 1\nb: 1\n"),
        ("a:\n- 1\nb: 1\n", "x\ny", "a: |-\n  x\n  y\nb: 1\n"),
        ("a:\n  b: 1\n", {}, "a: {}\n"),
    ],
)
def test_a_list_or_mapping_is_replaced_in_its_own_style(
    text: str, value: Any, expected: str
) -> None:
    assert edited(text, Put(("a",), value)) == expected


def test_an_item_is_replaced() -> None:
    text = "a:\n  - x: 1  # r\n    y: 2\n  - |\n    text\n  # c\n  - [1]\n"
    assert edited(text, Put(("a", "0"), {"z": 3, "w": 4})) == text.replace(
        "x: 1  # r\n    y: 2", "z: 3\n    w: 4"
    )
    assert edited(text, Put(("a", "1"), 5)) == text.replace("|\n    text", "5")
    assert edited(text, Put(("a", "2"), "x\ny\n")) == text.replace("[1]", "|\n    x\n    y")


def test_the_same_value_again_changes_nothing() -> None:
    text = "a: 0x10\nb: yes\nc: {d: [1,2] }\n"
    edits: list[Edit] = [Put(("a",), 16), Put(("b",), True), Put(("c",), {"d": [1, 2]})]
    assert apply_edits(text, edits) == text
    assert edited(text, Put(("b",), 1)) == text.replace("yes", "1")


# New keys and items


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\n", "a: 1\nn: 2\n"),
        ("a: 1", "a: 1\nn: 2\n"),
        ("a: 1  # r\n\n# end\n", "a: 1  # r\n\n# end\nn: 2\n"),
        ("a: 1\n\n\n", "a: 1\nn: 2\n\n\n"),
        ("---\na: 1\n...\n# after\n", "---\na: 1\nn: 2\n...\n# after\n"),
        ("a: |\n  x\n", "a: |\n  x\nn: 2\n"),
        ("a: |+\n  x\n\n\n", "a: |+\n  x\n\n\nn: 2\n"),
        ("a:\n  b: 1\n", "a:\n  b: 1\nn: 2\n"),
        ("  a: 1\n  b: 1\n", "  a: 1\n  b: 1\n  n: 2\n"),
        ("{a: 1}\n", "{a: 1, n: 2}\n"),
        ('{\n  "a": 1,\n  "b": 2\n}\n', '{\n  "a": 1,\n  "b": 2,\n  n: 2\n}\n'),
        ("# c\n{}\n# d\n", "# c\nn: 2\n# d\n"),
    ],
)
def test_a_new_key_goes_to_the_end(text: str, expected: str) -> None:
    assert edited(text, Put(("n",), 2)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\n  b: 1  # r\n\n# c\nd: 1\n", "a:\n  b: 1  # r\n  n: 2\n\n# c\nd: 1\n"),
        ("a:\n    b:\n    - 1\nd: 1\n", "a:\n    b:\n    - 1\n    n: 2\nd: 1\n"),
        ("a: {b: 1} # r\nd: 1\n", "a: {b: 1, n: 2} # r\nd: 1\n"),
        ("a: {b: 1,}\n", "a: {b: 1, n: 2,}\n"),
        ("a: {\n  b: 1, # r\n}\n", "a: {\n  b: 1, # r\n  n: 2,\n}\n"),
        ("a: {\n  b: 1 # r\n}\n", "a: {\n  b: 1, # r\n  n: 2\n}\n"),
        ("a:  # r\n", "a:  # r\n  n: 2\n"),
        ("a: {}\n", "a: {n: 2}\n"),
        ("d: 1\n", "d: 1\na:\n  n: 2\n"),
    ],
)
def test_a_new_inner_key_goes_to_the_end_of_its_mapping(text: str, expected: str) -> None:
    assert edited(text, Put(("a", "n"), 2)) == expected


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("a:\n- 1  # r\n\nb: 1\n", 2, "a:\n- 1  # r\n- 2\n\nb: 1\n"),
        (
            "a:\n    -   1\nb: 1\n",
            {"c": 1, "d": 2},
            "a:\n    -   1\n    - c: 1\n      d: 2\nb: 1\n",
        ),
        ("a:\n  - x\n", [[1]], "a:\n  - x\n  - - - 1\n"),
        ("a:\n  - x\n", "y\nz", "a:\n  - x\n  - |-\n    y\n    z\n"),
        ("a: [1, 2]  # r\n", {"c": "x, y"}, "a: [1, 2, {c: 'x, y'}]  # r\n"),
        ("a: [\n  1,\n  2,\n]\n", 3, "a: [\n  1,\n  2,\n  3,\n]\n"),
        ("a: [\n  1,\n  2]\n", 3, "a: [\n  1,\n  2, 3]\n"),
        ("a: []\n", 3, "a: [3]\n"),
    ],
)
def test_a_new_item_goes_to_the_end_of_its_list(text: str, value: Any, expected: str) -> None:
    assert edited(text, Put(("a", "99"), value)) == expected


def test_what_is_missing_on_the_way_is_made() -> None:
    assert edited("a: 1\n", Put(("b", "c", "d"), [1])) == "a: 1\nb:\n  c:\n    d:\n      - 1\n"
    assert edited("a: 1  # r\n", Put(("a", "c"), 2)) == "a:  # r\n  c: 2\n"


# What goes away


@pytest.mark.parametrize(
    ("place", "gone"),
    [
        (("lora_r",), "lora_r: 16             # rank\n"),
        (("max_steps",), "max_steps: 10\n"),
        (("note",), "note: |  # a text\n  # not a comment\n  line\n"),
        (
            ("datasets",),
            "datasets:              # what to learn from\n  # the good one\n"
            "  - path: a.jsonl      # in this folder\n    type: alpaca\n"
            "  - path: b.jsonl\n    type: chat_template\n",
        ),
        (("datasets", "1"), "  - path: b.jsonl\n    type: chat_template\n"),
        (("datasets", "0", "type"), "    type: alpaca\n"),
        (("lora_target_modules", "0"), "q_proj, "),
        (("lora_target_modules", "1"), ", v_proj"),
        (("special_tokens", "eos_token"), ", eos_token: </s>"),
        (("nothing",), ""),
        (("datasets", "7"), ""),
        (("lora_r", "x", "y"), ""),
    ],
)
def test_a_key_goes_with_its_value_and_remark_and_nothing_else(
    place: tuple[str, ...], gone: str
) -> None:
    assert edited(OWN, Drop(place)) == OWN.replace(gone, "")


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("a:\n  - b: 1  # r\n    # c\n    d: 2\n", ("a", "0", "b"), "a:\n  - # c\n    d: 2\n"),
        ("a:\n  - b: 1\n    d: 2\n", ("a", "0", "b"), "a:\n  - d: 2\n"),
        ("a:\n  - - 1\n    - 2\n", ("a", "0", "0"), "a:\n  - - 2\n"),
        ("a: 1\nb: 2", ("b",), "a: 1\n"),
        ("a: 1\nb: 2\na: 3\n", ("a",), "b: 2\n"),
        ("a: [\n  x, # about x\n  y # about y\n]\n", ("a", "0"), "a: [\n  y # about y\n]\n"),
        ("a: [\n  x, # about x\n  y # about y\n]\n", ("a", "1"), "a: [\n  x # about x\n]\n"),
        ("a: [\n  x,\n  y,\n]\n", ("a", "1"), "a: [\n  x,\n]\n"),
        ("# c\na:  # r\n  b: 1  # one\nd: 1\n", ("a", "b"), "# c\na: {}  # r\nd: 1\n"),
        ("a:\n  - 1\nd: 1\n", ("a", "0"), "a: []\nd: 1\n"),
        ("a: [1] # r\n", ("a", "0"), "a: [] # r\n"),
        ("a: [{b: 1}]\n", ("a", "0", "b"), "a: [{}]\n"),
        ("# c\na: 1  # r\n# d\n", ("a",), "# c\n{}\n# d\n"),
    ],
)
def test_what_is_around_a_dropped_entry(text: str, place: tuple[str, ...], expected: str) -> None:
    assert edited(text, Drop(place)) == expected


# Other names


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("# c\na: 1  # r\nb: 2\n", ("a",), "# c\nnew: 1  # r\nb: 2\n"),
        (
            "a:\n  - x: |\n      t\n    y: 1\n",
            ("a", "0", "x"),
            "a:\n  - new: |\n      t\n    y: 1\n",
        ),
        ('{"a":1, b: 2}\n', ("a",), '{"new":1, b: 2}\n'),
        ("new: 1\na: 2\n", ("a",), "new: 2\n"),
        ("a: 1\na: 2\n", ("a",), "new: 2\n"),
        ("a: [1]\n", ("a", "0"), "a: [1]\n"),
        ("b: 1\n", ("a",), "b: 1\n"),
    ],
)
def test_a_value_gets_another_key(text: str, place: tuple[str, ...], expected: str) -> None:
    assert edited(text, Rename(place, "new")) == expected


def test_a_new_name_is_quoted_where_it_must_be() -> None:
    assert edited("a: 1\n", Rename(("a",), "no")) == "'no': 1\n"


# The file as a whole


def test_edits_are_made_one_after_the_other() -> None:
    edits: list[Edit] = [Rename(("a",), "b"), Put(("b",), [1])]
    edits += [Put(("b", "1"), 2), Drop(("b", "0"))]
    assert apply_edits("a: 0  # r\n", edits) == "b:  # r\n  - 2\n"


@pytest.mark.parametrize("edit", [Put(("lora_r",), [1, "x\ny"]), Put(("n",), {"a": {"b": 1}})])
def test_line_ends_of_windows_are_kept(edit: Edit) -> None:
    text = OWN.replace("\n", "\r\n")
    assert edited(text, edit) == edited(OWN, edit).replace("\n", "\r\n")


def test_a_byte_order_mark_is_kept() -> None:
    assert edited("\ufeffa: 1\nb: 2\n", Put(("a",), {"c": 1})) == "\ufeffa:\n  c: 1\nb: 2\n"
    assert rewrite("\ufeffa: 1\n", {"a": 2}) == "\ufeffa: 2\n"


@pytest.mark.parametrize("text", ["a: [", "- 1\n", "", "# only this\n", "a: *nowhere\n", "a\n"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(YamlProblem):
        apply_edits(text, [])
    with pytest.raises(YamlProblem):
        rewrite(text, {"a": 1})


def test_a_text_keeps_the_blank_lines_at_its_end_wherever_it_stands() -> None:
    data = {"a": "x\n\n", "b": "\n", "c": 1}
    assert yaml.safe_load(render(data)) == data
    assert rewrite("a: 1\n\nb: 2\n\nc: 1\n", data) == 'a: "x\\n\\n"\n\nb: "\\n"\n\nc: 1\n'


# Anchors, merge keys and what else is rare: the meaning is right, the look as far as it goes


@pytest.mark.parametrize(
    ("text", "edit", "expected"),
    [
        (  # below an alias
            "a: &x {b: 1, c: 2}  # r\nd: *x  # s\n",
            Put(("d", "b"), 3),
            "a: &x {b: 1, c: 2}  # r\nd:  # s\n  b: 3\n  c: 2\n",
        ),
        (  # inside what an alias repeats
            "a: &x {b: 1}  # r\nd: *x  # s\n",
            Put(("a", "b"), 3),
            "a: &x {b: 3}  # r\nd:  # s\n  b: 1\n",
        ),
        (  # the anchor itself goes
            "# c\na: &x 1\nb: 2  # r\nd: *x  # s\n",
            Drop(("a",)),
            "# c\nb: 2  # r\nd: 1  # s\n",
        ),
        (  # an alias goes
            "a: &x 1\nb: [*x, 2]\n",
            Drop(("b", "0")),
            "a: &x 1\nb: [2]\n",
        ),
        (  # over a merged value
            "a: &x {b: 1}\nd:\n  <<: *x  # s\n  e: 1\n",
            Put(("d", "b"), 2),
            "a: &x {b: 1}\nd:\n  <<: *x  # s\n  e: 1\n  b: 2\n",
        ),
        (  # a merged value goes
            "a: &x {b: 1, c: 1}\nd:\n  <<: *x\n  e: 1\nf: 1  # r\n",
            Drop(("d", "b")),
            "a: &x {b: 1, c: 1}\nd:\n  c: 1\n  e: 1\nf: 1  # r\n",
        ),
        (  # a key in its long spelling
            "# c\n? a\n: 1\n? b\n: 2\n",
            Drop(("a",)),
            "# c\nb: 2\n",
        ),
        (  # a merge at the top
            "# c\n\n<<: {a: 1, b: 2}\nd: 1\n",
            Drop(("a",)),
            "# c\n\nb: 2\nd: 1\n",
        ),
        ("a: 1\rb: 2\r", Put(("a",), [1]), "a:\n  - 1\nb: 2\n"),  # line ends of old Macs
        ("a: !!set {b, c}\n", Put(("a", "b"), 1), "a: {b: 1}\n"),
        ("2: x  # r\ntrue: y\n", Put(("2",), "z"), "2: z  # r\ntrue: y\n"),
        ("true: x\n", Put(("True",), "z"), "true: z\n"),
        ("{a: 1, b}\n", Put(("b",), 2), "{a: 1, b: 2}\n"),
        (  # a comment that would become part of a text
            "a: |\n  text\nb: 1\n  # c\nd: 2\n",
            Drop(("b",)),
            "a: |\n  text\nd: 2\n",
        ),
    ],
)
def test_rare_spellings_keep_their_meaning(text: str, edit: Edit, expected: str) -> None:
    assert edited(text, edit) == expected


# Rewriting to given data


def test_a_rewrite_touches_what_differs() -> None:
    data = yaml.safe_load(OWN)
    data["lora_r"] = 8
    data["datasets"][1]["split"] = "train"
    data["special_tokens"]["unk_token"] = "<unk>"
    data["lora_target_modules"] = ["q_proj"]
    del data["max_steps"]
    data["seed"] = 1
    expected = (
        OWN.replace("lora_r: 16", "lora_r: 8")
        .replace(
            "    type: chat_template\n",
            "    type: chat_template\n    split: train\n",
        )
        .replace("</s>}", "</s>, unk_token: <unk>}")
        .replace("[q_proj, v_proj]", "[q_proj]")
        .replace("max_steps: 10\n", "")
    ) + "seed: 1\n"
    assert rewrite(OWN, data) == expected


@pytest.mark.parametrize(
    ("text", "data", "expected"),
    [
        ("a: [1, 2, 3]\n", {"a": [1]}, "a: [1]\n"),
        ("a:\n  - 1  # r\n  - 2\n", {"a": [1, 3]}, "a:\n  - 1  # r\n  - 3\n"),
        ("a:\n  - 1  # r\n  - 2\n", {"a": [1, 2, 3, 4]}, "a:\n  - 1  # r\n  - 2\n  - 3\n  - 4\n"),
        ("a:\n  - 1  # r\n  - 2\n  - 3 # s\n", {"a": [1, 3]}, "a:\n  - 1  # r\n  - 3 # s\n"),
        ("a:\n  - 1  # r\n  - 2\n", {"a": [4, 1, 2]}, "a:\n  - 4\n  - 1\n  - 2\n"),
        ("a: 1\nb: 2\n", {}, "{}\n"),
        ("{}\n", {"a": 1, "b": 2}, "a: 1\nb: 2\n"),
        ("a: {b: 1}\n", {"a": {"c": 2}}, "a: {c: 2}\n"),
        ("a: 1 # r\n", {"a": True}, "a: true # r\n"),
        ("a: 1 # r\n", {"a": 1.0}, "a: 1.0 # r\n"),
        ("a: .nan # r\n", {"a": float("nan")}, "a: .nan # r\n"),
        ("a: 1\n", {1: 2}, "1: 2\n"),
        ("yes: 1\nb: 2  # r\n", {True: 2, "b": 2}, "true: 2\nb: 2\n"),
        ("a: (1)\n", {"a": (1, 2)}, "a:\n  - 1\n  - 2\n"),
    ],
)
def test_small_rewrites(text: str, data: dict[str, Any], expected: str) -> None:
    assert rewrite(text, data) == expected


# Any text, any data

words = st.text(st.sampled_from("abzü😀 -:#,'\"{[\n|&*!%@`?<=~01.\t\x85\u2028"), max_size=6)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | words
    | st.sampled_from(["no", "1e-4", "q_proj", "a\nb\n", " a\n b", "a\n\n", "- x", "a: b", "a #b"])
)
keys = st.sampled_from(["a", "b", "lora_r", "no", "<<", "1", "", "x y", "#"]) | words
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
configs = st.dictionaries(keys, values, min_size=1, max_size=5)


class Writer:
    """Writes data as YAML the way people do: comments, blank lines, any indentation and style."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def text(self, data: Mapping[str, Any]) -> str:
        text = self.comment(0) + "".join(self.mapping(data, 0)) + self.comment(0)
        return self.chance.choice(["", "---\n"]) + text

    def comment(self, column: int) -> str:
        indent = " " * column
        return self.chance.choice(["", "", f"{indent}# ü: [\n", f"\n{indent}# a: 1\n\n", "\n"])

    def remark(self) -> str:
        return self.chance.choice(["\n", "\n", "  # remark 😀\n", " #\n", "   \n"])

    def mapping(self, data: Mapping[str, Any], column: int) -> list[str]:
        return [
            self.comment(column if index else 0)
            + " " * column
            + dump_inline(key, self.chance.choice([None, '"', "'"]))
            + ":"
            + self.value(value, column, self.chance.choice([0, 2, 3]))
            for index, (key, value) in enumerate(data.items())
        ]

    def value(self, value: Any, column: int, step: int) -> str:
        if isinstance(value, str) and "\n" in value and self.chance.random() < 0.7:
            lines = dump({"k": value})[2:].split("\n")
            return "\n".join([lines[0], *(line and " " * column + line for line in lines[1:])])
        if not isinstance(value, (dict, list)) or not value or self.chance.random() < 0.3:
            return " " + self.inline(value, column) + self.remark()
        if isinstance(value, dict):
            return self.remark() + "".join(self.mapping(value, column + (step or 2)))
        column += step
        items = [
            self.comment(column) + " " * column + "-" + self.item(item, column) for item in value
        ]
        return self.remark() + "".join(items)

    def item(self, item: Any, column: int) -> str:
        if isinstance(item, dict) and item and self.chance.random() < 0.7:
            lines = self.mapping(item, column + 2)
            lines[0] = " " + lines[0].lstrip()
            return "".join(lines)
        return self.value(item, column, 2)

    def inline(self, value: Any, column: int) -> str:
        if isinstance(value, list) and value and self.chance.random() < 0.4:
            indent = "\n" + " " * (column + 1)
            end = self.chance.choice([",", "", " ", indent, "," + indent, " # r" + indent])
            return "[" + ",".join(indent + dump_inline(item) for item in value) + end + "]"
        return dump_inline(value, self.chance.choice([None, '"', "'"]))


@st.composite
def own_texts(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A text and what it reads as."""
    data = draw(configs)
    text = Writer(draw(st.integers(0, 2**32))).text(data)
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    assert yaml.safe_load(text) == data
    return text, data


def places(data: Any, place: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    inner: Any = data.items() if isinstance(data, dict) else ()
    inner = enumerate(data) if isinstance(data, list) else inner
    found = [place] if place else []
    return found + [deep for key, value in inner for deep in places(value, (*place, str(key)))]


def at(data: Any, place: tuple[str, ...]) -> Any:
    for name in place:
        data = data[int(name)] if isinstance(data, list) else data[name]
    return data


def around(text: str, key: str) -> tuple[str, str]:
    """The text before a top-level key, and that from the next one on."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    starts = {name.value: name.start_mark.index for name, _ in root.value}
    later = [start for start in starts.values() if start > starts[key]]
    return text[: starts[key]], text[later[0] :] if later else ""


def step(holder: Any, name: str) -> Any:
    return int(name) if isinstance(holder, list) else name


@given(own_texts())
def test_both_parsers_mark_the_same_places(own: tuple[str, dict[str, Any]]) -> None:
    text, _ = own
    with mock.patch.object(yaml, "CSafeLoader", yaml.SafeLoader):  # not every PyYAML has libyaml
        slow = tree(text)
    assert tree(text) == slow


@given(own_texts(), configs)
def test_a_rewrite_reads_as_the_data(own: tuple[str, dict[str, Any]], data: dict[str, Any]) -> None:
    text, old = own
    assert yaml.safe_load(rewrite(text, data)) == data
    mixed = {**old, **data}
    assert yaml.safe_load(rewrite(text, mixed)) == mixed


@given(own_texts())
def test_a_rewrite_to_its_own_data_changes_nothing(own: tuple[str, dict[str, Any]]) -> None:
    text, data = own
    assert rewrite(text, data) == text


@given(configs, configs)
def test_what_we_wrote_ourselves_can_be_rewritten(
    data: dict[str, Any], other: dict[str, Any]
) -> None:
    text = render(data)
    assert rewrite(text, data) == text
    assert yaml.safe_load(rewrite(text, other)) == other


def one_line(value: Any) -> bool:
    return not isinstance(value, (dict, list)) and "\n" not in str(value)


@given(own_texts(), scalars.filter(one_line), st.data())
def test_a_put_of_one_scalar_changes_one_line(
    own: tuple[str, dict[str, Any]], value: Any, data: st.DataObject
) -> None:
    text, old = own
    simple = [place for place in places(old) if one_line(at(old, place))]
    assume(simple)
    place = data.draw(st.sampled_from(simple))
    was = at(old, place)
    assume(type(was) is not type(value) or was != value)
    new = edited(text, Put(place, value))
    assert at(yaml.safe_load(new), place) == value
    went, came = changes(text, new)
    assert len(went) == len(came) == 1


@given(own_texts(), values, st.data())
def test_a_put_of_anything_leaves_the_rest_alone(
    own: tuple[str, dict[str, Any]], value: Any, data: st.DataObject
) -> None:
    text, old = own
    place = data.draw(st.sampled_from(places(old)))
    expected = copy.deepcopy(old)
    holder = at(expected, place[:-1])
    holder[step(holder, place[-1])] = value
    new = edited(text, Put(place, value))
    assert yaml.safe_load(new) == expected
    before, after = around(text, place[0])
    assert new.startswith(before)
    assert new.endswith(after)


@given(own_texts(), st.data())
def test_a_drop_takes_out_lines_only(own: tuple[str, dict[str, Any]], data: st.DataObject) -> None:
    text, old = own
    place = data.draw(st.sampled_from(places(old)))
    expected = copy.deepcopy(old)
    holder = at(expected, place[:-1])
    del holder[step(holder, place[-1])]
    new = edited(text, Drop(place))
    assert yaml.safe_load(new) == expected
    before, after = around(text, place[0])
    assert new.startswith(before)
    assert new.endswith(after)


@given(own_texts(), keys, st.data())
def test_a_rename_changes_one_line(
    own: tuple[str, dict[str, Any]], key: str, data: st.DataObject
) -> None:
    text, old = own
    place = data.draw(st.sampled_from(places(old)))
    holder = at(old, place[:-1])
    assume(isinstance(holder, dict) and key not in holder)
    new = edited(text, Rename(place, key))
    went, came = changes(text, new)
    assert len(went) == len(came) == 1
    names = [key if name == place[-1] else name for name in holder]
    assert list(at(yaml.safe_load(new), place[:-1]).items()) == list(
        zip(names, holder.values(), strict=True)
    )
