"""A path means files, and files have a layout: told as axolotl will take them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard

from ftui.data.files import Layout, files_of, layout_of, left_out
from ftui.errors import DatasetError

ROW = b'{"text": "a"}\n'
CONTENT = {
    Layout.JSONL: ROW,
    Layout.JSON: b'[{"text": "a"}]',
    Layout.CSV: b"text\na\n",
    Layout.TSV: b"text\tmore\na\tb\n",
    Layout.PARQUET: b"PAR1\x15\x04",
    Layout.ARROW: b"ARROW1\0\0",
}
NAMES = {
    Layout.JSONL: ("rows.jsonl", "rows.json", "rows.ndjson", "rows", "rows.txt", "ROWS.CSV"),
    Layout.JSON: ("rows.json", "rows.jsonl", "rows", "rows.csv"),
    Layout.CSV: ("rows.csv", "ROWS.CSV"),
    Layout.TSV: ("rows.tsv",),
    Layout.PARQUET: ("rows.parquet", "rows.jsonl", "rows"),
    Layout.ARROW: ("rows.arrow", "rows.feather", "rows.csv"),
}
TEXTS = (Layout.JSONL, Layout.JSON, Layout.CSV, Layout.TSV)


def tree(folder: Path, *names: str, content: bytes = ROW) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def taken(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in files_of(folder)]


@pytest.mark.parametrize(
    ("layout", "name"), [(layout, name) for layout, names in NAMES.items() for name in names]
)
def test_the_content_tells_the_layout(tmp_path: Path, layout: Layout, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(CONTENT[layout])
    assert layout_of(path) is layout
    assert files_of(path) == (path,)


@pytest.mark.parametrize("layout", TEXTS)
def test_a_packed_file_has_the_layout_of_what_is_in_it(tmp_path: Path, layout: Layout) -> None:
    name = NAMES[layout][0]
    for suffix, pack in ((".gz", gzip.compress), (".zst", zstandard.compress)):
        path = tmp_path / f"{name}{suffix}"
        path.write_bytes(pack(CONTENT[layout]))
        assert layout_of(path) is layout
        bare = tmp_path / name
        bare.write_bytes(pack(CONTENT[layout]))
        assert layout_of(bare) is layout


def test_packed_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet.gz"
    path.write_bytes(gzip.compress(CONTENT[Layout.PARQUET]))
    with pytest.raises(DatasetError, match="packed Parquet"):
        layout_of(path)


def test_the_words_of_axolotl_for_each_layout() -> None:
    assert {layout: layout.ds_type for layout in Layout if layout.ds_type} == {
        Layout.JSONL: "json",
        Layout.JSON: "json",
        Layout.CSV: "csv",
        Layout.PARQUET: "parquet",
        Layout.ARROW: "arrow",
    }
    assert {layout for layout in Layout if layout.needs_runtime} == set(Layout) - set(TEXTS)


def test_a_folder_means_its_files_sorted_and_below(tmp_path: Path) -> None:
    tree(tmp_path, "b.jsonl", "a.jsonl", "c/d.json", "c/e.jsonl.gz", "README.md", "notes.txt")
    assert taken(tmp_path) == ["a.jsonl", "b.jsonl", "c/d.json", "c/e.jsonl.gz"]
    assert layout_of(tmp_path) is Layout.JSONL


def test_hidden_files_and_those_about_the_dataset_do_not_count(tmp_path: Path) -> None:
    tree(tmp_path, "a.jsonl", ".b.jsonl", ".git/c.jsonl", "__cache__/d.jsonl", "config.json")
    assert taken(tmp_path) == ["a.jsonl"]


def test_links_to_folders_are_not_followed_so_that_none_is_endless(tmp_path: Path) -> None:
    tree(tmp_path, "a.jsonl", "inner/b.jsonl")
    (tmp_path / "inner" / "again").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    (tmp_path / "linked.jsonl").symlink_to(tmp_path / "a.jsonl")
    assert taken(tmp_path) == ["a.jsonl", "inner/b.jsonl", "linked.jsonl"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("a.jsonl", "b.csv"), "1 JSON, 1 CSV"),
        (("a.csv", "b.tsv"), "1 CSV, 1 TSV"),
        (("a.parquet", "b.parquet", "c.arrow"), "2 Parquet, 1 Arrow"),
    ],
)
def test_several_formats_are_refused(tmp_path: Path, names: tuple[str, ...], words: str) -> None:
    with pytest.raises(DatasetError, match="several formats") as caught:
        files_of(tree(tmp_path, *names))
    assert words in caught.value.why
    assert caught.value.hint


SPLITS: dict[tuple[str, ...], list[str]] = {
    ("train.jsonl", "test.jsonl"): ["train.jsonl"],
    ("my-train-1.jsonl", "my-train-2.jsonl", "my-dev.jsonl"): [
        "my-train-1.jsonl",
        "my-train-2.jsonl",
    ],
    ("train/a.jsonl", "validation/b.jsonl"): ["train/a.jsonl"],
    ("training 2024/a.jsonl", "b.jsonl"): ["training 2024/a.jsonl"],
    ("data/train-00000-of-00001.jsonl", "data/test-00000-of-00001.jsonl", "more.jsonl"): [
        "data/train-00000-of-00001.jsonl"
    ],
    ("train/test.jsonl", "train/dev.jsonl"): ["train/dev.jsonl", "train/test.jsonl"],
    ("trains.jsonl", "contest.jsonl"): ["contest.jsonl", "trains.jsonl"],
    ("latest.jsonl", "constrained.jsonl"): ["constrained.jsonl", "latest.jsonl"],
}
"""What each folder is trained on. tests/e2e/test_dataset_formats.py asks `datasets` the same."""

NO_TRAIN: tuple[tuple[str, ...], ...] = (
    ("test.jsonl",),
    ("rows.jsonl", "test.jsonl"),
    ("val/a.jsonl", "b.jsonl"),
    ("dev.jsonl",),
    ("data/train_sft-00000-of-00001.jsonl", "data/test_sft-00000-of-00001.jsonl"),
)


@pytest.mark.parametrize("names", SPLITS, ids=str)
def test_names_of_splits_decide_what_is_trained_on(tmp_path: Path, names: tuple[str, ...]) -> None:
    tree(tmp_path, *names)
    assert taken(tmp_path) == SPLITS[names]
    left = {str(path.relative_to(tmp_path)) for path in left_out(tmp_path)}
    assert left == set(names) - set(SPLITS[names])


@pytest.mark.parametrize("names", NO_TRAIN, ids=str)
def test_a_folder_without_a_train_split_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(DatasetError, match="no split to train on") as caught:
        files_of(tree(tmp_path, *names))
    assert caught.value.why
    assert caught.value.hint


@pytest.mark.parametrize("names", [(), ("a.JSONL",), ("a.docx",), ("rows",)])
def test_a_folder_without_data_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(DatasetError, match="holds no dataset"):
        files_of(tree(tmp_path, *names))


def test_a_saved_dataset_is_one_thing(tmp_path: Path) -> None:
    one = tree(tmp_path / "one", "state.json", "dataset_info.json", "data-00000-of-00001.arrow")
    many = tree(tmp_path / "many", "dataset_dict.json", "train/state.json")
    for path in (one, many):
        assert files_of(path) == (path,)
        assert left_out(path) == ()
        assert layout_of(path) is Layout.SAVED


@pytest.mark.parametrize("name", ["someone/some-dataset", "HuggingFaceH4/ultrachat_200k", "a/b.c"])
def test_a_hub_id_is_known_by_its_form(name: str) -> None:
    assert layout_of(name) is Layout.HUB


@pytest.mark.parametrize("name", ["a/b.jsonl", "a/b/c", "rows", "/a/b", "~/a", "a b/c", "../a"])
def test_what_is_no_hub_id_is_a_file_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError, match="no such file"):
        layout_of(name)


def test_a_name_in_a_folder_that_is_there_is_no_hub_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree(tmp_path, "data/rows.jsonl"))
    with pytest.raises(DatasetError, match="no such file"):
        layout_of("data/rowz")


def test_a_missing_file_gets_the_nearest_name(tmp_path: Path) -> None:
    tree(tmp_path, "support.jsonl")
    with pytest.raises(DatasetError) as caught:
        files_of(tmp_path / "suport.jsonl")
    assert caught.value.hint == "Did you mean support.jsonl?"


def test_a_folder_that_loops_is_refused(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(DatasetError):
        files_of(loop)
