"""Rows come back as they were written, however that was, each with the line where it begins."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftui.data.rows import Fault, Row, read_rows
from ftui.errors import DatasetError

same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
text = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
objects = st.lists(st.dictionaries(text, values, max_size=4), min_size=2)
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".zst": zstandard.compress,
}
packers = st.sampled_from(list(PACKERS))


def put(path: Path, content: bytes) -> Path:
    """Written, and packed as the name says."""
    path.write_bytes(PACKERS.get(path.suffix, PACKERS[""])(content))
    return path


def rows_of(path: Path) -> list[Row]:
    rows = [item for item in read_rows(path) if isinstance(item, Row)]
    assert rows == list(read_rows(path))
    return rows


def told(path: Path) -> list[tuple[int, str]]:
    return [(item.line, item.message) for item in read_rows(path) if isinstance(item, Fault)]


@same_folder
@given(
    objects=objects,
    packer=packers,
    end=st.sampled_from(["\n", "\r\n", "\n\n", " \n"]),
    ascii_only=st.booleans(),
    mark=st.booleans(),
    last=st.booleans(),
)
def test_jsonl_comes_back(
    tmp_path: Path,
    objects: list[dict[str, Any]],
    packer: str,
    end: str,
    ascii_only: bool,
    mark: bool,
    last: bool,
) -> None:
    written = end.join(json.dumps(item, ensure_ascii=ascii_only) for item in objects)
    content = (b"\xef\xbb\xbf" if mark else b"") + (written + (end if last else "")).encode()
    rows = rows_of(put(tmp_path / f"rows.jsonl{packer}", content))
    assert [row.values for row in rows] == objects
    assert [row.line for row in rows] == [1 + end.count("\n") * n for n in range(len(objects))]


@same_folder
@given(
    objects=objects, packer=packers, indent=st.sampled_from([None, 0, 2]), ascii_only=st.booleans()
)
def test_a_json_array_comes_back(
    tmp_path: Path,
    objects: list[dict[str, Any]],
    packer: str,
    indent: int | None,
    ascii_only: bool,
) -> None:
    written = json.dumps(objects, indent=indent, ensure_ascii=ascii_only)
    rows = rows_of(put(tmp_path / f"rows.json{packer}", written.encode()))
    assert [row.values for row in rows] == objects
    if indent == 2:
        ends = written.split("\n")
        begins = [n for n, line in enumerate(ends, start=1) if line.startswith("  {")]
        assert [row.line for row in rows] == begins


@same_folder
@given(data=st.data(), packer=packers, kind=st.sampled_from(["csv", "tsv"]), mark=st.booleans())
def test_a_table_comes_back(
    tmp_path: Path, data: st.DataObject, packer: str, kind: str, mark: bool
) -> None:
    cell = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    name = cell.filter(lambda name: name and not set(name) & set(";\t|,\n\r"))
    names = data.draw(st.lists(name, min_size=1, max_size=4, unique=True))
    row = st.fixed_dictionaries(dict.fromkeys(names, cell))
    written = data.draw(st.lists(row, min_size=1))
    memory = io.StringIO()
    writer = csv.DictWriter(
        memory,
        names,
        delimiter="," if kind == "csv" else "\t",
        lineterminator=data.draw(st.sampled_from(["\n", "\r\n"])),
        quoting=csv.QUOTE_ALL,
    )
    writer.writeheader()
    begins = []
    for each in written:
        begins.append(1 + memory.getvalue().count("\n"))
        writer.writerow(each)
    content = (b"\xef\xbb\xbf" if mark else b"") + memory.getvalue().encode()
    rows = rows_of(put(tmp_path / f"rows.{kind}{packer}", content))
    assert [row.values for row in rows] == written
    assert [row.line for row in rows] == begins


@same_folder
@given(
    content=st.binary(max_size=60), name=st.sampled_from(["r.jsonl", "r.json", "r.csv", "r.tsv"])
)
def test_any_bytes_are_rows_or_faults_or_refused(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with contextlib.suppress(DatasetError):
        items = list(read_rows(path))
        assert items
        assert all(item.line > 0 for item in items)


@same_folder
@given(objects=objects, noise=st.binary(max_size=20), data=st.data(), array=st.booleans())
def test_noise_anywhere_is_no_crash(
    tmp_path: Path, objects: list[dict[str, Any]], noise: bytes, data: st.DataObject, array: bool
) -> None:
    lines = "\n".join(json.dumps(item) for item in objects)
    content = (json.dumps(objects) if array else lines).encode()
    at = data.draw(st.integers(0, len(content)))
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content[:at] + noise + content[at:])
    with contextlib.suppress(DatasetError):
        assert list(read_rows(path))


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv"])
def test_equal_rows_have_equal_marks_and_others_have_not(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(
        {
            "rows.jsonl": '{"a": "x"}\n{"a": "y"}\n{"a": "x"}',
            "rows.json": '[{"a": "x"}, {"a": "y"}, {"a":"x"}]',
            "rows.csv": 'a\nx\ny\n"x"\n',
        }[name]
    )
    one, two, three = rows_of(path)
    assert one.mark == three.mark != two.mark


def test_blanks_around_a_line_do_not_change_its_mark(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\r\n  {"a": 1}\t\r\n{"a": 1}\n')
    assert len({row.mark for row in rows_of(path)}) == 1


def test_an_array_and_a_table_agree_on_marks(tmp_path: Path) -> None:
    put(tmp_path / "a.json", b'[{"a": "x", "b": "y"}]')
    put(tmp_path / "a.csv", b"a,b\nx,y\n")
    assert rows_of(tmp_path / "a.json")[0].mark == rows_of(tmp_path / "a.csv")[0].mark


@pytest.mark.parametrize("array", [False, True])
def test_nan_and_infinity_are_read_as_datasets_reads_them(tmp_path: Path, array: bool) -> None:
    path = tmp_path / "rows.json"
    row = '{"a": NaN, "b": -Infinity}'
    path.write_text(f"[{row}]" if array else row)
    (row_read,) = read_rows(path)
    assert isinstance(row_read, Row)
    assert math.isnan(row_read.values["a"])
    assert row_read.values["b"] == -math.inf


def test_an_integer_beyond_64_bits_on_a_line_becomes_a_float_as_in_datasets(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '{"a": 123456789012345678901234567890, "b": NaN}\n{"a": 18446744073709551615}\n'
    )
    one, two = rows_of_any(path)
    assert one["a"] == 1.2345678901234568e29
    assert two["a"] == 2**64 - 1


def rows_of_any(path: Path) -> list[dict[str, Any]]:
    return [item.values for item in read_rows(path) if isinstance(item, Row)]


def test_line_separators_of_unicode_end_no_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes('{"a": "x\u2028y\u2029z\x85"}\n{"a": "b"}\n'.encode())
    assert [(row.line, row.values["a"]) for row in rows_of(path)] == [
        (1, "x\u2028y\u2029z\x85"),
        (2, "b"),
    ]


@pytest.mark.parametrize("depth", [100, 253, 300, 500, 900, 990, 1020, 1100, 3000])
@pytest.mark.parametrize("array", [False, True])
def test_nesting_of_any_depth_is_a_row_or_a_fault(tmp_path: Path, depth: int, array: bool) -> None:
    row = '{"a": ' + "[" * depth + "]" * depth + "}"
    path = put(tmp_path / "rows.json", (f"[{row}]" if array else row).encode())
    (item,) = read_rows(path)
    assert isinstance(item, Row) or "too deep" in item.message
    assert isinstance(item, Row) or depth > 253


@pytest.mark.parametrize(
    "row",
    [
        b'{"a": "x", "a": "y"}',
        b'{"a" : "x", "b": 1, "a" : "y"}',
        b'{"b": [{"a": 1, "c": 2, "a": 3}]}',
        b'{"b": {"a": "\\":", "a": ""}}',
    ],
)
def test_a_key_that_comes_twice_is_a_fault(tmp_path: Path, row: bytes) -> None:
    good = b'{"a": "b"}\n'
    one, two, three = read_rows(put(tmp_path / "rows.jsonl", good + row + b"\n" + good))
    assert isinstance(two, Fault)
    assert (two.line, two.field) == (2, "a")
    assert isinstance(one, Row)
    assert isinstance(three, Row)


@pytest.mark.parametrize("row", [b'{"a" : "x"}', b'{"a": "\\": \\":"}', b'{"a": "\\u0022:"}'])
def test_a_key_that_comes_once_is_none(tmp_path: Path, row: bytes) -> None:
    assert rows_of(put(tmp_path / "rows.jsonl", row))[0].values.keys() == {"a"}


def test_a_key_is_not_counted_twice_in_an_array_where_the_last_value_counts(tmp_path: Path) -> None:
    path = put(tmp_path / "rows.json", b'[{"a": "x", "a": "y"}]')
    assert rows_of(path)[0].values == {"a": "y"}


def test_a_row_of_5_mb_is_a_row(tmp_path: Path) -> None:
    long = "x" * 5_000_000
    for name, written in (
        ("rows.jsonl", json.dumps({"a": long})),
        ("rows.json", json.dumps([{"a": long}])),
        ("rows.csv", f"a\n{long}\n"),
    ):
        path = put(tmp_path / name, written.encode())
        assert rows_of(path)[0].values == {"a": long}


@pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
def test_content_counts_before_the_name(tmp_path: Path, packed: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(PACKERS[packed](b'{"a": "x"}\n{"a": "y"}\n'))
    assert rows_of_any(path) == [{"a": "x"}, {"a": "y"}]
    path.write_bytes(PACKERS[packed](b'[{"a": "x"}]'))
    assert rows_of_any(path) == [{"a": "x"}]


def test_gzip_members_zstd_frames_and_padding_are_read_on(tmp_path: Path) -> None:
    one, two = b'{"a": 1}\n', b'{"a": 2}\n'
    path = tmp_path / "rows.jsonl"
    path.write_bytes(gzip.compress(one) + gzip.compress(two) + bytes(512))
    assert rows_of_any(path) == [{"a": 1}, {"a": 2}]
    skipped = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
    path.write_bytes(skipped + zstandard.compress(one) + skipped + zstandard.compress(two))
    assert rows_of_any(path) == [{"a": 1}, {"a": 2}]


def test_reading_goes_on_after_each_fault(tmp_path: Path) -> None:
    path = put(tmp_path / "rows.jsonl", b'{"a": 1}\noops\n{"a": 2}\n\n[]\n{"a": 3}\n\xff\n')
    assert [item.line for item in read_rows(path)] == [1, 2, 3, 5, 6, 7]
    assert [line for line, _ in told(path)] == [2, 5, 7]
