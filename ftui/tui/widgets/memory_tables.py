"""The terms of an estimate with bars, and the GPUs that have enough memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from ftui.estimate.fit import Fit, Fitting, usable_gib
from ftui.text import printable, shorten

if TYPE_CHECKING:
    from ftui.data.tokens import Tokens
    from ftui.estimate.estimate import Estimate
    from ftui.plan.offer import Market, Offer
    from ftui.plan.step import Option

_BAR, _NAME = 8, 13
_STYLES = {"✓": "$success", "▲": "$warning", "✗": "$secondary"}


def term_table(found: Estimate, *, bars: bool) -> Content:
    """A line a term: its words, GiB, and a bar of its part where there is room."""
    from ftui.estimate.words import term_words

    terms = found.memory.terms
    most = max(term.gib for term in terms)
    width = max(len(term_words(term.name)) for term in terms)
    lines = [
        Content.assemble(
            (f"{term_words(term.name):<{width}}", "$secondary"),
            f"{term.gib:7.1f} ",
            ("█" * round(_BAR * term.gib / most) if bars else "", "$accent"),
        )
        for term in terms
    ]
    return Content("\n").join(lines)


def gpu_table(found: Estimate, market: Market, *, roomy: bool) -> Content:
    """A line a machine: whether it fits, its memory; a bar and its price where there is room."""
    cheapest = found.cheapest(market.offers)
    return Content("\n").join(
        Content.assemble(
            (f"{one.fit.glyph} {one.fit.word:<9} ", _STYLES[one.fit.glyph]),
            f"{_name(one)} ",
            (f"{usable_gib(one.gpu):6.1f} GiB", "$secondary"),
            (f" {_bar(found, one)}" if roomy else "", _STYLES[one.fit.glyph]),
            (f"{_price(one):>9}" if roomy else "", "$secondary"),
            ("  least" if one.offer == cheapest and roomy else "", "$accent"),
        )
        for one in found.fittings(market.offers)
    )


def offer_rows(found: Estimate, market: Market, *, roomy: bool) -> list[Option]:
    """The same as answers: its number, what it is, and whose. What fits comes first."""
    from ftui.plan.step import Option

    cheapest = found.cheapest(market.offers)
    fittings = sorted(found.fittings(market.offers), key=lambda one: one.fit is Fit.NO)
    return [
        Option(
            str(next(n for n, offer in enumerate(market.offers) if offer is one.offer)),
            f"{one.fit.glyph} {f'{one.fit.word:<9} ' if roomy else ''}{_name(one)}",
            (f"{usable_gib(one.gpu):5.1f} {_bar(found, one)} " if roomy else "")
            + f"{_price(one):>8} {'least' * (one.offer == cheapest):5} "
            + "spot" * (one.offer.spot and roomy),
        )
        for one in fittings
    ]


def offer_words(found: Estimate, offer: Offer, tokens: Tokens | None) -> str:
    """`2 × H100, spot, runpod US-KS-2: 20 to 50 min, $2.60 to $3.60`, as far as it is known."""
    from ftui.estimate.words import dollars_words, hours_words

    assert offer.gpu is not None
    told = [f"{offer.count} × {offer.gpu.name}", "spot" if offer.spot else "on demand", offer.place]
    words = printable(", ".join(filter(None, told)))
    speed = found.speed(offer.gpu)
    taken = found.duration(speed, tokens) if speed else None
    if taken is None or offer.dollars is None:
        return words
    costs = dollars_words(*taken.dollars(offer.dollars))
    return f"{words}: {hours_words(taken.low, taken.high)}, {costs}"


def _name(one: Fitting) -> str:
    return f"{shorten(printable(one.gpu.name), _NAME):<{_NAME}}"


def _price(one: Fitting) -> str:
    return "" if one.offer.dollars is None else f"${one.offer.dollars:.2f}/h"


def _bar(found: Estimate, one: Fitting) -> str:
    """How much of the GPU it takes; full where that is more than all."""
    full = min(round(_BAR * found.memory.expected / max(usable_gib(one.gpu), 1)), _BAR)
    return "█" * full + "░" * (_BAR - full)
