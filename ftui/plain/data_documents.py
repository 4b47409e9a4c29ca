"""The JSON that `ftui data --json` writes. Its keys are a promise: scripts depend on them."""

from __future__ import annotations

from typing import Any

from ftui.data.dataset import Dataset
from ftui.data.doctor import Complaint, Report
from ftui.data.writing import written_in
from ftui.errors import DatasetError


def of_rows(dataset: Dataset, report: Report) -> dict[str, Any]:
    """What was found in the rows of a dataset."""
    return {
        "ok": report.ok,
        "format": dataset.format.name,
        "surely": dataset.guess.surely,
        "why": dataset.guess.why,
        "entry": dataset.entry,
        "rows": report.rows,
        "kept": report.kept,
        "dropped": report.dropped,
        "reasons": {reason.value: count for reason, count in report.found.items()},
        "languages": list(written_in(report.sample)),
        "issues": [*map(_issue, report.complaints)],
    }


def of_no_rows(error: DatasetError, faults: list[Complaint]) -> dict[str, Any]:
    """The document of a dataset whose rows cannot be read, with those that are broken."""
    file, _, line = error.where.rpartition(":")
    known = line.isdigit()
    message = f"{error.what}: {error.why}" if error.why else error.what
    issue = {
        "file": file if known else error.where,
        "line": int(line) if known else 0,
        "field": "",
        "message": message,
        "hint": error.hint,
    }
    empty: dict[str, Any] = {"rows": 0, "kept": 0, "dropped": 0, "reasons": {}, "languages": []}
    return {"ok": False, "format": "", **empty, "issues": [*map(_issue, faults), issue]}


def _issue(each: Complaint) -> dict[str, Any]:
    return {
        "file": each.file,
        "line": each.line,
        "field": each.field,
        "message": each.message,
        "hint": each.hint,
    }
