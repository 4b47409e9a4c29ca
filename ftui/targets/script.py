"""train.sh: the exact commands of a local run, readable, and of use without ftui."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftui.plan.hardware import Hardware
from ftui.targets.machine import visible_gpus

_TEXT = """\
#!/bin/sh
# Trains this run with axolotl. ftui runs exactly this file; without ftui: sh train.sh
# From a checkpoint: sh train.sh --resume_from_checkpoint=out/checkpoint-100
set -eu
cd -- "$(dirname -- "$0")"
[ -n "${{FTUI_EVENTS:-}}" ] || rm -f stop  # started by hand: what an earlier try was asked

{exports}
exec {command} "$@"
"""


def render(command: Sequence[str], config: Mapping[str, Any], gpus: int, hardware: Hardware) -> str:
    """The script that runs `command` on `gpus` GPUs, or on the CPU when that is 0."""
    exports = "".join(
        f"{f'export {assignments}':<44} # {remark}\n"
        for assignments, remark in _environment(command, config, gpus, hardware)
    )
    return _TEXT.format(exports=exports, command=shlex.join(command))


def _environment(
    command: Sequence[str], config: Mapping[str, Any], gpus: int, hardware: Hardware
) -> Iterator[tuple[str, str]]:
    """Assignments as the shell reads them, each with a remark."""
    yield "AXOLOTL_DO_NOT_TRACK=1 DO_NOT_TRACK=1", "no telemetry"
    if _all_local(config):
        yield "HF_HUB_OFFLINE=1", "model and data are on this machine: ask no hub"
    if gpus:
        devices = f"CUDA_VISIBLE_DEVICES={visible_gpus(gpus)}"
        yield f"CUDA_DEVICE_ORDER=PCI_BUS_ID {devices}", "the GPUs to train on"
    else:
        # Two runs at once: 37 s instead of 45 with short spinning; one alone: the same.
        threads = f"OMP_NUM_THREADS={hardware.cores} GOMP_SPINCOUNT=10000"
        yield threads, "every core, without spinning for long"
        if hardware.gpus:
            yield 'CUDA_VISIBLE_DEVICES=""', "and on no GPU"
    if Path(command[0]).is_absolute():
        yield f'PATH={shlex.quote(str(Path(command[0]).parent))}:"$PATH"', "its own tools first"
    yield 'PYTHONPATH="$PWD"', "where ftui_events.py is"
    yield 'FTUI_EVENTS="$PWD/events.jsonl"', "where it writes"
    yield "PYTHONUNBUFFERED=1", "every line reaches the log at once"
    yield "PYTHONDONTWRITEBYTECODE=", "what is compiled once starts faster"


def _all_local(config: Mapping[str, Any]) -> bool:
    """Whether the base model and every dataset are files or folders of this machine."""
    entries = [*(config.get("datasets") or ()), *(config.get("test_datasets") or ())]
    paths = [entry.get("path") if isinstance(entry, dict) else entry for entry in entries]
    wanted = [config.get("base_model"), *paths]
    return all(isinstance(item, str) and Path(item).is_absolute() for item in wanted)
