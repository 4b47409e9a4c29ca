"""Which files a dataset is made of, and how rows are laid out in them.

A folder is taken as `datasets` 4.8 takes it for axolotl: by the names of its files, which may name
a split too (train, test, …), of which axolotl trains on `train`. Links to folders are not followed.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import NamedTuple

from ftui.data.layout import Layout
from ftui.data.row import Broken
from ftui.data.sniff import sniff
from ftui.data.source import Source, cannot_read, missing
from ftui.errors import DatasetError

__all__ = ["Layout", "files_of", "layout_of", "left_out"]

_MOST_ENTRIES = 100_000
_FORMATS = {
    ".jsonl": "JSON",
    ".json": "JSON",
    ".ndjson": "JSON",
    ".csv": "CSV",
    ".tsv": "TSV",
    ".parquet": "Parquet",
    ".arrow": "Arrow",
}
_ABOUT = ("config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json")
"""Files of a folder that `datasets` never takes for data."""
_SPLITS = {
    "train": "train|training",
    "validation": "validation|valid|dev|val",
    "test": "test|testing|eval|evaluation",
}
_APART = "[-._ 0-9]"
_IN_FOLDER = {
    split: re.compile(rf"(?:.*{_APART})?(?:{words})(?:{_APART}.*)?")
    for split, words in _SPLITS.items()
}
_IN_NAME = {
    split: re.compile(rf"(?:.*{_APART})?(?:{words}){_APART}.*") for split, words in _SPLITS.items()
}
_SHARD = re.compile(r"data/(?P<split>[^/]+)-[0-9]{5}-of-[0-9]{5}[^/]*\.[^/]*")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def files_of(path: Path) -> tuple[Path, ...]:
    """The files of a dataset: a file or a saved dataset itself; those of a folder, sorted.

    Raises DatasetError: no such file, nothing in the folder, several formats, no train split.
    """
    try:
        if not path.exists():
            raise missing(path)
        is_one = not path.is_dir() or _is_saved(path)
    except (OSError, ValueError) as error:
        raise cannot_read(path, error) from error
    return (path,) if is_one else _folder(path).taken


def left_out(path: Path) -> tuple[Path, ...]:
    """The data files of a folder that axolotl does not train on: their names name another split.

    Raises DatasetError as files_of does.
    """
    return _folder(path).left if files_of(path) != (path,) else ()


def layout_of(source: Path | str) -> Layout:
    """The layout of a file, a folder, or a hub id such as `owner/name`.

    Told by the content. Raises DatasetError where there is no dataset.
    """
    path = Path(source)
    if _is_hub_id(str(source), path):
        return Layout.HUB
    files = files_of(path)
    if path.is_dir():
        return Layout.SAVED if files == (path,) else layout_of(files[0])
    try:
        with Source(path) as opened:
            layout = sniff(opened.head, path.name)
            if layout.needs_runtime and opened.is_packed:
                raise Broken(f"this is a packed {layout} file", "Unpack it first.")
            return layout
    except Broken as error:
        raise DatasetError(error.message, where=str(path), hint=error.hint) from error


def _is_hub_id(text: str, path: Path) -> bool:
    if _HUB_ID.fullmatch(text) is None or _format(text) is not None:
        return False
    return not path.exists() and not path.parent.exists()


def _is_saved(path: Path) -> bool:
    """Whether `datasets.save_to_disk` wrote this folder."""
    one = (path / "state.json").is_file() and (path / "dataset_info.json").is_file()
    return one or (path / "dataset_dict.json").is_file()


class _Folder(NamedTuple):
    taken: tuple[Path, ...]
    left: tuple[Path, ...]


def _folder(path: Path) -> _Folder:
    """The data files of a folder that are trained on, and those that are not."""
    names = sorted(name for name in _names(path) if _format(name) is not None)
    if not names:
        raise DatasetError(
            "this folder holds no dataset",
            where=str(path),
            why="no file in it ends in .jsonl, .json, .csv, .tsv, .parquet or .arrow",
            hint="Name the file, or rename it: capital letters do not count (.JSONL).",
        )
    taken = _trained_on(names, path)
    formats = Counter(_format(name) for name in taken)
    if len(formats) > 1:
        counted = ", ".join(f"{count} {name}" for name, count in formats.most_common())
        raise DatasetError(
            "this folder holds several formats",
            where=str(path),
            why=f"{counted}: axolotl reads the files of one format and leaves out the others",
            hint="Name one file, or put the files of each format into a folder of their own.",
        )
    left = sorted(set(names) - set(taken))
    return _Folder(tuple(path / name for name in taken), tuple(path / name for name in left))


def _format(name: str) -> str | None:
    """What `datasets` takes a file for by its name. Capital letters are no suffix to it."""
    for packed in (".gz", ".zst"):
        name = name.removesuffix(packed)
    return _FORMATS.get(PurePath(name).suffix)


def _names(path: Path) -> Iterable[str]:
    """Every file in the folder and below, but for hidden ones, by its path from there."""
    seen = 0
    for folder, inner, files in os.walk(path, onerror=_raise):
        inner[:] = sorted(name for name in inner if not name.startswith((".", "__")))
        seen += len(inner) + len(files)
        if seen > _MOST_ENTRIES:
            raise DatasetError(
                f"this folder holds more than {_MOST_ENTRIES:,} files",
                where=str(path),
                hint="Name the dataset in it.",
            )
        below = Path(folder).relative_to(path)
        for name in files:
            if not name.startswith(".") and name not in _ABOUT:
                yield str(below / name)


def _raise(error: OSError) -> None:
    raise cannot_read(Path(str(error.filename)), error) from error


def _trained_on(names: list[str], path: Path) -> list[str]:
    """The files of the split `train`; all of them where no name names a split.

    The rules are those of datasets.data_files: shards count first, then folders, then names.
    """
    for splits in (_by_shard(names), _by(_IN_FOLDER, names), _by(_IN_NAME, names)):
        if splits.get("train"):
            return splits["train"]
        if splits:
            found = ", ".join(sorted(splits))
            raise DatasetError(
                "this folder has no split to train on",
                where=str(path),
                why=f"its names name the splits {found}, and a file whose name names none is left "
                "out then",
                hint="Rename the files to train on so that their names begin with train-.",
            )
    return names


def _by_shard(names: list[str]) -> dict[str, list[str]]:
    """Files as the hub writes them, by their split: data/train-00000-of-00002.parquet."""
    splits: dict[str, list[str]] = {}
    for name in names:
        shard = _SHARD.fullmatch(name)
        if shard is not None:
            splits.setdefault(shard["split"], []).append(name)
    return splits


def _by(patterns: dict[str, re.Pattern[str]], names: list[str]) -> dict[str, list[str]]:
    """Files whose folders, or whose own names, name a split."""
    splits: dict[str, list[str]] = {}
    for name in names:
        *folders, last = PurePath(name).parts
        for split, pattern in patterns.items():
            if any(map(pattern.fullmatch, folders if patterns is _IN_FOLDER else [last])):
                splits.setdefault(split, []).append(name)
    return splits
