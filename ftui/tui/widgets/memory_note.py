"""The memory that a training needs, in a few lines: beside a question, and on the review."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from ftui.plan.offer import Offer
from ftui.text import printable

if TYPE_CHECKING:
    from ftui.data.tokens import Tokens
    from ftui.errors import FtuiError
    from ftui.estimate.estimate import Estimate
    from ftui.plan.offer import Market
    from ftui.tui.screens.memory import Subject

_LABEL = 8
_LONG_HOURS = 24.0
"""A training that takes longer without a GPU is a slip of whoever chose none."""


class MemoryNote(Static):
    """Takes no room while there is nothing to say."""

    def __init__(self, *, id: str) -> None:
        super().__init__("", id=id, markup=False)
        self.display = False

    def show(self, found: Estimate, subject: Subject, market: Market | None = None) -> None:
        """What it needs, where it fits, and how long it takes where that is known.

        `market` is what the target has on offer, where it was asked.
        """
        self._tell(lines(found, subject, market))

    def fail(self, error: FtuiError) -> None:
        """Why nobody can say."""
        self._tell([("Memory", error.what)])

    def _tell(self, rows: list[tuple[str, str]]) -> None:
        self.display = True
        if self.screen.has_class("-narrow"):  # there are few lines
            rows = [(rows[0][0], " · ".join(words for _, words in rows[:2]))]
        parts = [
            Content.assemble((f"{label:<{_LABEL}}", "$secondary"), printable(words))
            for label, words in rows
        ]
        self.update(Content("\n").join(parts))


def lines(found: Estimate, subject: Subject, market: Market | None = None) -> list[tuple[str, str]]:
    """Labels and words: `Memory`, `Fits`, `Time`, `Offers`, `Shared`."""
    from ftui.estimate.words import cpu_words, memory_words

    if subject.on_cpu:
        return [("Memory", cpu_words(found.memory)), *_on_cpu(found, subject)]
    words = memory_words(found.memory, found.training.gpus)
    time = _time(found, subject, market)
    return [
        ("Memory", words),
        _fits(found, subject),
        *time,
        *_offers(subject, market),
        *_shared(found, subject),
    ]


def _on_cpu(found: Estimate, subject: Subject) -> list[tuple[str, str]]:
    """Whether this machine has the memory, and how long it takes; a rented one gets as much."""
    from ftui.estimate.memory import PROCESS_GIB

    hardware = subject.hardware
    if hardware.is_rented:
        return _taken_on_cpu(found, subject)
    enough = found.memory.high + PROCESS_GIB <= hardware.memory_gib
    fits = ("Fits", f"this machine's {hardware.memory_gib:.0f} GiB {'✓' if enough else '✗'}")
    return [fits, *_taken_on_cpu(found, subject)]


def _taken_on_cpu(found: Estimate, subject: Subject) -> list[tuple[str, str]]:
    """The hours, and a word of warning where they are more than anybody waits."""
    from ftui.estimate.words import hours_words

    speed = found.cpu_speed(subject.hardware)
    taken = found.duration(speed, subject.tokens) if speed else None
    if taken is None:
        return []
    told = hours_words(taken.low, taken.high)
    return [("Time", f"▲ {told}: choose a GPU" if taken.low > _LONG_HOURS else told)]


def _fits(found: Estimate, subject: Subject) -> tuple[str, str]:
    """The machine's GPU, where that is known; else cards by their size."""
    from ftui.estimate.words import ladder_words

    gpus = subject.hardware.gpus
    if not gpus:
        return "Fits", ladder_words(found.memory)
    fit = found.fit(gpus[0])
    return "Fits", f"{gpus[0].name} {fit.glyph} {fit.word}"


def _time(found: Estimate, subject: Subject, market: Market | None) -> list[tuple[str, str]]:
    """How long it takes there, or on the cheapest machine on offer, and what that costs."""
    from ftui.estimate.market import listed, usual_market

    hardware, count = subject.hardware, found.training.gpus
    if hardware.gpus and not hardware.is_rented:
        return _taken(found, Offer(hardware.gpus[0], count, None), subject.tokens)
    known = market if market and market.offers else usual_market(count)
    offer = known.asked_for(subject.plan.machine)
    if offer is None and hardware.gpus:
        same = [one for one in known.offers if one.gpu and one.gpu.name == hardware.gpus[0].name]
        offer = found.cheapest(same) or listed(hardware.gpus[0], count)
        is_listed = known.listed or offer not in same
    else:
        offer = offer or found.cheapest(known.offers)
        is_listed = known.listed
    which = " (list price)" if is_listed else ""
    return _taken(found, offer, subject.tokens, which) if offer else []


def _taken(
    found: Estimate, offer: Offer, tokens: Tokens | None, which: str = ""
) -> list[tuple[str, str]]:
    """`20 to 50 min on 2 × H100, $2.60 to $3.60`; `which` price that is."""
    from ftui.estimate.words import dollars_words, hours_words

    assert offer.gpu is not None
    speed = found.speed(offer.gpu)
    taken = found.duration(speed, tokens) if speed else None
    if taken is None:
        return []
    told = hours_words(taken.low, taken.high)
    if offer.dollars is not None:
        count = f"{offer.count} × " if offer.count > 1 else ""
        costs = dollars_words(*taken.dollars(offer.dollars))
        told += f" on {count}{offer.gpu.name}, {costs}{which}"
    return [("Time", told)]


def _offers(subject: Subject, market: Market | None) -> list[tuple[str, str]]:
    """What can be chosen from, where machines are rented."""
    if not subject.hardware.is_rented:
        return []
    if market is None or not market.offers:
        return [("Offers", "m shows them")]
    least = min(one.price for one in market.offers)
    return [("Offers", f"{len(market.offers)}, from ${least:.2f}/h: m shows them")]


def _shared(found: Estimate, subject: Subject) -> list[tuple[str, str]]:
    """How several GPUs share the work, and why so."""
    if found.training.gpus < 2:
        return []
    gpus = subject.hardware.gpus
    shared = found.strategy(gpus[0] if gpus else None)
    return [("Shared", f"{shared.name}: {shared.why}")]
