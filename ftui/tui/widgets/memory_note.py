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
    """Labels and words: `Memory`, `Fits`, `Time`."""
    from ftui.estimate.words import cpu_words, memory_words

    gpus = found.training.gpus
    words = cpu_words(found.memory) if subject.on_cpu else memory_words(found.memory, gpus)
    time = _time(found, subject, market)
    return [("Memory", words), _fits(found, subject), *time, *_shared(found, subject)]


def _shared(found: Estimate, subject: Subject) -> list[tuple[str, str]]:
    """How several GPUs share the work, and why so."""
    if found.training.gpus < 2:
        return []
    gpus = subject.hardware.gpus
    shared = found.strategy(gpus[0] if gpus else None)
    return [("Shared", f"{shared.name}: {shared.why}")]


def _fits(found: Estimate, subject: Subject) -> tuple[str, str]:
    """This machine, where it is to train there; else cards by their size."""
    from ftui.estimate.words import ladder_words

    hardware = subject.hardware
    if subject.on_cpu:
        from ftui.estimate.memory import PROCESS_GIB

        enough = found.memory.high + PROCESS_GIB <= hardware.memory_gib
        return "Fits", f"this machine's {hardware.memory_gib:.0f} GiB {'✓' if enough else '✗'}"
    if hardware.gpus:
        fit = found.fit(hardware.gpus[0])
        return "Fits", f"{hardware.gpus[0].name} {fit.glyph} {fit.word}"
    return "Fits", ladder_words(found.memory)


def _time(found: Estimate, subject: Subject, market: Market | None) -> list[tuple[str, str]]:
    """How long it takes there, or on the cheapest machine on offer, and what that costs."""
    from ftui.estimate.market import listed, usual_market
    from ftui.estimate.words import hours_words

    hardware, tokens, count = subject.hardware, subject.tokens, found.training.gpus
    if subject.on_cpu:
        taken = found.duration(found.cpu_speed(hardware), tokens)
        return [("Time", hours_words(taken.low, taken.high))] if taken else []
    if hardware.gpus and not hardware.is_rented:
        return _taken(found, Offer(hardware.gpus[0], count, None), tokens)
    offers = market.offers if market else usual_market(count).offers
    if hardware.gpus:
        same = [one for one in offers if one.gpu and one.gpu.name == hardware.gpus[0].name]
        offers = tuple(same) or (listed(hardware.gpus[0], count),)
    cheapest = found.cheapest(offers)
    return _taken(found, cheapest, tokens, "" if market else " (list price)") if cheapest else []


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
        told += (
            f" on {count}{offer.gpu.name}, {dollars_words(*taken.dollars(offer.dollars))}{which}"
        )
    return [("Time", told)]
