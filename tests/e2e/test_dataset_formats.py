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
from ftui.runtimes.process import quiet_environment
from ftui.runtimes.rows import read_rows_in_runtime
from tests.standins import hub as hubs
from tests.standins.hub import NAME, hub
from tests.tools.broken_rows import LINES
from tests.unit.test_data_files import NO_TRAIN, SPLITS, tree
from tests.unit.test_data_rows import put

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
MAKE = """
import json, sys, datetime, decimal
import datasets, pyarrow as pa, pyarrow.parquet as pq
datasets.disable_progress_bars()
path, rows = sys.argv[1], json.loads(sys.argv[2])
made = datasets.Dataset.from_list(rows) if rows else None
table = made.data.table if rows else None
"""
LOAD = """
import json, sys
from axolotl.utils.data.shared import load_dataset_with_config
from axolotl.utils.dict import DictDefault
answers = []
for config in json.loads(sys.argv[1]):
    try:
        got = load_dataset_with_config(DictDefault(config), False)
        got = got["train"] if isinstance(got, dict) else got
        answers.append([dict(row) for row in got])
    except Exception as error:
        answers.append(type(error).__name__)
print("ANSWERS", json.dumps(answers))
"""


def in_runtime(home: Path, code: str, *arguments: str) -> str:
    done = subprocess.run(
        [os.environ["FTUI_TRAIN_PYTHON"], "-c", code, *arguments],
        capture_output=True,
        text=True,
        env=quiet_environment() | {"HF_HOME": str(home / "hf")},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def made(path: Path, code: str, rows: list[dict[str, Any]] | None = None) -> str:
    in_runtime(path.parent, MAKE + code, str(path), json.dumps(rows))
    return str(path)


def axolotl_reads(home: Path, *configs: dict[str, Any]) -> list[Any]:
    """What the real axolotl loads for each: rows, or the name of an exception."""
    answers = json.loads(in_runtime(home, LOAD, json.dumps(configs)).rpartition("ANSWERS")[2])
    assert isinstance(answers, list)
    return answers


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
    (tmp_path / "mixed.jsonl").write_text(
        '{"a": [{"x": 1}], "b": 1}\n{"a": [{"x": "y"}], "b": "z"}\n'
    )
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
    why, hint = how_it_ends(str(path))
    assert why
    assert hint


def how_it_ends(source: str) -> tuple[str, str]:
    """Why it cannot be read, or not to its end, and what to do."""
    try:
        last = list(read_rows_in_runtime(source))[-1]
    except DatasetError as error:
        return error.why, error.hint
    return (last.message, last.hint) if isinstance(last, Fault) else ("", "")


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


def test_axolotl_trains_on_the_files_that_a_folder_means(tmp_path: Path) -> None:
    folders = [tree(tmp_path / f"{n}", *names) for n, names in enumerate([*SPLITS, *NO_TRAIN])]
    for folder in folders:
        for path in folder.rglob("*.jsonl"):
            path.write_text(json.dumps({"from": str(path.relative_to(folder))}))
    answers = axolotl_reads(tmp_path, *({"path": str(folder)} for folder in folders))
    for names, answer in zip(SPLITS, answers, strict=False):
        assert sorted(row["from"] for row in answer) == SPLITS[names], names
    assert answers[len(SPLITS) :] == ["KeyError"] * len(NO_TRAIN)


def test_axolotl_reads_each_text_layout_by_its_ds_type_but_no_tsv_file(tmp_path: Path) -> None:
    rows = [{"instruction": "a, b", "output": 'say "c"'}, {"instruction": "d", "output": "e\nf"}]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    table = 'instruction,output\n"a, b","say ""c"""\nd,"e\nf"\n'
    content = {"a.jsonl": lines, "a.json": json.dumps(rows), "a.csv": table}
    paths = [
        put(tmp_path / f"{name}{suffix}", text.encode())
        for name, text in content.items()
        for suffix in ("", ".gz", ".zst")
    ]
    tsv = put(tmp_path / "a.tsv", b"instruction\toutput\na\tb\n")
    configs = [{"path": str(path), "ds_type": layout_of(path).ds_type} for path in paths]
    others = [{"path": str(tsv), "ds_type": kind} for kind in ("csv", "json", "tsv", "text")]
    answers = axolotl_reads(tmp_path, *configs, *others)
    assert answers[: len(paths)] == [rows] * len(paths)
    for path in paths:
        assert [item.values for item in read_rows(path) if isinstance(item, Row)] == rows
    assert [{"instruction": "a", "output": "b"}] not in answers[len(paths) :]
    assert layout_of(tsv).ds_type == ""


def test_axolotl_reads_what_the_runtime_read_by_its_ds_type(tmp_path: Path) -> None:
    sources = [made(tmp_path / name, code, ROWS) for name, (code, _) in WRITE.items()]
    kinds = [layout_of(source).ds_type for source in sources]
    configs = [{"path": p, "ds_type": kind} for p, kind in zip(sources, kinds, strict=True)]
    assert axolotl_reads(tmp_path, *configs) == [ROWS] * len(sources)


def test_axolotl_refuses_the_lines_that_are_faults_but_for_a_few(tmp_path: Path) -> None:
    """Those few it reads otherwise than they look: two rows of one line, a row of nothing.

    Deep nesting is left out: pyarrow ends the process with a segmentation fault.
    """
    cases = [case for case in LINES if case.content and "deep" not in case.name]
    paths = [put(tmp_path / f"{n} {case.name}", case.content) for n, case in enumerate(cases)]
    configs = [{"path": str(path), "ds_type": "json"} for path in paths]
    answers = axolotl_reads(tmp_path, *configs)
    read = {case.name for case, answer in zip(cases, answers, strict=True) if type(answer) is list}
    assert read == {
        "bare null.jsonl",
        "bare NaN.jsonl",
        "leading zero.jsonl",
        "endless digits.jsonl",
        "two objects.jsonl",
        "two objects apart.jsonl",
        "old Mac line ends.jsonl",
        "pretty printed.jsonl",
        "one pretty object.json",
        "rows inside of data.json",
        "rows inside of train.json",
        "columns.json",
    }


# The hub.

ONE = b'{"text": "a"}\n'


@pytest.fixture
def hub_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No token, no cache, and the environment as it is for most people."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path


REFUSALS = {
    "missing": (hubs.MISSING, "no such dataset on the hub, or it is private", "Check the name"),
    "private": (hubs.PRIVATE, "no such dataset on the hub, or it is private", "hf auth login"),
    "gated": (hubs.GATED, "gated", "Accept them at"),
    "not allowed": (hubs.NOT_ALLOWED, "your account has no access", "Ask for it at"),
    "bad token": (hubs.BAD_TOKEN, "does not accept your token", "Make a new one"),
    "forbidden": (hubs.FORBIDDEN, "your token may not read", "HF_TOKEN"),
    "disabled": (hubs.DISABLED, "disabled", "Choose another"),
    "too many": (hubs.TOO_MANY, "too many requests", "Wait"),
    "down": (hubs.DOWN, "a problem of its own", "Try again later"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_the_hub_refuses_is_told_at_once_and_without_the_token(
    hub_home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    refusal, what, hint = REFUSALS[name]
    monkeypatch.setenv("HF_TOKEN", "hf_SecretSecret")
    began = time.monotonic()
    with hub(refusal=refusal) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        with pytest.raises(DatasetError, match=what) as caught:
            list(read_rows_in_runtime("someone/rows"))
    assert time.monotonic() - began < 60
    assert set(server.asked) == {"Bearer hf_SecretSecret"}
    assert hint in caught.value.hint
    assert "Secret" not in repr(vars(caught.value))


def test_no_network_is_told_at_once(hub_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
    began = time.monotonic()
    with pytest.raises(DatasetError, match="the hub cannot be reached") as caught:
        list(read_rows_in_runtime("someone/rows"))
    assert time.monotonic() - began < 60
    assert server.url in caught.value.why


def test_a_person_who_is_offline_on_purpose_is_told_so(
    hub_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        with pytest.raises(DatasetError, match="the hub was not asked"):
            list(read_rows_in_runtime("someone/rows"))
    assert server.asked == []


def test_rows_stream_from_the_hub(hub_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"text": f"row {n}"} for n in range(2000)]
    files = {
        "train.jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode(),
        "test.jsonl": ONE,
    }
    notes: list[str] = []
    with hub(files) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        assert rows_of(NAME, on_note=notes.append) == rows
        assert notes == ["the split train is read; there are also test"]
        assert rows_of(NAME, split="test") == [{"text": "a"}]
        with pytest.raises(DatasetError, match="no such part or split") as caught:
            rows_of(NAME, split="nope")
        assert "train, test" in caught.value.why


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({}, "no data files"),
        ({"README.txt": b""}, "."),
        ({"rows.py": b"print(1)"}, "is a program that makes the rows"),
        ({"train.jsonl": b"oops\n"}, "."),
        (
            {
                "README.md": b"---\nconfigs:\n- config_name: one\n  data_files: a.jsonl\n"
                b"- config_name: two\n  data_files: b.jsonl\n---\n",
                "a.jsonl": ONE,
                "b.jsonl": ONE,
            },
            "has several parts",
        ),
    ],
)
def test_a_dataset_that_cannot_be_loaded_is_told(
    hub_home: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], what: str
) -> None:
    with hub(files) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        with pytest.raises(DatasetError, match=what) as caught:
            list(read_rows_in_runtime(NAME))
    assert caught.value.why
    assert caught.value.hint
    assert "Traceback" not in str(caught.value)
