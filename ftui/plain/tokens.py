"""What a training would make of a dataset: tokens, the mask of a few rows, the receipt."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ftui.data.concerns import Concern, concerns
from ftui.data.mask import END, LEARNT, READ, mask_lines, more_words
from ftui.data.summary import (
    histogram_lines,
    lengths_words,
    progress_words,
    receipt_words,
    rows_words,
)
from ftui.data.tokens import Part, Shown, Tokens, fate_words
from ftui.estimate.checkpoints import Disk, disk, disk_words
from ftui.plain import console
from ftui.plain.progress_line import ProgressLine
from ftui.plan.plan import Plan
from ftui.text import printable, shorten

_WIDEST = 160


def look(plan: Plan, show: int) -> Tokens:
    """Ask axolotl, with words about how far it is on stderr.

    Raises DatasetError, RuntimeMissing, TimedOut.
    """
    from ftui.config.text import config_text
    from ftui.runtimes.dataset_worker import DatasetWorker
    from ftui.runtimes.worker import Progress
    from ftui.targets import get

    gpus, text = get(plan.target).hardware(plan).used_by(plan.all_gpus), config_text(plan)

    async def ask(progress: Progress) -> Tokens:
        async with DatasetWorker() as worker:
            return await worker.look(text, Path.cwd(), gpus, show=show, on_progress=progress)

    console.say("asking axolotl to read it …")
    with ProgressLine() as shown:
        return asyncio.run(ask(lambda told: shown.say(progress_words(told))))


def needed_disk(plan: Plan, tokens: Tokens) -> Disk | None:
    """What the training writes; None where that isn't known."""
    from ftui.config.build import build

    return disk(build(plan), tokens.receipt)


def tell(tokens: Tokens, needed: Disk | None) -> None:
    """The figures and the concerns on stderr, the rows on stdout."""
    for row in tokens.shown:
        for line in row_lines(row):
            console.line(line)
    for line in histogram_lines(tokens.lengths):
        console.say(f"  {line}")
    console.say(f"  {lengths_words(tokens.lengths)}")
    console.say(f"  {rows_words(tokens)}")
    console.say(f"  {receipt_words(tokens.receipt)}")
    if needed is not None:
        console.say(f"  {disk_words(needed, tokens.receipt)}")
    for concern in concerns(tokens):
        console.say(concern_words(concern))


def row_lines(row: Shown) -> Iterator[str]:
    """A row with its mask: `┃` before what is learnt, `·` before what is only read."""
    yield f"row {row.row + 1} · {fate_words(row.fate)} · {LEARNT} learnt {READ} read {END} end"
    for part in row.parts:
        if len(row.parts) > 1:
            yield f"  {part.name}"
        yield from _part_lines(part)
    yield ""


def _part_lines(part: Part) -> Iterator[str]:
    for line in mask_lines(part.texts, part.labels, part.ends):
        text = printable(line.text)
        yield f"  {line.sign} {text if len(text) <= _WIDEST else text[: _WIDEST - 1] + '…'}"
    if part.more:
        yield f"  {more_words(part)}"


def concern_words(concern: Concern) -> str:
    """`▲ only 3.0 % of the tokens are learnt` and the hint on its own line."""
    hint = f"\n    → {concern.hint}" if concern.hint else ""
    return f"{'✗' if concern.blocks else '▲'} {shorten(printable(concern.message), 400)}{hint}"


def document(tokens: Tokens, needed: Disk | None) -> dict[str, Any]:
    """As `ftui data --json` tells it."""
    lengths, receipt = tokens.lengths, tokens.receipt
    return {
        "tokens": {
            "total": lengths.total,
            "learnt": lengths.supervised,
            "longest": lengths.longest,
            "percentiles": {str(one): value for one, value in lengths.percentiles.items()},
            "histogram": [list(bucket) for bucket in lengths.histogram],
            "over_sequence_len": lengths.over_length,
            "fitting_sequence_len": lengths.fitting_length,
        },
        "fates": dict(tokens.rows.fates),
        "receipt": {
            "packed": receipt.packed,
            "steps": receipt.steps,
            "steps_per_epoch": receipt.steps_per_epoch,
            "epochs": receipt.epochs,
            "warmup_steps": receipt.warmup_steps,
            "evals": receipt.evals,
            "checkpoints": receipt.checkpoints,
            "checkpoints_kept": receipt.checkpoints_kept,
            "disk_gib": None if needed is None else _gib(needed),
        },
        "concerns": [
            {"blocks": each.blocks, "message": each.message, "hint": each.hint}
            for each in concerns(tokens)
        ],
    }


def _gib(needed: Disk) -> dict[str, float]:
    """Of one checkpoint, of the result, and of all at the fullest moment."""
    return {name: round(count / 2**30, 4) for name, count in asdict(needed).items()}
