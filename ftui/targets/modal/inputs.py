"""What travels to Modal: everything on this disk that a config names, in the run folder."""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FOLDER = "inputs"
"""Where they are, seen from the run folder, here and on the volume."""

_KEYS = ("base_model", "tokenizer_config", "deepspeed")
_LISTS = ("datasets", "test_datasets", "pretraining_dataset")
_ODD = re.compile(r"[^A-Za-z0-9._-]")
_Place = tuple[Any, ...]


def pack(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Copy everything into the run folder's `inputs`; the config with its paths seen from there.

    What is there already, of an earlier launch, stays. Raises OSError.
    """
    packed = copy.deepcopy(dict(config))
    names: dict[Path, str] = {}
    for place, value in _named(config):
        path = Path(value)
        if not path.is_absolute():
            continue
        if path not in names:
            names[path] = _free_name(path, set(names.values()))
            _copy(path, folder / FOLDER / names[path])
        _put(packed, place, f"./{FOLDER}/{names[path]}")
    return packed


def asks_hub(config: Mapping[str, Any]) -> bool:
    """Whether the base model does not come along."""
    return not str(config.get("base_model", "")).startswith(("./", "/"))


def _named(config: Mapping[str, Any]) -> Iterator[tuple[_Place, str]]:
    for key in _KEYS:
        if isinstance(config.get(key), str):
            yield (key,), config[key]
    for key in _LISTS:
        entries = config.get(key)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict) and isinstance(entry.get("path"), str):
                yield (key, index, "path"), entry["path"]


def _put(config: Any, place: _Place, value: str) -> None:
    for step in place[:-1]:
        config = config[step]
    config[place[-1]] = value


def _free_name(path: Path, taken: set[str]) -> str:
    """A name that no shell and no YAML has trouble with."""
    stem, end = _ODD.sub("_", path.stem) or "input", _ODD.sub("_", path.suffix)
    names = (f"{stem}{number or ''}{end}" for number in range(len(taken) + 1))
    return next(name for name in names if name not in taken)


def _copy(source: Path, target: Path) -> None:
    files = [source] if source.is_file() else [one for one in source.rglob("*") if one.is_file()]
    for file in files:
        copied = target / file.relative_to(source) if source.is_dir() else target
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copied)
