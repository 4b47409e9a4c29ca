"""The most memory that a run was seen to hold."""

from __future__ import annotations

from dataclasses import dataclass

from ftui.runs.history import History

_ON_GPU = ("memory/max_allocated", "memory/max_active")
_ON_CPU = "memory/rss"


@dataclass(frozen=True)
class Peak:
    """GiB: of one GPU, as torch counts what it holds, or of system memory where there is none."""

    gib: float
    on_gpu: bool


def peak_memory(history: History) -> Peak | None:
    """The largest figure that axolotl logged; None when it logged none."""
    for start in _ON_GPU:
        found = _most(history, start)
        if found:
            return Peak(found, on_gpu=True)
    found = _most(history, _ON_CPU)
    return Peak(found, on_gpu=False) if found else None


def _most(history: History, start: str) -> float:
    points = [p.value for n, each in history.series.items() if n.startswith(start) for p in each]
    return max(points, default=0.0)
