"""Rows that must not be trained on, and whether they are: what they measure then is memory."""

from __future__ import annotations

from typing import Any

from ftui.data.dataset import Dataset
from ftui.data.doctor import Report, asked_in_both, examine_held_out, in_both
from ftui.plain import console
from ftui.runtimes.datasets import read_dataset
from ftui.text import counted


def look(source: str, dataset: Dataset) -> Report | None:
    """What is asked in these rows, which are read as those of the dataset; None without any.

    Raises DatasetError, RuntimeMissing.
    """
    return examine_held_out(read_dataset(source), dataset.format) if source else None


def tell(source: str, held: str, report: Report, held_out: Report) -> None:
    """Say which rows are held out and trained on."""
    shared = in_both(report, held_out)
    asked = asked_in_both(report, held_out) - shared
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
    return {"held_out": {"rows": held_out.rows, "same": in_both(report, held_out), "asked": asked}}
