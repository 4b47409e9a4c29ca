"""Machines that a dstack project can get for a run now, as its server lists them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ftui.errors import UsageError
from ftui.plan import gpus
from ftui.plan.hardware import Gpu
from ftui.plan.offer import Offer

_USABLE = ("available", "idle", "unknown")
"""What dstack says of machines that can be had: `unknown` is a cloud that tells nothing."""
_OWN = "remote"
"""The backend of machines that a person added by their addresses (an SSH fleet)."""
_RESERVED = 0.9
"""A driver tells at least so much of the memory that a card is sold with."""


def offers(plan: Mapping[str, Any]) -> list[Offer]:
    """The offers of a run plan, in the server's order: the cheapest first."""
    jobs = plan.get("job_plans") or ()
    raws = (raw for job in jobs[:1] for raw in job.get("offers") or ())  # all nodes are alike
    return [_offer(raw) for raw in raws if raw.get("availability") in _USABLE]


def words(offer: Offer) -> str:
    """`2 × A100 80 GiB · spot · aws us-east-1 · $3.20/h`."""
    count = f"{offer.count} × " if offer.count > 1 else ""
    gpu = f"{count}{offer.gpu.name} {offer.gpu.memory_gib:.0f} GiB" if offer.gpu else "no GPU"
    kind = "spot" if offer.spot else "on demand"
    return f"{gpu} · {kind} · {offer.place} · ${offer.price:.2f}/h"


def card(name: str, memory_gib: float) -> Gpu:
    """A GPU by dstack's name for it. dstack tells the memory that is sold, ftui what is left."""
    for known in (f"{name} {memory_gib:.0f}GB", name):
        try:
            found = gpus.find(known)
        except UsageError:
            continue
        if _RESERVED * memory_gib <= found.memory_gib <= memory_gib:
            return found
        return Gpu(name, memory_gib, found.compute_capability)
    return Gpu(name, memory_gib, "")


def _offer(raw: Mapping[str, Any]) -> Offer:
    resources = (raw.get("instance") or {}).get("resources") or {}
    spot = resources.get("spot") is True
    found = list(_gpus(resources))
    wishes = {"gpu": _request(*found[0])} if found else {}
    return Offer(
        gpu=card(*found[0]) if found else None,
        count=len(found),
        dollars=float(raw.get("price") or 0.0),
        spot=spot,
        place=_place(raw),
        wishes=wishes | {"spot_policy": "spot" if spot else "on-demand"},
    )


def _gpus(resources: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Name and memory in GiB of each GPU; dstack counts in MiB."""
    for gpu in resources.get("gpus") or ():
        yield str(gpu.get("name", "")), float(gpu.get("memory_mib") or 0) / 1024


def _request(name: str, memory_gib: float) -> str:
    """How exactly this card is asked for: there is more than one A100."""
    return f"{name}:{math.floor(memory_gib)}GB"


def _place(raw: Mapping[str, Any]) -> str:
    if raw.get("backend") == _OWN:
        return "a fleet of one's own"
    return f"{raw.get('backend', '')} {raw.get('region', '')}".strip()
