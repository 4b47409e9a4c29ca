"""`ftui fit`: the memory that a config or a preset needs, and which GPUs have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftui.errors import ConfigError, ExitCode, UsageError
from ftui.estimate.architecture import CannotSay
from ftui.estimate.estimate import Estimate, estimate
from ftui.estimate.fit import Fit, Fitting, usable_gib
from ftui.estimate.memory import CONTEXT_GIB
from ftui.estimate.prices import AS_OF, DOLLARS_AN_HOUR
from ftui.estimate.ways import Way
from ftui.estimate.words import memory_words, rate_words, serving_words, term_words
from ftui.plain import console
from ftui.plain.fit_source import Source, read_source
from ftui.plan.hardware import Gpu
from ftui.plan.models import BaseModel
from ftui.runs.peak_memory import Peak


def fit(source: str, *, gpu: str | None, gpus: int | None, as_json: bool) -> int:
    """Tell what it needs; 1 when it does not fit the GPU asked for, 3 when nobody can say.

    Raises ConfigError, PresetError, UsageError.
    """
    named = _named(gpu)
    asked = read_source(source)
    counted = len(named) if gpu and ":" in gpu else 0
    if counted and gpus:
        raise UsageError("--gpus and the number behind --gpu NAME: say the same: give one of them")
    count = gpus or counted or max(asked.gpus, 1)
    try:
        found = estimate(asked.settings, _shape(asked, source), count)
    except CannotSay as unknown:
        if as_json:
            console.document({"gib_per_gpu": None, "fits": {}, "terms": {}, "why": str(unknown)})
        raise
    offered = named[:1] or _offered()
    if as_json:
        console.document(_document(found, offered, asked.measured))
    else:
        _tell(found, source, offered, asked=bool(named))
        _tell_measured(found, asked.measured)
    no = bool(named) and found.fittings(named[:1])[0].fit is Fit.NO
    return ExitCode.RUN_FAILED if no else ExitCode.OK


def _named(gpu: str | None) -> tuple[Gpu, ...]:
    if gpu is None:
        return ()
    from ftui.plan.gpus import parse

    found = parse(gpu)
    if not found:
        raise UsageError("the estimate is of a GPU's memory", hint="name one: --gpu a10")
    return found


def _shape(source: Source, named: str) -> BaseModel:
    from ftui.runtimes.model_shape import find_shape

    base_model = source.settings.get("base_model")
    if not isinstance(base_model, str):
        raise ConfigError("this config names no base_model", where=named)
    return find_shape(base_model, source.folder)


def _offered() -> tuple[Gpu, ...]:
    """This machine's GPUs, then the usual ones."""
    from ftui.plan.gpus import USUAL, find
    from ftui.targets.machine import detect

    here = detect().gpus[:1]
    return (*here, *(find(name) for name in USUAL))


def _document(found: Estimate, offered: Sequence[Gpu], measured: Peak | None) -> dict[str, Any]:
    nearest, shared = found.nearest(), found.strategy(offered[0] if len(offered) == 1 else None)
    memory = found.memory
    return {
        "gib_per_gpu": {
            "low": round(memory.low, 2),
            "expected": round(memory.expected, 2),
            "high": round(memory.high, 2),
        },
        "fits": {one.gpu.name: one.fit is not Fit.NO for one in found.fittings(offered)},
        "terms": {term.name: round(term.gib, 3) for term in memory.terms},
        "moment": memory.moment,
        "gpus": found.training.gpus,
        "assumptions": list(found.assumptions),
        "nearest": nearest.words if nearest else None,
        "tokens_per_second": {
            gpu.name: [round(speed.low), round(speed.high)]
            for gpu in offered
            if (speed := found.speed(gpu)) is not None
        },
        "usd_per_hour": {
            gpu.name: DOLLARS_AN_HOUR[gpu.name] for gpu in offered if gpu.name in DOLLARS_AN_HOUR
        },
        "ways": [_way(way) for way in found.ways()],
        "strategy": {"name": shared.name, "why": shared.why},
        "serving_gib": round(found.serving().expected, 2),
        "measured_gib": round(measured.gib, 2) if measured and measured.on_gpu else None,
    }


def _way(way: Way) -> dict[str, Any]:
    return {
        "change": dict(way.keys),
        "words": way.words,
        "costs": way.costs,
        "gib_per_gpu": round(way.memory.expected, 2),
    }


def _tell(found: Estimate, source: str, offered: Sequence[Gpu], *, asked: bool) -> None:
    memory = found.memory
    count = found.training.gpus
    console.line(f"{source}: {found.model.title}, {_gpu_count(count)}\n")
    console.table([(term_words(t.name), f"{t.gib:6.1f} GiB") for t in memory.terms])
    console.line(f"\nAbout {memory_words(memory, count)}, fullest {memory.moment}.\n")
    cheapest = found.cheapest(offered)
    console.table([_row(found, one, cheapest) for one in found.fittings(offered)])
    console.line(f"\nPrices: {AS_OF}. {CONTEXT_GIB} GiB of each GPU go to the driver.")
    if count > 1:
        shared = found.strategy(offered[0] if asked else None)
        console.line(f"{shared.name}: {shared.why}.")
    console.line(f"Served by vLLM afterwards: {serving_words(found.serving())}.")
    nearest = found.nearest()
    if nearest is not None:
        console.line(f"The nearest measurement: {nearest.words}")
    for assumption in found.assumptions:
        console.line(f"Assumed: {assumption}.")
    if asked and found.fittings(offered)[0].fit is Fit.NO:
        _tell_ways(found, offered[0])


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


def _row(found: Estimate, one: Fitting, cheapest: Gpu | None) -> tuple[str, ...]:
    gpu = one.gpu
    dollars = DOLLARS_AN_HOUR.get(gpu.name)
    price = f"${found.training.gpus * dollars:.2f}/h" if dollars else ""
    speed = found.speed(gpu) if one.fit is not Fit.NO else None
    rate = rate_words(speed.low, speed.high) if speed else ""
    mark = "least an hour" if gpu == cheapest else ""
    room = f"{usable_gib(gpu):.1f} GiB usable"
    return (f"{one.fit.glyph} {one.fit.word}", gpu.name, room, price, rate, mark)


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
