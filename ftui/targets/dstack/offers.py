"""Machines that a dstack project can get for a run now, as its server lists them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_USABLE = ("available", "idle", "unknown")
"""What dstack says of machines that can be had: `unknown` is a cloud that tells nothing."""


@dataclass(frozen=True)
class Offer:
    """A machine: its GPUs, where it is, and what an hour costs in dollars."""

    backend: str
    region: str
    instance: str
    price: float
    spot: bool
    gpus: int = 0
    gpu: str = ""
    gpu_memory_gib: float = 0.0
    usable: bool = True

    @property
    def words(self) -> str:
        """`2 × A100 80 GiB · spot · aws us-east-1 · $3.20/h`."""
        count = f"{self.gpus} × " if self.gpus > 1 else ""
        gpu = f"{count}{self.gpu} {self.gpu_memory_gib:.0f} GiB" if self.gpus else "no GPU"
        kind = "spot" if self.spot else "on demand"
        place = f"{self.backend} {self.region}"
        return f"{gpu} · {kind} · {place} · ${self.price:.2f}/h"


def offers(plan: Mapping[str, Any]) -> list[Offer]:
    """The offers of a run plan, in the server's order: the cheapest first."""
    return [
        offer
        for job in plan.get("job_plans") or ()
        for offer in map(_offer, job.get("offers") or ())
        if offer.usable
    ]


def _offer(raw: Mapping[str, Any]) -> Offer:
    instance = raw.get("instance") or {}
    resources = instance.get("resources") or {}
    gpus = list(_gpus(resources))
    return Offer(
        backend=str(raw.get("backend", "")),
        region=str(raw.get("region", "")),
        instance=str(instance.get("name", "")),
        price=float(raw.get("price") or 0.0),
        spot=resources.get("spot") is True,
        gpus=len(gpus),
        gpu=gpus[0][0] if gpus else "",
        gpu_memory_gib=gpus[0][1] if gpus else 0.0,
        usable=raw.get("availability") in _USABLE,
    )


def _gpus(resources: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Name and memory in GiB of each GPU; dstack counts in MiB."""
    for gpu in resources.get("gpus") or ():
        yield str(gpu.get("name", "")), float(gpu.get("memory_mib") or 0) / 1024
