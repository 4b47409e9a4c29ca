"""The figures of a dataset and of its training in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import dropwhile
from typing import Any

from ftui.data.tokens import Lengths, Receipt, Tokens, fate_words
from ftui.text import counted

_PHASES = {
    "tokenizer": "loading the tokenizer",
    "reading": "reading the rows",
    "tokenizing": "turning rows into tokens",
    "counting": "counting the steps",
}
_BAR = 40
"""Characters of the longest bar of the histogram."""


def progress_words(told: Mapping[str, Any]) -> str:
    """`turning rows into tokens, 600 of 1,204` of {"phase", "done", "total"}; total 0 = unknown."""
    of = f" of {told['total']:,}" if told["total"] else ""
    done = f", {told['done']:,}{of}" if told["done"] else ""
    return f"{_PHASES.get(told['phase'], told['phase'])}{done}"


def histogram_lines(lengths: Lengths) -> Iterator[str]:
    """Rows by their length in tokens, a bar for each bucket."""
    buckets = list(dropwhile(lambda bucket: not bucket[1], lengths.histogram))
    most = max((rows for _, rows in buckets), default=0)
    for bound, rows in buckets:
        bar = "█" * round(_BAR * rows / most) or ("▏" if rows else "")
        yield f"{bound:>7,} {bar} {rows:,}".rstrip()


def lengths_words(lengths: Lengths) -> str:
    """`412,300 tokens · 38.2 % learnt · half of the rows within 310, 99 % within 1,430`."""
    half, most = lengths.percentiles[50], lengths.percentiles[99]
    return (
        f"{lengths.total:,} tokens · {100 * lengths.share:.1f} % learnt · half of the rows within "
        f"{half:,}, 99 % within {most:,}, the longest {lengths.longest:,}"
    )


def rows_words(tokens: Tokens) -> str:
    """`1,130 trained on · 60 held out for evaluation · 14 longer than sequence_len`."""
    return " · ".join(f"{n:,} {fate_words(fate)}" for fate, n in tokens.rows.fates.items() if n)


def receipt_words(receipt: Receipt) -> str:
    """`93 steps: 3 × 31 an epoch, packed · warm-up 9 · 6 evaluations · 3 checkpoints, 2 kept`."""
    packed = ", packed" if receipt.packed else ""
    left = receipt.checkpoints_kept
    kept = f", {left} kept" if left < receipt.checkpoints else ""
    return (
        f"{counted(receipt.steps, 'step')}: {receipt.epochs:g} × {receipt.steps_per_epoch} "
        f"an epoch{packed} · warm-up {receipt.warmup_steps} · "
        f"{counted(receipt.evals, 'evaluation')} · "
        f"{counted(receipt.checkpoints, 'checkpoint')}{kept}"
    )
