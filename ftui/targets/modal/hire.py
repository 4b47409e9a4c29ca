"""What would be rented of Modal for a plan, what can be asked for, and what ends it."""

from __future__ import annotations

from ftui.plan.hardware import Gpu
from ftui.plan.plan import Plan
from ftui.plan.wish import Wish
from ftui.targets.modal import gpu, options


def _wish(name: str, label: str, help: str, usual: str) -> Wish:
    return Wish(name, label, help, usual, lambda text: options.parse({name: text}))


WISHES = (
    _wish("gpu", "GPU type", f"Which kind: {', '.join(gpu.OFFERS)}.", "cheapest"),
    _wish("max_hours", "Hours at most", "All tries together end after so many hours.", "12"),
    _wish("max_dollars", "Dollars at most", "All tries together end at this price.", "none"),
    _wish("retries", "Retries", "How often it is tried again after a crash.", "3"),
)
"""What the wizard asks, beside the plan."""


def gpu_for(plan: Plan) -> Gpu | None:
    """The kind of GPU that a plan would get; None where it needs none.

    Raises UsageError for one that Modal has not.
    """
    if not plan.gpus:
        return None
    asked = options.parse(plan.machine).gpu
    offer = gpu.find(asked) if asked else gpu.cheapest(plan.preset.needs.gpu_memory_gib)
    return offer.gpu


def limits(plan: Plan) -> str:
    """`12 h or $20, 3 retries`. Raises UsageError."""
    asked = options.parse(plan.machine)
    name = asked.gpu or gpu.cheapest(plan.preset.needs.gpu_memory_gib).name
    an_hour = gpu.dollars(name, plan.gpus)
    hours = asked.hours(an_hour)
    return f"{hours:.3g} h (${hours * an_hour:,.2f} at ${an_hour:.2f}/h), all tries together"
