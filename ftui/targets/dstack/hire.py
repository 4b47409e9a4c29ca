"""What would be rented through dstack for a plan, what can be asked for, and what ends it."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial

from ftui.errors import UsageError
from ftui.plan.gpus import find
from ftui.plan.hardware import Gpu
from ftui.plan.plan import Plan
from ftui.plan.wish import wish_read_by
from ftui.targets.dstack import login, options
from ftui.targets.dstack.document import wanted_secrets
from ftui.targets.dstack.job_script import HOLD_SECONDS
from ftui.targets.dstack.offers import card
from ftui.targets.dstack.options import SPOT, Options
from ftui.targets.dstack.room import room
from ftui.targets.remote.inputs import on_volume
from ftui.text import duration

_HOME_BYTES_A_SECOND = 12.5e6
"""What comes home at 100 Mbit/s, a good line at home."""
_wish = partial(wish_read_by, options.parse)

WISHES = (
    replace(
        _wish("project", "Project", "One of those that you are logged in to.", "default"),
        matters=lambda plan: login.is_one_of_several(),
    ),
    _wish("gpu", "GPU type", "A name, such as A100 or A100:80GB.", "any"),
    _wish("spot_policy", "Spot", f"{', '.join(SPOT)}: spot is cheaper, and may end.", "auto"),
    replace(
        _wish("max_price", "$/h at most", "No machine is taken that costs more an hour.", "usual"),
        wanted=lambda plan: f"{Options().price_cap(plan.gpus):g}",
    ),
    _wish("max_duration", "Ends after", "Whatever it has reached by then: 30m, 12h.", "12h"),
    replace(
        _wish("nodes", "Machines", "More than one train together, with so many GPUs each.", "1"),
        wanted=lambda plan: str(plan.preset.needs.machines),
    ),
    replace(
        _wish("volume", "Volume", "The name of the one that is to be at /volume.", "none"),
        matters=lambda plan: bool(on_volume(plan.settings)),
    ),
    replace(
        _wish("create_secrets", "Secrets", "yes: made of HF_TOKEN and WANDB_API_KEY here.", "no"),
        matters=lambda plan: not os.environ.keys().isdisjoint(wanted_secrets(plan.settings)),
    ),
)
"""What the wizard asks, beside the plan."""


def gpu_for(plan: Plan) -> Gpu | None:
    """The kind of GPU that a plan asks for; None where any will do, or ftui does not know it."""
    name, colon, size = options.of(plan).gpu.partition(":")
    if not name or not plan.gpus:
        return None
    try:
        return card(name, float(size.removesuffix("GB"))) if colon else find(name)
    except UsageError:
        return None


def limits(plan: Plan) -> str:
    """`12h, saving 15 min before ($48.00 at no more than $4.00/h)`. Raises UsageError.

    A machine that may be taken away is looked for anew: `12h a try and 13h for all tries, …`. That
    counts what trains; not the minutes in which a machine starts, and waits for its results to be
    fetched. A result that is too large for that is told of.
    """
    asked = options.of(plan)
    price, is_spot = asked.price_cap(plan.gpus), asked.spot_policy != "on-demand"
    hours = (asked.all_seconds if is_spot else options.seconds(asked.max_duration)) / 3600
    all_tries = f" a try and {round(hours, 2):g}h for all tries" if is_spot else ""
    early = f", saving {duration(asked.grace_seconds)} before"
    each = f" for each of {asked.nodes} machines" if asked.nodes > 1 else ""
    dollars = f"(${price * hours * asked.nodes:.2f} at no more than ${price:.2f}/h{each})"
    return f"{asked.max_duration}{all_tries}{early} {dollars}{_too_large(plan)}"


def _too_large(plan: Plan) -> str:
    """A sentence where the result hardly comes home while its container waits."""
    result = room(plan.settings, plan.gpus, plan.preset.needs.gpu_memory_gib).result
    if plan.settings.get("hub_model_id") or result * 1e9 < HOLD_SECONDS * _HOME_BYTES_A_SECOND:
        return ""
    kept = duration(HOLD_SECONDS)
    return (
        f". Its result of about {result:.0f} GB hardly comes home in the {kept} that it is kept: "
        "hub_model_id sends it to the model hub"
    )
