"""What keeps a plan from a target that trains on one machine, and mounts nobody's volume."""

from __future__ import annotations

from collections.abc import Iterator

from ftui.plan.plan import Plan
from ftui.targets.base import Problem
from ftui.targets.remote.inputs import on_volume
from ftui.text import counted


def only_on_dstack(plan: Plan, place: str) -> Iterator[Problem]:
    """Machines and data that dstack alone has; `place`: `this machine`."""
    if plan.machines > 1:
        wanted = f"wants {plan.machines} machines with {counted(plan.gpus, 'GPU')} each"
        what = f"{wanted}; {place} trains a run on one"
        yield Problem(what, "--target dstack", "the target dstack trains on several")
    for path in on_volume(plan.settings):
        what = f"{path} lies on a volume, and {place} mounts none"
        yield Problem(what, "--target dstack", "the target dstack mounts one")
