"""Rows that must not be trained on, and whether they are: what they measure then is memory."""

from __future__ import annotations

import contextlib
from typing import Any

from ftui.data.dataset import Dataset, open_dataset
from ftui.data.doctor import examine_held_out
from ftui.data.formats import Format
from ftui.data.judge import Reason
from ftui.data.report import Report, asked_in_both, in_both
from ftui.errors import DatasetError
from ftui.plain import console
from ftui.runtimes.datasets import read_dataset
from ftui.text import counted


def look(source: str, dataset: Dataset) -> Report | None:
    """What is asked in these rows; None without any.

    They are read as those of the dataset, or as what they are: the same question in rows of
    another type is the same question. Raises DatasetError, RuntimeMissing.
    """
    return examine_held_out(read_dataset(source), _format(source, dataset)) if source else None


def _format(source: str, dataset: Dataset) -> Format:
    with contextlib.closing(read_dataset(source)) as groups:
        first = next((group.rows for _, group in groups if group.rows), [])
    if any(dataset.format.wrong(row) is None for row in first):
        return dataset.format
    with contextlib.suppress(DatasetError):
        return open_dataset(source, read_dataset).format
    return dataset.format


def tell(source: str, held: str, report: Report, held_out: Report) -> None:
    """Say which rows are held out and trained on, or that none is."""
    shared = in_both(report, held_out)
    asked = asked_in_both(report, held_out) - shared
    if not shared and asked <= 0:
        _tell_none(held, held_out)
    if shared:
        are = "is" if shared == 1 else "are"
        console.say(f"▲ {counted(shared, 'row')} of {held} {are} in {source} too")
    if asked > 0:
        more = (
            f"{asked:,} more {'row' if asked == 1 else 'rows'}" if shared else counted(asked, "row")
        )
        asks = "asks" if asked == 1 else "ask"
        place = "" if shared else _where(report, held_out)
        console.say(f"▲ {more} of {held} {asks} what a row of {source} asks{place}")
    if shared or asked > 0:
        console.say("    → what they measure is memory: remove them from one of the two")


def _tell_none(held: str, held_out: Report) -> None:
    rows = held_out.rows - held_out.found[Reason.BROKEN]
    if not rows:
        console.say(f"▲ {held} has no row to hold out")
    elif not held_out.questions:
        console.say(f"▲ what is asked in the {counted(rows, 'row')} of {held} cannot be told")
    else:
        all_of = f"0 of {rows:,} held-out rows are" if rows > 1 else "the held-out row is not"
        console.say(f"✓ {all_of} trained on")


def _where(report: Report, held_out: Report) -> str:
    """The first question that is in both, in either file."""
    question, place = min(report.met.items(), key=lambda item: item[1])
    file, line = report.at(place)
    other, there = held_out.at(held_out.questions[question])
    return f", such as {other}:{there} and {file}:{line}"


def document(report: Report, held_out: Report | None) -> dict[str, Any]:
    """As `ftui data --json` tells it."""
    if held_out is None:
        return {}
    asked = asked_in_both(report, held_out)
    return {
        "held_out": {
            "rows": held_out.rows,
            "same": in_both(report, held_out),
            "asked": asked,
            "broken": held_out.found[Reason.BROKEN],
        }
    }
