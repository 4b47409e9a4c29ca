"""Presets: reading them, finding them by name, and saying what is wrong with a broken one.

title: Text to SQL on the built-in nano      # required
for: trying ftui in five minutes, no GPU     # required
needs: {gpus: 0, gpu_memory_gib: 0, text: two CPU cores}   # machines: 2 = two such together
source: axolotl's examples/...               # where its hyper-parameters come from
evaluation: {dataset: builtin:nl2sql/heldout.jsonl, metric: sql}
system_prompt: CREATE TABLE ...
try_asking: [How many rivers are there?]
axolotl: {base_model: ..., ...}              # required: axolotl's own keys
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftui import paths
from ftui.errors import PresetError
from ftui.plan.nearest import nearest
from ftui.plan.plan import Evaluation, Needs, Preset
from ftui.plan.yaml_source import Source, YamlProblem, read

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")
_MODEL_FACTS = "models.yaml"

_SHAPE: Mapping[str, Any] = {
    "title": str,
    "for": str,
    "needs": {"gpus": int, "gpu_memory_gib": float, "text": str, "machines": int},
    "source": str,
    "evaluation": {"dataset": str, "metric": str},
    "system_prompt": str,
    "try_asking": list,
    "axolotl": dict,
}
_REQUIRED = ("title", "for", "axolotl")
_WORDS = {str: "text", int: "a whole number", float: "a number", list: "a list of texts"}
_METRICS = ("sql",)


@dataclass(frozen=True)
class Catalogue:
    """Every preset there is, in the order to show them, and what is wrong with the others."""

    presets: tuple[Preset, ...]
    broken: tuple[PresetError, ...]


def catalogue() -> Catalogue:
    """Built-in presets and the person's own, smallest need first; a broken one hides no other."""
    presets: list[Preset] = []
    broken: list[PresetError] = []
    for path in _files().values():
        try:
            presets.append(load(path))
        except PresetError as error:
            broken.append(error)
    presets.sort(key=_need)
    return Catalogue(tuple(presets), tuple(broken))


def find(name: str) -> Preset:
    """The preset of that name. Raises PresetError: with the nearest name, or why it is broken."""
    files = _files()
    if name in files:
        return load(files[name])
    raise PresetError(
        f"there is no preset {name!r}",
        hint=f"{_did_you_mean(name, files)}`ftui presets` lists them.",
    )


def load(path: Path) -> Preset:
    """Read one preset file. Raises PresetError with `file:line`."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise PresetError("is not UTF-8 text", where=str(path)) from error
    except OSError as error:
        raise PresetError(
            "cannot be read", where=str(path), why=(error.strerror or str(error)).lower()
        ) from error
    try:
        source = read(text)
    except YamlProblem as error:
        raise PresetError("is not YAML", where=f"{path}:{error.line}", why=error.message) from error
    _check_name(path)
    _check_shape(path, source)
    return _preset(path, source.data)


def _files() -> dict[str, Path]:
    """Every preset file by name; the person's own replace built-in ones."""
    files: dict[str, Path] = {}
    for folder in (paths.builtin_presets_dir(), paths.user_presets_dir()):
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                if path.suffix in (".yml", ".yaml") and path.name != _MODEL_FACTS:
                    files[path.stem] = path
    return files


def _need(preset: Preset) -> tuple[float, bool, str]:
    """GPU memory over all GPUs in GiB; where that is the same, an adapter needs less."""
    memory = preset.needs.machines * preset.needs.gpus * max(preset.needs.gpu_memory_gib, 1.0)
    return memory, not preset.settings.get("adapter"), preset.name


def _check_name(path: Path) -> None:
    if not _NAME.fullmatch(path.stem):
        raise PresetError(
            f"{path.stem!r} is not a name for a preset",
            where=str(path),
            hint="Use small letters, digits, dots and dashes: my-first-preset.yml",
        )


def _check_shape(path: Path, source: Source) -> None:
    """Every key is one of ours, of the right type, given once, and nothing needed is missing."""
    for where in source.duplicates:
        if where[0] != "axolotl":  # those are the linter's
            raise _problem(path, source, where, f"{where[-1]!r} is given twice")
    _check_mapping(path, source, source.data, _SHAPE, ())
    for key in _REQUIRED:
        if key not in source.data:
            raise _problem(path, source, (), f"{key!r} is missing")
    for key in ("dataset", "metric"):
        if "evaluation" in source.data and key not in source.data["evaluation"]:
            raise _problem(path, source, ("evaluation",), f"{key!r} is missing in 'evaluation'")
    needs = Needs(**source.data.get("needs", {}))
    if needs.machines < 1 or (needs.machines > 1 and not needs.gpus):
        where = ("needs", "machines")
        raise _problem(path, source, where, "'machines' is 1, or more of them with 'gpus' each")
    metric = source.data.get("evaluation", {}).get("metric", _METRICS[0])
    if metric not in _METRICS:
        raise _problem(
            path, source, ("evaluation", "metric"), f"there is no metric {metric!r}: use sql"
        )


def _check_mapping(
    path: Path, source: Source, value: Any, shape: Mapping[str, Any], where: tuple[str, ...]
) -> None:
    if not isinstance(value, dict):
        name = repr(where[-1]) if where else "a preset"
        raise _problem(path, source, where, f"{name} is a mapping with {', '.join(shape)}")
    for key, item in value.items():
        inner = (*where, str(key))
        if key not in shape:
            hint = _did_you_mean(str(key), shape) + f"A preset may have: {', '.join(shape)}."
            raise _problem(path, source, inner, f"unknown key {key!r}", hint)
        expected = shape[key]
        if isinstance(expected, dict):
            _check_mapping(path, source, item, expected, inner)
        elif not _is(item, expected):
            words = _WORDS.get(expected, "a mapping of axolotl's keys")
            raise _problem(path, source, inner, f"{key!r} should be {words}")


def _is(value: Any, kind: type) -> bool:
    if kind is list:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if kind in (int, float):
        number = isinstance(value, int) or (kind is float and isinstance(value, float))
        return number and not isinstance(value, bool) and value >= 0
    return isinstance(value, kind)


def _did_you_mean(word: str, choices: Collection[str]) -> str:
    near = nearest(word, choices)
    return f"Did you mean {near}? " if near else ""


def _problem(
    path: Path, source: Source, where: tuple[str, ...], what: str, hint: str = ""
) -> PresetError:
    return PresetError(what, where=f"{path}:{source.line(where)}", hint=hint)


def _preset(path: Path, data: Mapping[str, Any]) -> Preset:
    evaluation = data.get("evaluation")
    return Preset(
        name=path.stem,
        title=data["title"],
        audience=data["for"],
        needs=Needs(**data.get("needs", {})),
        settings=data["axolotl"],
        path=path,
        evaluation=Evaluation(**evaluation) if evaluation else None,
        system_prompt=data.get("system_prompt", ""),
        try_asking=tuple(data.get("try_asking", ())),
        source=data.get("source", ""),
    )
