"""The checkpoints of a run, and which of them are whole.

transformers writes a checkpoint into its final folder, trainer_state.json last (trainer.py,
`_save_checkpoint`, 5.x); a trainer that is killed meanwhile leaves half of one behind. After a
power cut a file may also be shorter than it says itself.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ftui.runs.model import Run

NAME = re.compile(r"checkpoint-(\d+)")
"""What a checkpoint's folder is called; the number is its step."""
_STATE = "trainer_state.json"
_WEIGHTS = ("adapter_model.safetensors", "model.safetensors", "adapter_model.bin")
_SHARDS = "model.safetensors.index.json"
_SPREAD = ("pytorch_model_fsdp_*", "global_step*")
"""Weights in a file a process: FSDP's and DeepSpeed's, with the optimizer's beside them."""
_OPTIMIZERS = ("optimizer.pt", "optimizer.bin", "optimizer_*", "global_step*")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint folder. `problem` says what it lacks; empty = training can go on from it."""

    path: Path
    step: int
    problem: str = ""
    weights_only: bool = False
    """Without the optimizer's state (`save_only_model`): its moments begin anew."""


def checkpoints(run: Run) -> list[Checkpoint]:
    """The run's checkpoints, the newest step first. Raises OSError when out/ cannot be read."""
    if not run.output_dir.is_dir():
        return []
    found = []
    for path in run.output_dir.iterdir():
        match = NAME.fullmatch(path.name)
        if match and path.is_dir():
            found.append(_examined(path, int(match[1])))
    return sorted(found, key=lambda one: one.step, reverse=True)


def last_whole(found: list[Checkpoint]) -> Checkpoint | None:
    """The newest checkpoint that training can go on from."""
    return next((one for one in found if not one.problem), None)


def _examined(path: Path, step: int) -> Checkpoint:
    optimizer = any(next(path.glob(name), None) for name in _OPTIMIZERS)
    try:
        problem = next(_problems(path, step), "")
    except OSError as error:
        problem = (error.strerror or str(error)).lower()
    return Checkpoint(path, step, problem, weights_only=not optimizer)


def _problems(path: Path, step: int) -> Iterator[str]:
    """What is wrong with a checkpoint, the cheapest look first."""
    yield from _state_problems(path / _STATE, step)
    yield from _weight_problems(path)
    for name in ("optimizer.pt", "scheduler.pt"):
        file = path / name
        if file.exists() and not zipfile.is_zipfile(file):
            yield f"{name} is cut off"


def _state_problems(file: Path, step: int) -> Iterator[str]:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        yield f"it has no {_STATE}: it was never finished"
    except ValueError:
        yield f"{_STATE} is cut off"
    else:
        if not isinstance(told, dict) or told.get("global_step") != step:
            yield f"{_STATE} is of another step"


def _weight_problems(path: Path) -> Iterator[str]:
    index = path / _SHARDS
    files = [path / name for name in _WEIGHTS if (path / name).exists()]
    if index.exists():
        try:
            shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, TypeError, AttributeError):
            yield f"{_SHARDS} is cut off"
            return
        files += [path / shard for shard in sorted(shards)]
    elif not files and not any(next(path.glob(name), None) for name in _SPREAD):
        yield "it has no weights"
    for file in files:
        if not file.exists():
            yield f"{file.name} is missing"
        elif file.suffix == ".safetensors" and not _is_whole(file):
            yield f"{file.name} is cut off"


def _is_whole(file: Path) -> bool:
    """Whether a safetensors file is as long as its header says (format: 8 bytes, JSON, data)."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if not 0 < length <= size - 8:
            return False
        try:
            header = json.loads(opened.read(length))
            ends = [each["data_offsets"][1] for name, each in header.items() if name[:2] != "__"]
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            return False
    return 8 + length + max(ends, default=0) == size
