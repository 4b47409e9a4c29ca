"""The terms of an estimate with bars, and the GPUs that have enough memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from ftui.text import printable, shorten

if TYPE_CHECKING:
    from ftui.estimate.estimate import Estimate
    from ftui.estimate.fit import Fitting
    from ftui.plan.hardware import Gpu, Hardware

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


def gpu_table(found: Estimate, hardware: Hardware, *, prices: bool) -> Content:
    """A line a GPU: whether it fits, its memory, its price where there is room; ours come first."""
    from ftui.plan.gpus import USUAL, find

    offered = [*hardware.gpus[:1], *(find(name) for name in USUAL)]
    cheapest = found.cheapest(offered)
    rows = [_gpu_line(found, one, cheapest, prices=prices) for one in found.fittings(offered)]
    return Content("\n").join(rows)


def _filled(found: Estimate, gpu: Gpu) -> str:
    """How much of the GPU it takes; full where that is more than all."""
    from ftui.estimate.fit import usable_gib

    full = min(round(_BAR * found.memory.expected / max(usable_gib(gpu), 1)), _BAR)
    return "█" * full + "░" * (_BAR - full)


def _gpu_line(found: Estimate, one: Fitting, cheapest: Gpu | None, *, prices: bool) -> Content:
    from ftui.estimate.fit import usable_gib
    from ftui.estimate.prices import DOLLARS_AN_HOUR

    dollars = DOLLARS_AN_HOUR.get(one.gpu.name)
    price = f"${found.training.gpus * dollars:.2f}/h" if dollars and prices else ""
    mark = "  least" if one.gpu == cheapest and prices else ""
    name = shorten(printable(one.gpu.name), _NAME)
    return Content.assemble(
        (f"{one.fit.glyph} {one.fit.word:<9} ", _STYLES[one.fit.glyph]),
        f"{name:<{_NAME}} ",
        (f"{usable_gib(one.gpu):6.1f} GiB", "$secondary"),
        (f" {_filled(found, one.gpu)}" if prices else "", _STYLES[one.fit.glyph]),
        (f"{price:>9}" if prices else "", "$secondary"),
        (mark, "$accent"),
    )
