"""What a plan could be trained on now, and what an hour costs: the server is only asked."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import time
from collections.abc import Iterable, Iterator

from ftui.plan.offer import Market, Offer
from ftui.plan.plan import Needs, Plan
from ftui.plan.yaml_source import mapping
from ftui.targets.dstack import document, login, options, preflight
from ftui.targets.dstack.api import Api, Json
from ftui.targets.dstack.document import Wish
from ftui.targets.dstack.offers import offers
from ftui.targets.dstack.options import Options
from ftui.targets.dstack.parcel import Parcel

_NAME = "ftui-asks-for-offers"
"""No run of this name is ever made."""
_MOST = 10_000
"""The most offers that a server tells; it leaves out the dearest."""


def market(plan: Plan) -> Market:
    """Every kind of machine for a plan, each where it is cheapest, whatever else was chosen.

    Takes seconds where clouds are asked. Raises UsageError for wishes that are none, and
    TargetUnavailable.
    """
    return asyncio.run(_asked(plan, options.of(plan)))


async def _asked(plan: Plan, asked: Options) -> Market:
    async with Api(login.find(asked.project)) as api:
        fleets = await preflight.refuse_no_fleet(api)
        spec = {"run_name": _NAME, "configuration": _configuration(plan, asked, fleets)}
        found = offers(await api.plan(spec, most=_MOST, to_run=False))
    of_day = f"dstack's offers of {time.strftime('%H:%M')}"
    return Market(tuple(chosen(found, plan.gpus, asked)), of_day)


def _configuration(plan: Plan, asked: Options, fleets: list[str]) -> Json:
    """What would be submitted, for any card at any price."""
    wish = Wish(
        name=_NAME,
        title=plan.preset.title,
        gpus=plan.gpus,
        needs=Needs(gpus=plan.gpus),
        options=dataclasses.replace(asked, gpu="", spot_policy="auto"),
        parcel=Parcel(plan.settings, (), (), 0),
    )
    told = mapping(document.document(wish)).data
    kept = {key: told[key] for key in told if key not in ("files", "max_price")}
    return {**kept, "fleets": fleets}


def chosen(found: Iterable[Offer], gpus: int, asked: Options) -> Iterator[Offer]:
    """Of each card, spot or not, the cheapest machine; the cheapest of them first.

    One machine alone for a plan without GPUs, which uses none that may be there.
    """
    seen = set()
    for offer in sorted(found, key=lambda one: one.price):
        if not gpus:
            yield _agreed(dataclasses.replace(offer, gpu=None, count=0, wishes={}), asked, gpus)
            return
        if (offer.gpu, offer.spot) not in seen:
            seen.add((offer.gpu, offer.spot))
            yield _each(_agreed(offer, asked, gpus), asked.nodes)


def _agreed(offer: Offer, asked: Options, gpus: int) -> Offer:
    """The offer; where it is above the cap, whoever takes it agrees to its price."""
    if offer.price <= asked.price_cap(gpus):
        return offer
    cents = math.ceil(round(offer.price * 100, 6))
    return dataclasses.replace(offer, wishes={**offer.wishes, "max_price": f"{cents / 100:g}"})


def _each(offer: Offer, nodes: int) -> Offer:
    """So many of the machine that train together, at the price of all of them."""
    if nodes == 1:
        return offer
    dollars = None if offer.dollars is None else offer.dollars * nodes
    place = f"{nodes} machines, {offer.place}"
    return dataclasses.replace(offer, count=offer.count * nodes, dollars=dollars, place=place)
