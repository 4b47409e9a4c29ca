"""The machines that a training is held against where no target tells what it has on offer."""

from __future__ import annotations

from ftui.estimate.prices import AS_OF, DOLLARS_AN_HOUR
from ftui.plan.gpus import USUAL, find, usual_name
from ftui.plan.hardware import Gpu, Hardware
from ftui.plan.offer import Market, Offer


def usual_market(count: int) -> Market:
    """What people have and what is for hire, by memory, with so many GPUs at list prices."""
    return Market(tuple(listed(find(name), count) for name in USUAL), AS_OF, listed=True)


def listed(gpu: Gpu, count: int) -> Offer:
    """A machine with so many of a GPU, at the list price where there is one."""
    dollars = DOLLARS_AN_HOUR.get(usual_name(gpu.name))
    return Offer(gpu, count, dollars * count if dollars else None)


def with_ours(market: Market, hardware: Hardware, count: int) -> Market:
    """With a machine of one's own, where it has a GPU, before the others."""
    ours = [Offer(gpu, count, None, place="this machine") for gpu in hardware.gpus[:1]]
    return Market((*ours, *market.offers), market.source, market.listed)
