"""`ftui fit`: the memory that a config or a preset needs, and which GPUs have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ftui.errors import ConfigError, ExitCode, TargetUnavailable, UsageError
from ftui.estimate.architecture import CannotSay
from ftui.estimate.estimate import Estimate, estimate
from ftui.estimate.fit import Fit, Fitting, usable_gib
from ftui.estimate.memory import CONTEXT_GIB
from ftui.estimate.prices import AS_OF
from ftui.estimate.ways import Way
from ftui.estimate.words import memory_words, rate_words, serving_words, term_words
from ftui.plain import console
from ftui.plain.fit_source import Source, read_source
from ftui.plan.hardware import Gpu
from ftui.plan.models import BaseModel
from ftui.plan.offer import Market, Offer
from ftui.plan.plan import Plan
from ftui.runs.peak_memory import Peak
from ftui.text import printable


def fit(
    source: str, *, gpu: str | None, gpus: int | None, target: str | None, as_json: bool
) -> int:
    """Tell what it needs; 1 when it does not fit the GPU asked for, 3 when nobody can say.

    With a target the machines are those that it has on offer now; where it cannot be asked, the
    usual ones. Raises ConfigError, PresetError, UsageError, CannotSay.
    """
    if gpu and target:
        raise UsageError("--gpu asks about one GPU, --target about all on offer: give one of them")
    named = _named(gpu)
    asked = read_source(source)
    counted = len(named) if gpu and ":" in gpu else 0
    if counted and gpus:
        raise UsageError("--gpu NAME:COUNT and --gpus both say how many: give one of them")
    count = gpus or counted or max(asked.gpus, 1)  # of each machine
    try:
        found = estimate(asked.settings, _shape(asked, source), count * asked.machines)
        market = _market(asked, count, named, target)
    except CannotSay as unknown:
        if as_json:
            console.document({"gib_per_gpu": None, "fits": {}, "terms": {}, "why": str(unknown)})
        raise
    if as_json:
        console.document(_document(found, market, asked.measured))
    else:
        _tell(found, source, market, named, asked.machines)
        _tell_measured(found, asked.measured)
    no = bool(named) and found.fit(named[0]) is Fit.NO
    return ExitCode.RUN_FAILED if no else ExitCode.OK


def _named(gpu: str | None) -> tuple[Gpu, ...]:
    if gpu is None:
        return ()
    from ftui.plan.gpus import parse

    found = parse(gpu)
    if not found:
        raise UsageError("the estimate is of a GPU's memory", hint="name one: --gpu a10")
    return found


def _shape(source: Source, named: str, *, hub: bool = True) -> BaseModel:
    from ftui.runtimes.model_shape import find_shape

    base_model = source.settings.get("base_model")
    if not isinstance(base_model, str):
        raise ConfigError("this config names no base_model", where=named)
    return find_shape(base_model, source.folder, hub=hub)


def _market(source: Source, count: int, named: Sequence[Gpu], target: str | None) -> Market:
    """The GPU that was named; what a target has on offer; else this machine's and the usual ones.

    Raises UsageError for a target that rents nothing.
    """
    from ftui.estimate.market import listed, usual_market, with_ours
    from ftui.targets import get
    from ftui.targets.base import Offering
    from ftui.targets.machine import detect

    together = count * source.machines
    if named:
        return Market((listed(named[0], together),), AS_OF, listed=True)
    if target is None:
        return with_ours(usual_market(together), detect(), together)
    place = get(target)
    if not isinstance(place, Offering):
        raise UsageError(f"the target {target} rents no machines", hint="leave --target out")
    try:
        return place.market(source.plan(target, count, source.machines))
    except TargetUnavailable as unknown:
        todo = f" ({unknown.hint})" if unknown.hint else ""
        console.say(f"▲ {target} tells no offers: {unknown}{todo}. These are the usual GPUs.\n")
        usual = usual_market(together)
        return replace(usual, source=f"{usual.source}; {target} tells no offers: {unknown}")


def _document(found: Estimate, market: Market, measured: Peak | None) -> dict[str, Any]:
    fittings, memory = found.fittings(market.offers), found.memory
    nearest = found.nearest()
    shared = found.strategy(fittings[0].gpu if len(fittings) == 1 else None)
    return {
        "gib_per_gpu": {
            "low": round(memory.low, 2),
            "expected": round(memory.expected, 2),
            "high": round(memory.high, 2),
        },
        "fits": {one.gpu.name: one.fit is not Fit.NO for one in fittings},
        "terms": {term.name: round(term.gib, 3) for term in memory.terms},
        "moment": memory.moment,
        "gpus": found.training.gpus,
        "assumptions": list(found.assumptions),
        "nearest": nearest.words if nearest else None,
        "tokens_per_second": {
            one.gpu.name: [round(speed.low), round(speed.high)]
            for one in fittings
            if (speed := found.speed(one.gpu)) is not None
        },
        "usd_per_hour": {
            one.gpu.name: round(one.offer.dollars / one.offer.count, 4)
            for one in reversed(fittings)  # the cheapest of a name comes first, and stays
            if one.offer.dollars is not None
        },
        "prices": market.source,
        "offers": [_offer(one) for one in fittings],
        "ways": [_way(way) for way in found.ways()],
        "strategy": {"name": shared.name, "why": shared.why},
        "serving_gib": round(found.serving().expected, 2),
        "measured_gib": round(measured.gib, 2) if measured and measured.on_gpu else None,
    }


def _offer(one: Fitting) -> dict[str, Any]:
    offer = one.offer
    return {
        "gpu": one.gpu.name,
        "gpus": offer.count,
        "gib": one.gpu.memory_gib,
        "fit": one.fit.word,
        "usd_per_hour": None if offer.dollars is None else round(offer.dollars, 4),
        "spot": offer.spot,
        "place": offer.place,
        "machine": dict(offer.wishes),
    }


def _way(way: Way) -> dict[str, Any]:
    return {
        "change": dict(way.keys),
        "words": way.words,
        "costs": way.costs,
        "gib_per_gpu": round(way.memory.expected, 2),
    }


def _tell(
    found: Estimate, source: str, market: Market, asked: Sequence[Gpu], machines: int
) -> None:
    memory = found.memory
    count = found.training.gpus
    where = f" of {machines} machines" if machines > 1 else ""
    console.line(f"{source}: {found.model.title}, {_gpu_count(count)}{where}\n")
    console.table([(term_words(t.name), f"{t.gib:6.1f} GiB") for t in memory.terms])
    console.line(f"\nAbout {memory_words(memory, count)}, fullest {memory.moment}.\n")
    _tell_market(found, market)
    console.line(f"\nPrices: {market.source}. {CONTEXT_GIB} GiB of each GPU go to the driver.")
    if count > 1:
        shared = found.strategy(asked[0] if asked else None)
        console.line(f"{shared.name}: {shared.why}.")
    console.line(f"Served by vLLM afterwards: {serving_words(found.serving())}.")
    nearest = found.nearest()
    if nearest is not None:
        console.line(f"The nearest measurement: {nearest.words}")
    for assumption in found.assumptions:
        console.line(f"Assumed: {assumption}.")
    if asked and found.fit(asked[0]) is Fit.NO:
        _tell_ways(found, asked[0])


def tell_offers(plan: Plan) -> None:
    """What a plan's target has on offer now, where it rents machines, beside what the plan needs.

    Raises UsageError, TargetUnavailable, CannotSay.
    """
    from ftui.targets import get
    from ftui.targets.base import Offering

    target = get(plan.target)
    if not plan.gpus or not isinstance(target, Offering):
        return
    source = Source(plan.settings, plan.gpus, plan.preset.path.parent)
    found = estimate(plan.settings, _shape(source, plan.preset.name), plan.all_gpus)
    market = target.market(plan)
    console.say(f"{market.source}, for about {memory_words(found.memory, plan.all_gpus)}:")
    _tell_market(found, market)


def warn_of_memory(plan: Plan, gpus: Sequence[Gpu]) -> None:
    """Say so where a plan does not fit the GPUs that it would get. Asks no hub."""
    source = Source(plan.settings, plan.gpus, plan.preset.path.parent)
    if not plan.gpus or not gpus:
        return
    try:
        shape = _shape(source, plan.preset.name, hub=False)
        found = estimate(plan.settings, shape, plan.all_gpus)
    except (CannotSay, ConfigError):
        return
    if found.fit(gpus[0]) is Fit.NO:
        needs, has = memory_words(found.memory, plan.all_gpus), usable_gib(gpus[0])
        console.say(f"▲ it needs about {needs}; {gpus[0].name} has {has:.1f} GiB usable")


def _tell_market(found: Estimate, market: Market) -> None:
    cheapest = found.cheapest(market.offers)
    rows = [_row(found, one, cheapest) for one in found.fittings(market.offers)]
    console.table(rows or [("▲ nothing is on offer for this now",)])


def _tell_measured(found: Estimate, measured: Peak | None) -> None:
    """What a run was seen to hold, beside what was estimated of it."""
    if measured is None:
        return
    if measured.on_gpu:
        told = f"{found.memory.allocated:.1f} GiB of it were estimated, without torch's cache"
        console.line(f"Measured: torch held {measured.gib:.1f} GiB at most; {told}.")
    else:
        console.line(f"Measured: it trained without a GPU and held {measured.gib:.1f} GiB at most.")


def _gpu_count(count: int) -> str:
    return "1 GPU" if count == 1 else f"{count} GPUs"


def _row(found: Estimate, one: Fitting, cheapest: Offer | None) -> tuple[str, ...]:
    gpu, offer = one.gpu, one.offer
    price = "" if offer.dollars is None else f"${offer.dollars:.2f}/h"
    speed = found.speed(gpu) if one.fit is not Fit.NO else None
    rate = rate_words(speed.low, speed.high) if speed else ""
    told = ["lowest price" * (offer == cheapest), "spot" * offer.spot, printable(offer.place)]
    room = f"{usable_gib(gpu):.1f} GiB usable"
    return (
        f"{one.fit.glyph} {one.fit.word}",
        gpu.name,
        room,
        price,
        rate,
        ", ".join(filter(None, told)),
    )


def _tell_ways(found: Estimate, gpu: Gpu) -> None:
    together = found.ways_into(gpu)
    if not together:
        console.line(f"\nNothing that ftui knows makes it fit one {gpu.name}.")
        return
    console.line(
        f"\nIt fits with {'this' if len(together) == 1 else 'these, one after the other'}:"
    )
    for way in together:
        console.line(f"  {way.memory.expected:5.1f} GiB  {way.words} ({way.costs}): {way.yaml}")
