"""What Modal offers for a plan, at the rates of now, or of its list where it cannot be asked."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from ftui.errors import TargetUnavailable
from ftui.plan.offer import Market, Offer
from ftui.plan.plan import Plan
from ftui.targets.modal import gpu, login, options
from ftui.targets.modal.api import Api
from ftui.targets.modal.rates import Rates

_NAME = "ftui-asks-for-rates"
"""No app of this name is ever made."""


def market(plan: Plan) -> Market:
    """Every GPU of which so many go together. Takes a second or two. Raises UsageError."""
    options.parse(plan.machine)
    rates, place = current()
    offers = tuple(_offers(plan.gpus, rates, place))
    source = f"{rates.source}, cores and memory too"
    listed = rates.source == gpu.LISTED.source
    return Market(tuple(sorted(offers, key=lambda one: one.price)), source, listed)


async def rates_now(api: Api) -> tuple[Rates, str]:
    """The rates of the workspace, and its name; those of the list where Modal tells none."""
    try:
        told, workspace = await api.rates()
    except TargetUnavailable:
        return gpu.LISTED, ""
    return gpu.LISTED.as_told(told, f"Modal's rates of {time.strftime('%H:%M')}"), workspace


def current() -> tuple[Rates, str]:
    """The same, for who has no connection yet; may be called where a loop is at work."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, _asked()).result()


def reached() -> str:
    """Ask Modal: `profile main, workspace acme`. Raises TargetUnavailable."""

    async def asked() -> str:
        async with Api(_NAME) as api:
            return (await api.rates())[1]

    whose = login.require()
    return f"{whose}, workspace {asyncio.run(asked())}"


async def _asked() -> tuple[Rates, str]:
    try:
        async with Api(_NAME) as api:
            return await rates_now(api)
    except TargetUnavailable:  # no login, no connection: the launch says so
        return gpu.LISTED, ""


def _offers(count: int, rates: Rates, workspace: str) -> list[Offer]:
    place = f"workspace {workspace}" if workspace else ""
    if not count:
        return [Offer(None, 0, rates.machine("", 0), place=place)]
    return [
        Offer(
            gpu=one.gpu,
            count=count,
            dollars=rates.machine(name, count),
            place=place,
            wishes={"gpu": name},
        )
        for name, one in gpu.OFFERS.items()
        if count <= one.most
    ]
