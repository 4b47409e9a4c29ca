"""Every YAML text gets an answer: its data with their lines, or one clear problem."""

from __future__ import annotations

import gc
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ftui.plan.yaml_source import YamlProblem, mapping, read


def problem(text: str) -> YamlProblem:
    with pytest.raises(YamlProblem) as caught:
        read(text)
    return caught.value


def test_every_key_and_item_has_its_line() -> None:
    source = read("a: 1\nb:\n  - x\n  - {c: 2,\n     d: 3}\n")
    assert source.data == {"a": 1, "b": ["x", {"c": 2, "d": 3}]}
    lines = {("a",): 1, ("b",): 2, ("b", "0"): 3, ("b", "1"): 4, ("b", "1", "d"): 5}
    assert {place: source.line(place) for place in lines} == lines
    assert source.line(("b", "1", "e", "f")) == 4
    assert source.line(("z",)) == 1


def test_a_key_of_any_kind_has_its_line_as_the_data_has_it() -> None:
    source = read("a: 1\non: 2\n0x10: 3\n~: 4\n1.5: 5\n")
    assert list(source.data) == ["a", True, 16, None, 1.5]
    assert [source.line((str(key),)) for key in source.data] == [1, 2, 3, 4, 5]


def test_merged_keys_have_the_line_where_they_are_written() -> None:
    text = "base: &base\n  x: 1\n  y: 2\nmine:\n  <<: *base\n  y: 3\nboth:\n  <<: [*base]\n"
    source = read(text)
    assert source.data["mine"] == {"x": 1, "y": 3}
    assert source.line(("mine", "x")) == 2
    assert source.line(("mine", "y")) == 6
    assert source.line(("both", "y")) == 3
    assert source.duplicates == ()


def test_a_key_given_twice_is_noted() -> None:
    source = read("a: 1\nb: {c: 1, c: 2}\na: 3\n")
    assert source.duplicates == (("b", "c"), ("a",))
    assert source.line(("a",)) == 3


def test_an_alias_is_read_at_each_use() -> None:
    source = read("a: &x\n  - 1\nb: *x\n")
    assert source.data == {"a": [1], "b": [1]}
    assert source.line(("b", "0")) == 2


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\n\tb: 2\n", 2, "there is a tab; YAML is indented by spaces"),
        ("a:\n\tb: 2\n", 2, "there is a tab"),
        ("a: 1\nb: @x\n", 2, "a value cannot begin with @; put it in quotes"),
        ("a: `x`\n", 1, "a value cannot begin with `"),
        ("a: 1\n? [x]\n: 2\n", 2, "a key must be text, not a list or a mapping"),
        ("a: 1\n? {x: 1}\n: 2\n", 2, "a key must be text"),
        ("a: 1\n---\nb: 1\n", 2, "a second document begins here"),
        ("a: 1\nb: 2024-99-99\n", 2, "a value cannot be read: month must be in 1..12"),
        ("a: [[{x: 1}]]\nb: 2024-99-99\n", 2, "a value cannot be read"),
        ("a: 1\nb: !!timestamp x\n", 2, "a value cannot be read"),
        ("2024-99-99: 1\n", 1, "a value cannot be read"),
        ("a: 1\nb: \x00\n", 2, "a character that YAML does not allow"),
        ("a: 1\nb: \ud800\n", 2, "a character that YAML does not allow"),
        ("a: &a [*a]\n", 1, "an anchor contains itself"),
        ("a: *b\n", 1, "no anchor &b"),
        ("a: 1\nb: [1,\n", 2, "node content"),
        ("a: !!python/object:os.system {}\n", 1, "could not determine a constructor"),
        ("a: 1\nb: 1" + "0" * 400, 2, "this whole number is too long"),
        ("a: 1\nb: [0x" + "f" * 5000 + "]", 2, "this whole number is too long"),
        ("a: 1\nb: " + "1:" * 400 + "1.5", 2, "a value cannot be read"),
        ("a:\n  " + "[" * 200 + "]" * 200, 2, "nested too deeply"),
        ("a:\n" + "[" * 100_000, 2, "nested too deeply"),
        ("- " * 300, 1, "nested too deeply"),
    ],
)
def test_a_problem_has_its_line_and_plain_words(text: str, line: int, words: str) -> None:
    found = problem(text)
    assert (found.line, words in found.message) == (line, True), found.message


def chain(count: int, uses: int) -> str:
    """Anchors that each hold the one before, `uses` times."""
    links = (f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * uses)}]\n" for i in range(1, count))
    return "a0: &a0 [x]\n" + "".join(links)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (chain(20, 10), "more than 200,000 values, with those of an alias"),
        (chain(5000, 1), "nested too deeply"),
        ("a: [" + "1," * 500_000 + "]\n", "more than 200,000 values"),
    ],
)
def test_what_would_never_end_ends_at_once(text: str, words: str) -> None:
    began = time.process_time()
    assert words in problem(text).message
    assert time.process_time() - began < 3


def test_what_cannot_be_read_is_found_at_once_among_many() -> None:
    text = "".join(f"key_{i}: 1\n" for i in range(60_000)) + "x: 2024-99-99\n"
    began = time.process_time()
    assert problem(text).line == 60_001
    assert time.process_time() - began < 4


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
def test_a_byte_order_mark_is_skipped(loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml, "CSafeLoader", getattr(yaml, loader), raising=False)
    assert read("\ufeffa: 1\n") == read("a: 1\n")
    assert problem("\ufeff@\n").message == problem("@\n").message


def test_a_config_is_a_mapping() -> None:
    assert mapping("a: 1\n") == read("a: 1\n")
    for text, line, words in (
        ("a: 1\nb: [\n", 2, "this is not YAML: "),
        ("\n- a\n", 1, "this is no mapping: "),
        ("", 1, "this is no mapping: "),
    ):
        with pytest.raises(YamlProblem) as caught:
            mapping(text)
        assert (caught.value.line, caught.value.message.startswith(words)) == (line, True)


def test_a_mebibyte_is_read_and_the_collector_is_on_again() -> None:
    text = "datasets:\n" + "  - path: some/data\n    type: alpaca\n" * 28_000
    began = time.process_time()
    source = read(text)
    assert time.process_time() - began < 3
    assert source.line(("datasets", "27999", "type")) == 56_001
    assert gc.isenabled()
    assert len(text) > 2**20 - 50_000


@given(st.text(alphabet="ab:- \n\t[]{}&*<!?#'\"|>1%@,"))
def test_any_text_is_data_or_a_problem(text: str) -> None:
    told = []
    try:
        told = [*read(text).lines.values()]
    except YamlProblem as found:
        told = [found.line]
    assert all(1 <= line <= text.count("\n") + 1 for line in told)


@given(st.dictionaries(st.text(max_size=3), st.lists(st.integers() | st.text(max_size=3))))
def test_the_data_are_pyyamls(data: dict[str, list[int | str]]) -> None:
    text = yaml.safe_dump(data)
    assert read(text).data == data
    assert {place[0] for place in read(text).lines} == set(data)
