"""What Modal says of a run, in words."""

from __future__ import annotations

from ftui.targets.modal.api import Standing


def words(function: str, standing: Standing, gpu: str, *, heard: bool) -> str:
    """Where the call of a function stands; `heard`: whether its container has said something.

    Empty: it tells itself (modal_app.py).
    """
    machine = f"a machine with {gpu}" if gpu and function == "train" else "a machine"
    if not standing.containers:
        return f"waiting for {machine} (queued)"
    if not heard:
        return "the container is starting"
    return "axolotl is at work" if function == "train" else ""
