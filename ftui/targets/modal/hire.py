"""What would be rented of Modal for a plan, what can be asked for, and what ends it."""

from __future__ import annotations

from functools import partial

from ftui.errors import UsageError
from ftui.plan.hardware import Gpu
from ftui.plan.plan import Plan
from ftui.plan.wish import wish_read_by
from ftui.targets.modal import gpu, options

_wish = partial(wish_read_by, options.parse)

WISHES = (
    _wish("gpu", "GPU type", f"Which kind: {', '.join(gpu.OFFERS)}.", "cheapest"),
    _wish("max_hours", "Hours at most", "All tries together; then it saves and ends.", "12"),
    _wish("max_dollars", "Dollars at most", "All tries together; then it saves and ends.", "none"),
    _wish("retries", "Retries", "How often it is tried again after a crash.", "3"),
)
"""What the wizard asks, beside the plan."""


def gpu_for(plan: Plan) -> Gpu | None:
    """The kind of GPU that a plan would get; None where it needs none, or Modal has it not."""
    try:
        return gpu.find(_name_for(plan)).gpu if plan.gpus else None
    except UsageError:
        return None


def _name_for(plan: Plan) -> str:
    """What is asked for, or the cheapest. Raises UsageError where nothing is large enough."""
    asked = options.parse(plan.machine).gpu
    return asked or gpu.cheapest(plan.preset.needs.gpu_memory_gib).name


def limits(plan: Plan) -> str:
    """What ends it at the latest (options.py). Raises UsageError."""
    asked = options.parse(plan.machine)
    return asked.limits(gpu.dollars(_name_for(plan) if plan.gpus else "", plan.gpus))
