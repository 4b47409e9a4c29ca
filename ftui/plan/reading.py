"""Datasets that a person names in the data step: where they are, and what stops axolotl at them."""

from __future__ import annotations

from pathlib import Path

from ftui import paths
from ftui.data.files import layout_of
from ftui.data.layout import Layout
from ftui.data.report import FATAL, Report


def whole_path(answer: str) -> str:
    """The whole path of what is on this machine; a hub id stays what it is.

    Raises DatasetError where the text can be neither.
    """
    found = paths.existing(answer)
    if found is None and layout_of(answer) is Layout.HUB:
        return answer
    return str(found or Path.cwd() / answer)


def first_fault(source: str, report: Report) -> tuple[str, str, str, str]:
    """The first row that axolotl would stop at: what, where, why and a hint."""
    fatal = [each for each in report.complaints if each.reason in FATAL]
    if not fatal:
        why = f"{report.rows:,} rows, none with an answer to learn"
        return "there is nothing to learn", source, why, ""
    first, count = fatal[0], sum(report.found[reason] for reason in FATAL)
    more = f"and {count - 1:,} more like it; ftui data tells them" if count > 1 else ""
    return first.message, f"{first.file}:{first.line}", more, first.hint
