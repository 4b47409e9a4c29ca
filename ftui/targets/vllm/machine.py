"""The GPUs that serving a run's result needs, for machines that are looked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftui.estimate.architecture import CannotSay
from ftui.estimate.estimate import estimate
from ftui.estimate.memory import GIB
from ftui.plan.models import BaseModel
from ftui.plan.plan import Needs
from ftui.runs.model import Run
from ftui.runtimes.model_shape import find_shape
from ftui.targets.vllm.command import GPU_MEMORY_SHARE

_CARDS = {24: 22.5, 40: 39.4, 48: 44.5, 80: 79.2}
"""GB of the cards that are for hire, and GiB that the driver tells of the least of each size.

Smaller ones are older than bfloat16, which models are in."""
_COUNTS = (1, 2, 4, 8)
"""vLLM shares a model among so many: the number must divide the model's attention heads."""
_BESIDE_WEIGHTS = 1.2
"""What a model needs beside its weights, where nobody knows better."""


def gpus_for(run: Run, settings: Mapping[str, Any], trained_on: Needs) -> Needs:
    """How many GPUs of how many GB hold base and tuned model, by estimate.

    Where nobody knows the model's shape, those that it was trained on, and no small ones. Asks the
    hub for the shape of a model that is not known here.
    """
    try:
        shape = find_shape(str(settings.get("base_model", "")), run.folder)
    except CannotSay:
        count = max(one for one in _COUNTS if one <= max(trained_on.gpus, 1))
        return Needs(count, max(trained_on.gpu_memory_gib, float(min(_CARDS))))
    return smallest(_needed(settings, shape))


def smallest(gib: float) -> Needs:
    """The smallest machine in which vLLM can have so much; the largest where there is none."""
    for count in _COUNTS:
        for card, told in _CARDS.items():
            alone_or_large = count == 1 or card == max(_CARDS)
            if alone_or_large and gib <= float(GPU_MEMORY_SHARE) * told * count:
                return Needs(count, float(card))
    return Needs(max(_COUNTS), float(max(_CARDS)))


def _needed(settings: Mapping[str, Any], shape: BaseModel) -> float:
    try:
        return estimate(settings, shape).serving().expected
    except CannotSay:  # a mixture of experts, or an adapter that is not counted
        return _BESIDE_WEIGHTS * 2 * shape.parameters / GIB
