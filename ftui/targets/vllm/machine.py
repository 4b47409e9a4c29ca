"""The GPUs that serving a run's result needs, for machines that are looked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftui.estimate.architecture import CannotSay
from ftui.estimate.estimate import estimate
from ftui.plan.plan import Needs
from ftui.runs.model import Run
from ftui.runtimes.model_shape import find_shape
from ftui.targets.vllm.command import GPU_MEMORY_SHARE

_CARDS = (24, 40, 48, 80)
"""GiB of the cards that are for hire. Smaller ones are older than bfloat16, which models are in."""
_COUNTS = (1, 2, 4, 8)
"""vLLM shares a model among so many: the number must divide the model's attention heads."""


def gpus_for(run: Run, settings: Mapping[str, Any], trained_on: Needs) -> Needs:
    """How many GPUs of how many GiB hold base and tuned model, by estimate.

    Where nobody knows the model's shape, those that it was trained on, and no small ones. Asks the
    hub for the shape of a model that is not known here.
    """
    try:
        shape = find_shape(str(settings.get("base_model", "")), run.folder)
        needed = estimate(settings, shape).serving().high
    except CannotSay:
        count = max(one for one in _COUNTS if one <= max(trained_on.gpus, 1))
        return Needs(count, max(trained_on.gpu_memory_gib, float(_CARDS[0])))
    return smallest(needed / float(GPU_MEMORY_SHARE))


def smallest(gib: float) -> Needs:
    """The smallest machine whose GPUs have so much together, as vLLM can use them."""
    for count in _COUNTS:
        for card in _CARDS:
            if gib <= card * count and (count == 1 or card == _CARDS[-1]):
                return Needs(count, float(card))
    return Needs(_COUNTS[-1], float(_CARDS[-1]))
