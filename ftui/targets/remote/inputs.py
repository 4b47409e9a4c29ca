"""What travels: everything on this disk that a config names, brought into the run folder."""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ftui.paths import is_on_volume

FOLDER = "inputs"
"""Where they are, seen from the run folder, here and on the other machine."""

_KEYS = ("base_model", "tokenizer_config", "deepspeed")
_LISTS = ("datasets", "test_datasets", "pretraining_dataset")
_ODD = re.compile(r"[^A-Za-z0-9._-]")

Place = tuple[Any, ...]


def local_inputs(config: Mapping[str, Any]) -> list[tuple[Place, Path]]:
    """Files and folders of this machine that a config names by absolute paths, and where."""
    paths = ((place, Path(value)) for place, value in _named(config))
    return [(place, path) for place, path in paths if path.is_absolute() and not is_on_volume(path)]


def on_volume(config: Mapping[str, Any]) -> list[str]:
    """What a config names that lies on a volume; it does not travel."""
    return [value for _, value in _named(config) if is_on_volume(value)]


def bring(
    config: Mapping[str, Any], folder: Path, copied: Callable[[Path], None] = lambda file: None
) -> dict[str, Any]:
    """Copy everything into the run folder's `inputs`; the config with its paths seen from there.

    What is there already, of an earlier launch, stays. `copied` hears of each file. Raises OSError.
    """
    brought = copy.deepcopy(dict(config))
    names: dict[Path, str] = {}
    for place, path in local_inputs(config):
        if path not in names:
            names[path] = free_name(path, set(names.values()))
            copy_files(path, folder / FOLDER / names[path], copied)
        _put(brought, place, f"./{FOLDER}/{names[path]}")
    return brought


def copy_files(
    source: Path, target: Path, copied: Callable[[Path], None] = lambda file: None
) -> None:
    """Copy a file, or a folder with all that is in it, under plain names. Raises OSError."""
    below = _clean_names(source) if source.is_dir() else {source: Path()}
    for file, name in below.items():
        there = target / name
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, there)
        copied(there)


def files_below(path: Path) -> list[Path]:
    """The files below a folder, or the file itself; links are followed."""
    if path.is_file():
        return [path]
    return [file for file in path.rglob("*") if file.is_file()]


def _named(config: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    for key in _KEYS:
        if isinstance(config.get(key), str):
            yield (key,), config[key]
    for key in _LISTS:
        entries = config.get(key)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict) and isinstance(entry.get("path"), str):
                yield (key, index, "path"), entry["path"]


def _put(config: Any, place: Place, value: str) -> None:
    for step in place[:-1]:
        config = config[step]
    config[place[-1]] = value


def _clean_names(folder: Path) -> dict[Path, Path]:
    """The files below a folder, and what each is called seen from its copy."""
    clean = {folder: Path()}
    taken: dict[Path, set[str]] = {}

    def name(path: Path) -> Path:
        if path not in clean:
            above = name(path.parent)
            there = taken.setdefault(above, set())
            chosen = free_name(path, there)
            there.add(chosen)
            clean[path] = above / chosen
        return clean[path]

    files = sorted(files_below(folder), key=lambda file: (_is_odd(file, folder), file))
    return {file: name(file) for file in files}


def _is_odd(file: Path, folder: Path) -> bool:
    return any(_ODD.search(part) for part in file.relative_to(folder).parts)


def free_name(path: Path, taken: Collection[str]) -> str:
    """A name that no shell and no YAML has trouble with, and that is not taken."""
    stem, end = _ODD.sub("_", path.stem) or "input", _ODD.sub("_", path.suffix)
    names = (f"{stem}{number or ''}{end}" for number in range(len(taken) + 1))
    return next(name for name in names if name not in taken)
