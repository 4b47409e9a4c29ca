"""The machine that serves a run on dstack, and what it costs."""

from __future__ import annotations

import asyncio
from typing import Any

from ftui.plan.offer import Offer
from ftui.plan.yaml_source import mapping
from ftui.runs.model import Run
from ftui.runs.store import read_record
from ftui.targets.dstack import login, options, preflight
from ftui.targets.dstack.api import Api, Json
from ftui.targets.dstack.document import gpu_request
from ftui.targets.dstack.serve import document
from ftui.targets.dstack.serve.cargo import Cargo
from ftui.targets.dstack.serve.document import Wish
from ftui.targets.dstack.submit import project_of
from ftui.targets.remote.supervised import needs_of_run
from ftui.targets.vllm.command import models_of
from ftui.targets.vllm.machine import gpus_for

_OWN = "remote"
"""The backend of machines that a person added by their addresses (an SSH fleet)."""
_OWN_WORDS = "a fleet of one's own"


def wish_of(run: Run, hours: float, cargo: Cargo, secrets: frozenset[str] = frozenset()) -> Wish:
    """What a run's service is made of. May ask the hub for the model's shape.

    Raises RunNotFound.
    """
    record = read_record(run)
    return Wish(
        name=document.service_name(run.name),
        title=record.title,
        needs=gpus_for(run, record.settings, needs_of_run(record)),
        options=options.read(record.extra),
        hours=hours,
        cargo=cargo,
        secrets=secrets,
    )


def login_of(run: Run) -> login.Login:
    """The login with which a run is served: the one that it was trained with, or the usual one.

    Raises TargetUnavailable, RunNotFound.
    """
    return login.find(project_of(read_record(run)))


def cheapest(plan: Json, wish: Wish) -> Offer:
    """The machine that a service would get. Raises TargetUnavailable when there is none."""
    needs = wish.needs
    request = gpu_request(needs.gpus, needs.gpu_memory_gib)
    return preflight.cheapest(plan, request, wish.options.price_cap(needs.gpus))


def serving_terms(run: Run) -> str:
    """`L4 · $0.80/h`: the cheapest machine now. Raises FtuiError."""
    return asyncio.run(_asked(run))


async def _asked(run: Run) -> str:
    wish = wish_of(run, 1.0, Cargo(models_of(run)))
    told = mapping(document.document(wish)).data
    configuration = {key: told[key] for key in told if key != "files"}
    async with Api(login_of(run)) as api:
        await preflight.refuse_no_fleet(api)
        plan = await api.plan({"run_name": wish.name, "configuration": configuration})
    offer = cheapest(plan, wish)
    return _terms(offer.gpu.name if offer.gpu else "", offer.count, offer.dollars or None)


def terms_of(run: Json) -> str:
    """The same of the machine that a run has got (`runs/get`)."""
    data = (run.get("latest_job_submission") or {}).get("job_provisioning_data") or {}
    resources: dict[str, Any] = (data.get("instance_type") or {}).get("resources") or {}
    gpus = resources.get("gpus") or [{}]
    dollars = None if data.get("backend") == _OWN else float(data.get("price") or 0.0)
    return _terms(str(gpus[0].get("name", "")), len(gpus), dollars)


def _terms(gpu: str, count: int, dollars: float | None) -> str:
    card = f"{count} × {gpu}" if count > 1 else gpu
    price = _OWN_WORDS if dollars is None else f"${dollars:.2f}/h"
    return " · ".join(filter(None, (card, price)))
