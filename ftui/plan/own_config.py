"""A person's own axolotl config as the start of a plan: `ftui --config FILE`.

It is opened like a preset: the wizard's steps change its settings, and what is written back keeps
its comments and the order of its keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftui import paths
from ftui.errors import ConfigError
from ftui.plan.plan import Needs, Preset
from ftui.plan.yaml_source import YamlProblem, mapping

_SEVERAL_GPUS = ("fsdp", "fsdp_config", "fsdp_version", "deepspeed")
_ONE_GPU = ("load_in_8bit", "tf32", "fp8", "flash_attention")


def open_config(path: Path) -> Preset:
    """The config in a file as a preset that keeps its text. Raises ConfigError with `file:line`."""
    text = paths.read_config(path)
    try:
        data = mapping(text).data
    except YamlProblem as problem:
        raise ConfigError(problem.message, where=f"{path}:{problem.line}") from problem
    return Preset(
        name=_name(path),
        title=f"your config {path.name}",
        audience="the config that you opened",
        needs=needs_of(data),
        settings=data,
        path=path.absolute(),
        text=text,
    )


def _name(path: Path) -> str:
    """The file's name as a run can be called after it."""
    return re.sub(r"[^a-z0-9.]+", "-", path.stem.lower()).strip("-.") or "config"


def needs_of(settings: Mapping[Any, Any]) -> Needs:
    """What a config cannot do without."""
    return Needs(gpus=_gpus(settings), text=_words(settings))


def _gpus(settings: Mapping[Any, Any]) -> int:
    """How many GPUs the settings cannot do without."""
    if any(settings.get(key) for key in _SEVERAL_GPUS):
        return 2
    wants_one = settings.get("bf16") is True or any(settings.get(key) for key in _ONE_GPU)
    attention = settings.get("attn_implementation")
    return 1 if wants_one or (isinstance(attention, str) and attention.startswith("flash")) else 0


def _words(settings: Mapping[Any, Any]) -> str:
    gpus = _gpus(settings)
    return f"{gpus} GPUs" if gpus > 1 else "a GPU" if gpus else "no GPU in particular"
