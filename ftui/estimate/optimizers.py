"""What the optimizers that axolotl knows keep of each trained number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftui.estimate.training import Optimizer

_ONE_STATE = ("lion", "muon", "rmsprop", "adagrad")
_NEXT_TO_NONE = ("adafactor", "came_pytorch", "galore", "apollo", "lomo", "adalomo", "sgd")
"""Factored or projected states: a row and a column instead of a matrix."""


def optimizer(settings: Mapping[str, Any]) -> Optimizer:
    """The optimizer of a config; one that is not known counts as AdamW."""
    name = str(settings.get("optimizer") or "adamw_torch_fused").lower()
    bits = 8 if "8bit" in name or "fp8" in name else 4 if "4bit" in name else 0
    states = 2.0
    if any(part in name for part in _ONE_STATE):
        states = 1.0
    elif any(name.startswith(part) for part in _NEXT_TO_NONE):
        states = 0.0
    return Optimizer(states, bits, paged="paged" in name, fused=name != "adamw_torch")
