"""The estimate in words, the same on every screen and in every command."""

from __future__ import annotations

from ftui.estimate.fit import fits
from ftui.estimate.memory import PROCESS_GIB, Memory
from ftui.plan.hardware import Gpu

_TERMS = {
    "weights": "weights of the base model",
    "reference": "the model that it is compared with",
    "adapter": "weights of the adapter",
    "optimizer": "states of the optimizer",
    "gathered": "what comes from the other GPUs",
    "gradients": "gradients",
    "activations": "activations of the layers",
    "logits": "logits",
    "layer": "a layer worked out again",
    "dequantised": "a layer made 16-bit",
    "step": "the optimizer's step",
    "cache": "torch's cache",
}
_CENTS = 0.1
SIZES = {8: 8.0, 12: 12.0, 16: 15.0, 24: 22.5, 48: 45.0, 80: 79.6}
"""Cards by their memory in GiB as they are sold, and the least that a driver tells of such a one:
T4, A10, L40S and H100 have less than is printed on them."""


def term_words(name: str) -> str:
    """A term in words."""
    return _TERMS[name]


def memory_words(memory: Memory, gpus: int = 1) -> str:
    """`9.8 GiB (7.9 to 11.8)`."""
    each = " on each GPU" if gpus > 1 else ""
    return f"{memory.expected:.1f} GiB{each} ({memory.low:.1f} to {memory.high:.1f})"


def cpu_words(memory: Memory) -> str:
    """The same of a training without a GPU: `1.2 GiB of system memory (1.1 to 1.3)`."""
    low, middle, high = (size + PROCESS_GIB for size in (memory.low, memory.expected, memory.high))
    return f"{middle:.1f} GiB of system memory ({low:.1f} to {high:.1f})"


def serving_words(memory: Memory) -> str:
    """`16.9 GiB: weights 15.0, keys and values 0.5, …`."""
    parts = ", ".join(f"{term.name} {term.gib:.1f}" for term in memory.terms)
    return f"{memory.expected:.1f} GiB: {parts}"


def ladder_words(memory: Memory) -> str:
    """Cards of each size in GiB, the smallest first: `8 ✗  12 ▲  16 ✓ GiB`.

    Of those that do not fit only the largest, and of those that do only the two smallest are told.
    """
    told = [(size, fits(memory, Gpu(f"{size} GiB", has, ""))) for size, has in SIZES.items()]
    first = next((place for place, (_, fit) in enumerate(told) if fit.glyph != "✗"), len(told))
    shown = told[max(first - 1, 0) : first + 2]
    return "  ".join(f"{size} {fit.glyph}" for size, fit in shown) + " GiB"


def range_words(low: float, high: float, unit: str) -> str:
    """`2.1 to 2.9 h`; one number where both are the same in words."""
    ends = [_figure(low), _figure(high)]
    return f"{' to '.join(dict.fromkeys(ends))} {unit}"


def hours_words(low: float, high: float) -> str:
    """Hours, or minutes where it is less than one hour and a half: `20 to 50 min`."""
    if high < 1.5:
        ends = [f"{max(60 * end, 1):.0f}" for end in (low, high)]
        return f"{' to '.join(dict.fromkeys(ends))} min"
    return range_words(low, high, "h")


def dollars_words(low: float, high: float) -> str:
    """`$2.60 to $3.60`, or `a few cents`."""
    if high < _CENTS:
        return "a few cents"
    return " to ".join(dict.fromkeys([f"${low:.2f}", f"${high:.2f}"]))


def rate_words(low: float, high: float) -> str:
    """`395 to 987 tokens/s`, `1.1k to 2.9k tokens/s`."""
    return f"{_thousands(low)} to {_thousands(high)} tokens/s"


def _figure(number: float) -> str:
    return f"{number:.1f}" if number < 10 else f"{number:,.0f}"


def _thousands(number: float) -> str:
    if number >= 1_000_000:
        return f"{number / 1_000_000:,.1f}M"
    return f"{number / 1000:,.1f}k" if number >= 1000 else f"{number:.0f}"
