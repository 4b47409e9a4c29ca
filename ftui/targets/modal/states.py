"""What Modal says of a run, in words."""

from __future__ import annotations

from ftui.targets.modal.api import Standing

_WORK = {
    "prepare": "downloading what comes from the hub; no GPU is paid for meanwhile",
    "train": "axolotl is at work",
}


def words(function: str, standing: Standing, gpu: str, *, heard: bool) -> str:
    """Where the call of a function stands; `heard`: whether its container has said something."""
    machine = f"a machine with {gpu}" if gpu and function == "train" else "a machine"
    if not standing.containers:
        return f"waiting for {machine} (queued)"
    if not heard:
        return "the container is starting"
    return _WORK[function]
