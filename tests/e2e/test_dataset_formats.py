"""Datasets that only the train runtime reads, through the real one; and what the hub answers."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from ftui.data.files import Layout, files_of, layout_of
from ftui.data.rows import Fault, Row, read_rows
from ftui.errors import DatasetError
from ftui.runtimes.rows import read_rows_in_runtime
from tests.standins import hub as hubs
from tests.standins.hub import NAME, hub
from tests.tools.broken_rows import LINES
from tests.unit.test_data_files import NO_TRAIN, SPLITS, tree

ROWS = [
    {"instruction": f"say {n}", "n": n, "turns": [{"role": "user", "content": "hé"}], "no": None}
    for n in range(300)
]
WRITE: dict[str, tuple[str, Layout]] = {
    "rows.parquet": ("made.to_parquet(path)", Layout.PARQUET),
    "rows named.jsonl": ("made.to_parquet(path)", Layout.PARQUET),
    "file.arrow": (
        "w = pa.ipc.new_file(path, table.schema); w.write_table(table, 100); w.close()",
        Layout.ARROW,
    ),
    "stream.arrow": (
        "w = pa.ipc.new_stream(path, table.schema); w.write_table(table); w.close()",
        Layout.ARROW,
    ),
    "packed.feather": ("import pyarrow.feather as f; f.write_feather(table, path)", Layout.ARROW),
    "saved": ("made.save_to_disk(path)", Layout.SAVED),
    "saved in shards": ("made.save_to_disk(path, num_shards=3)", Layout.SAVED),
    "saved selection": (
        "datasets.concatenate_datasets([made, made]).select(range(300)).save_to_disk(path)",
        Layout.SAVED,
    ),
}
PRELUDE = """
import json, sys, datetime, decimal
import datasets, pyarrow as pa, pyarrow.parquet as pq
datasets.disable_progress_bars()
path, rows = sys.argv[1], json.loads(sys.argv[2])
made = datasets.Dataset.from_list(rows) if rows else None
table = made.data.table if rows else None
"""


def in_runtime(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [os.environ["FTUI_TRAIN_PYTHON"], "-c", PRELUDE + code, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def made(path: Path, code: str, rows: list[dict[str, Any]] | None = None) -> str:
    in_runtime(code, str(path), json.dumps(rows))
    return str(path)


def rows_of(source: str, **more: Any) -> list[dict[str, Any]]:
    items = list(read_rows_in_runtime(source, **more))
    assert all(isinstance(item, Row) for item in items), items
    assert [item.line for item in items] == list(range(1, len(items) + 1))
    return [item.values for item in items if isinstance(item, Row)]


@pytest.mark.parametrize("name", WRITE)
def test_rows_come_back_as_they_were_written(tmp_path: Path, name: str) -> None:
    code, layout = WRITE[name]
    source = made(tmp_path / name, code, ROWS)
    assert layout_of(source) is layout
    assert rows_of(source) == ROWS
    assert files_of(Path(source)) == (Path(source),)


def test_equal_rows_have_equal_marks_in_every_format(tmp_path: Path) -> None:
    source = made(tmp_path / "rows.parquet", "made.to_parquet(path)", [ROWS[0], ROWS[1], ROWS[0]])
    (tmp_path / "rows.json").write_text(json.dumps([ROWS[0], ROWS[1]]))
    marks = [item.mark for item in read_rows_in_runtime(source) if isinstance(item, Row)]
    text = [item.mark for item in read_rows(tmp_path / "rows.json") if isinstance(item, Row)]
    assert marks == [*text, text[0]]
    assert text[0] != text[1]


@pytest.mark.parametrize(
    ("splits", "wanted", "read", "said"),
    [
        (["test", "train"], "", "train", "the split train is read; there are also test"),
        (["second", "first"], "", "second", "the split second is read; there are also first"),
        (["train", "test"], "test", "test", "the split test is read; there are also train"),
        (["train"], "", "train", "the split train is read"),
    ],
)
def test_a_split_is_chosen_and_said(
    tmp_path: Path, splits: list[str], wanted: str, read: str, said: str
) -> None:
    code = f"""
datasets.DatasetDict({{
    name: datasets.Dataset.from_list([{{"text": name}}]) for name in {splits!r}
}}).save_to_disk(path)"""
    source = made(tmp_path / "saved", code)
    notes: list[str] = []
    assert rows_of(source, split=wanted, on_note=notes.append) == [{"text": read}]
    assert notes == [said]


def test_what_json_does_not_have_is_changed_and_said(tmp_path: Path) -> None:
    code = """
pq.write_table(pa.table({
    "when": [datetime.datetime(2024, 5, 1, 12, 30), None],
    "day": [datetime.date(2024, 5, 1), None],
    "price": [decimal.Decimal("1.50"), None],
    "score": [float("nan"), 0.5],
    "best": [float("inf"), 1.0],
    "picture": [b"\\x89PNG", None],
    "deep": [[{"raw": b"x", "text": "y"}], []],
    "took": [datetime.timedelta(seconds=90), None],
    "big": pa.array([2**64 - 1, 0], pa.uint64()),
    "kind": pa.array(["a", "b"]).dictionary_encode(),
    "pairs": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
}), path)"""
    source = made(tmp_path / "rows.parquet", code)
    notes: list[str] = []
    one, two = rows_of(source, on_note=notes.append)
    assert one == {
        "when": "2024-05-01T12:30:00",
        "day": "2024-05-01",
        "price": 1.5,
        "score": None,
        "best": None,
        "picture": None,
        "deep": [{"raw": None, "text": "y"}],
        "took": "0:01:30",
        "big": 2**64 - 1,
        "kind": "a",
        "pairs": [["k", 1]],
    }
    assert two["score"] == 0.5
    changed = {note.split(":")[0].removeprefix("the column ") for note in notes}
    assert changed == {"when", "day", "price", "score", "best", "picture", "deep", "took"}


def test_mixed_types_that_datasets_keeps_as_json_are_objects_again(tmp_path: Path) -> None:
    (tmp_path / "mixed.jsonl").write_text('{"a": [{"x": 1}], "b": 1}\n{"a": [{"x": "y"}], "b": "z"}\n')
    code = f"""
loaded = datasets.load_dataset("json", data_files={str(tmp_path / "mixed.jsonl")!r}, split="train",
                               cache_dir={str(tmp_path / "cache")!r})
loaded.save_to_disk(path); loaded.to_parquet(path + ".parquet")"""
    source = made(tmp_path / "saved", code)
    expected = [{"a": [{"x": 1}], "b": 1}, {"a": [{"x": "y"}], "b": "z"}]
    assert rows_of(source) == rows_of(f"{source}.parquet") == expected


def test_a_text_that_is_no_utf8_is_a_fault_with_its_row_and_column(tmp_path: Path) -> None:
    code = """
bad = pa.array([b"a", b"\\xff", b"c"]).view(pa.string())
pq.write_table(pa.table({"id": [1, 2, 3], "text": bad}), path)"""
    one, two, three = read_rows_in_runtime(made(tmp_path / "rows.parquet", code))
    assert isinstance(one, Row)
    assert isinstance(two, Fault)
    assert (two.line, two.field) == (2, "text")
    assert two.message
    assert two.hint
    assert isinstance(three, Row)
    assert three.values == {"id": 3, "text": "c"}


EMPTY = {
    "rows.parquet": "pq.write_table(pa.table({'text': pa.array([], pa.string())}), path)",
    "saved": "datasets.Dataset.from_dict({'text': []}).save_to_disk(path)",
}


@pytest.mark.parametrize("name", EMPTY)
def test_no_rows_are_a_fault(tmp_path: Path, name: str) -> None:
    (only,) = read_rows_in_runtime(made(tmp_path / name, EMPTY[name]))
    assert isinstance(only, Fault)
    assert "no rows" in only.message


@pytest.mark.parametrize(
    ("name", "keep"),
    [
        ("rows.parquet", 4),
        ("rows.parquet", 4000),
        ("file.arrow", 20),
        ("file.arrow", 9000),
        ("stream.arrow", 100),
        ("stream.arrow", 9000),
    ],
)
def test_a_file_that_is_cut_off_is_told(tmp_path: Path, name: str, keep: int) -> None:
    path = Path(made(tmp_path / name, WRITE[name][0], ROWS))
    assert path.stat().st_size > keep
    path.write_bytes(path.read_bytes()[:keep])
    try:
        last = list(read_rows_in_runtime(str(path)))[-1]
    except DatasetError as error:
        assert error.where == str(path)
        assert error.why
        assert error.hint
    else:
        assert isinstance(last, Fault)
        assert last.hint


def test_a_saved_dataset_that_lacks_a_file_is_told(tmp_path: Path) -> None:
    source = Path(made(tmp_path / "saved", WRITE["saved in shards"][0], ROWS))
    (source / "data-00001-of-00003.arrow").unlink()
    *rows, last = read_rows_in_runtime(str(source))
    assert len(rows) == 100
    assert isinstance(last, Fault)
    assert "data-00001-of-00003.arrow" in last.message


def test_closing_early_ends_the_process(tmp_path: Path) -> None:
    code = "pq.write_table(pa.table({'text': ['x' * 1000] * 300_000}), path)"
    source = made(tmp_path / "rows.parquet", code)
    rows = read_rows_in_runtime(source)
    assert next(rows).line == 1
    (child,) = psutil.Process().children()
    rows.close()
    assert not child.is_running()


# axolotl takes the same files for the same rows.

AXOLOTL = """
import logging
from axolotl.utils.data.shared import load_dataset_with_config
from axolotl.utils.dict import DictDefault
answers = []
for config in rows_asked:
    try:
        got = load_dataset_with_config(DictDefault(config), False)
        if isinstance(got, dict):
            got = got["train"]
        answers.append([dict(row) for row in got])
    except Exception as error:
        answers.append(type(error).__name__)
print("ANSWER" + json.dumps(answers))
"""


def axolotl_reads(home: Path, *configs: dict[str, Any]) -> list[Any]:
    """What the real axolotl loads for each: rows, or the name of an exception."""
    code = f"""
import os; os.environ["HF_DATASETS_CACHE"] = {str(home / "cache")!r}
datasets.config.HF_DATASETS_CACHE = {str(home / "cache")!r}
rows_asked, rows = rows, None
"""
    prelude = "made = table = None\n"
    out = in_runtime(code + prelude + AXOLOTL, str(home), json.dumps([*configs]).replace("\\n", ""))
    answer = out.rpartition("ANSWER")[2]
    found = json.loads(answer)
    assert isinstance(found, list)
    return found
