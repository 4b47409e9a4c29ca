"""What a plan could be trained on now, and what an hour costs: the server is only asked."""

from __future__ import annotations

import asyncio

from ftui.plan.plan import Plan
from ftui.plan.yaml_source import mapping
from ftui.targets.dstack import document, login, options
from ftui.targets.dstack.api import Api
from ftui.targets.dstack.document import Wish
from ftui.targets.dstack.offers import Offer, offers
from ftui.targets.dstack.parcel import Parcel

_NAME = "ftui-asks-for-offers"
"""No run of this name is ever made."""


def find_offers(plan: Plan) -> list[Offer]:
    """Machines for a plan and what is asked of them (`Plan.machine`), the cheapest first.

    Takes well under a second. Raises UsageError, and TargetUnavailable when nobody can be asked.
    """
    return asyncio.run(_asked(plan))


async def _asked(plan: Plan) -> list[Offer]:
    wish = Wish(
        name=_NAME,
        title=plan.preset.title,
        gpus=plan.gpus,
        needs=plan.preset.needs,
        options=options.parse(plan.machine),
        parcel=Parcel(plan.settings, (), (), 0),
    )
    configuration = dict(mapping(document.document(wish)).data)
    del configuration["files"]
    async with Api(login.find()) as api:
        return offers(await api.plan({"run_name": _NAME, "configuration": configuration}))
