"""Datasets: the format is found, and what is wrong is told with its line."""

from __future__ import annotations

import contextlib
import json
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftui.config.lint import check
from ftui.config.render import render
from ftui.data.detect import axolotl_entry, inspect
from ftui.errors import DatasetError

ALPACA = {"instruction": "Say hi", "input": "", "output": "hi"}
CHAT = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}
SHAREGPT = {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho"}]}
COMPLETION = {"text": "Once upon a time"}


def jsonl(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def entry_is_known_to_axolotl(entry: Mapping[str, Any]) -> bool:
    settings = {"base_model": "m", "learning_rate": 1e-4, "sequence_len": 512}
    return check(render({**settings, "datasets": [entry]})) == []


@pytest.mark.parametrize(
    ("row", "extra"),
    [
        (ALPACA, {"type": "alpaca"}),
        ({"instruction": "a", "output": "b"}, {"type": "alpaca"}),
        (COMPLETION, {"type": "completion"}),
        (CHAT, {"type": "chat_template"}),
        (
            SHAREGPT,
            {
                "type": "chat_template",
                "field_messages": "conversations",
                "message_property_mappings": {"role": "from", "content": "value"},
            },
        ),
        ({**CHAT, "text": "also text", "id": 3}, {"type": "chat_template"}),
    ],
)
def test_the_format_is_found(tmp_path: Path, row: Mapping[str, Any], extra: object) -> None:
    path = jsonl(tmp_path / "rows.jsonl", row, row)
    dataset = inspect(path)
    assert (dataset.rows, dataset.columns, dataset.sample) == (2, tuple(row), (row, row))
    entry = axolotl_entry(dataset)
    assert entry == {"path": str(path), "ds_type": "json"} | extra  # type: ignore[operator]
    assert entry_is_known_to_axolotl(entry)
    assert dataset.why.startswith("each row has")


@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_array_is_read_like_lines(tmp_path: Path, indent: int | None) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([ALPACA] * 3, indent=indent))
    assert inspect(path).rows == 3


def test_empty_lines_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b'{"text": "a"}\r\n\r\n{"text": "b"}')
    assert inspect(path).rows == 2


@pytest.mark.parametrize(
    ("content", "where", "words"),
    [
        (b'{"text": "a"}\n{"text": oops}\n', ":2", "not JSON"),
        (b'{"text": "a"}\n\xff\n', ":2", "UTF-8"),
        (b'{"text": "a"}\n["b"]\n', ":2", "not a JSON object"),
        (b'{"text": "a"}\n{"txt": "b"}\n', ":2", "text is missing"),
        (b'{"text": "a"}\n{"text": 3}\n', ":2", "text is not text"),
        (b'{"question": "a", "answer": "b"}\n', ":1", "found question, answer"),
        (b"{}\n", ":1", "no columns"),
        (b"name,age\nada,36\n", ":1", "not JSON"),
        (b'{\n  "text": "a"\n}\n', ":1", "not JSON"),
        (b'{"messages": []}\n', ":1", "found messages"),
        (b'{"messages": [{"role": "user", "content": "a"}]}\n{"messages": 3}\n', ":2", "turns"),
        (
            b'{"messages": [{"role": "user", "content": "a"}]}\n{"messages": [{"role": "user"}]}\n',
            ":2",
            "turn 1 has no content",
        ),
        (b"", "", "no rows"),
        (b"\n\n", "", "no rows"),
        (b"[]", "", "no rows"),
        (b'[{"text": "a"},\n 3]', ":2", "not a JSON object"),
        (b'[{"text": "a"},\n {"text"', ":2", "array is broken"),
        (b'[{"text": "a"} {"text": "b"}]', ":1", "array is broken"),
        (b'[{"text": "a"},\n {"text": "\xff"}]', ":2", "UTF-8"),
        (b"[" * 100_000, ":1", "array is broken"),
        (b'{"text": ' + b"[" * 100_000, ":1", "not JSON"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    tmp_path: Path, content: bytes, where: str, words: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        inspect(path)
    assert caught.value.where.startswith(f"{path}{where}")
    assert words in caught.value.what
    assert len(str(caught.value)) < 400


def test_a_missing_file_gets_the_nearest_name(tmp_path: Path) -> None:
    jsonl(tmp_path / "support.jsonl", ALPACA)
    with pytest.raises(DatasetError) as caught:
        inspect(tmp_path / "suport.jsonl")
    assert caught.value.hint == "Did you mean support.jsonl?"


def test_a_folder_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is a folder"):
        inspect(tmp_path)


def test_the_offending_text_cannot_steer_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\x1b[2J\x1b]0;gotcha\x07 no json here\n")
    with pytest.raises(DatasetError) as caught:
        inspect(path)
    assert caught.value.what == "this line is not JSON: no json here"


@pytest.mark.parametrize("array", [False, True])
def test_a_large_file_is_streamed(tmp_path: Path, array: bool) -> None:
    path = tmp_path / "rows.json"
    row = json.dumps({"text": "x" * 1000})
    with path.open("w") as file:
        file.write("[" if array else "")
        file.write((",\n" if array else "\n").join([row] * 20_000))
        file.write("]" if array else "")
    tracemalloc.start()
    try:
        assert inspect(path).rows == 20_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000 < path.stat().st_size


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
turns = st.fixed_dictionaries({"role": st.text(), "content": st.text()})
rows = st.one_of(
    st.lists(st.fixed_dictionaries({"text": st.text()}), min_size=1),
    st.lists(st.fixed_dictionaries({"instruction": st.text(), "output": st.text()}), min_size=1),
    st.lists(st.fixed_dictionaries({"messages": st.lists(turns, min_size=1)}), min_size=1),
)
same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@same_folder
@given(rows=rows, array=st.booleans(), indent=st.sampled_from([None, 1]), escape=st.booleans())
def test_every_row_is_seen_however_it_is_written(
    tmp_path: Path, rows: list[dict[str, Any]], array: bool, indent: int | None, escape: bool
) -> None:
    path = tmp_path / "rows.json"
    if array:
        text = json.dumps(rows, indent=indent, ensure_ascii=escape)
    else:
        text = "\n".join(json.dumps(row, ensure_ascii=escape) for row in rows)
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    if text != text.encode(errors="replace").decode():  # lone surrogates are no UTF-8
        return
    dataset = inspect(path)
    assert dataset.rows == len(rows)
    assert list(dataset.sample) == rows[:5]
    assert entry_is_known_to_axolotl(axolotl_entry(dataset))


@same_folder
@given(rows=st.lists(json_values), noise=st.binary(max_size=20), array=st.booleans())
def test_any_file_is_a_dataset_or_a_dataset_error(
    tmp_path: Path, rows: list[Any], noise: bytes, array: bool
) -> None:
    path = tmp_path / "rows.json"
    text = json.dumps(rows) if array else "\n".join(json.dumps(row) for row in rows)
    path.write_bytes(text.encode() + noise)
    with contextlib.suppress(DatasetError):
        assert inspect(path).rows > 0
