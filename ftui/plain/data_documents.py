"""The JSON that `ftui data --json` writes. Its keys are a promise: scripts depend on them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftui.data.dataset import Dataset
from ftui.data.report import Complaint, Report
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
        "languages": list(report.languages),
        "issues": _once([*map(_issue, report.complaints)]),
    }


def of_no_rows(error: DatasetError, faults: list[Complaint]) -> dict[str, Any]:
    """The document of a dataset whose rows cannot be read, with those that are broken."""
    empty: dict[str, Any] = {"rows": 0, "kept": 0, "dropped": 0, "reasons": {}, "languages": []}
    issues = [*map(_issue, faults)]
    if not is_among(error, faults):
        issues.append(_issue_of(error))
    return {"ok": False, "format": "", **empty, "issues": _once(issues)}


def is_among(error: DatasetError, faults: list[Complaint]) -> bool:
    """Whether an error is told as one of the broken rows anyway."""
    return any(error.where == f"{each.file}:{each.line}" for each in faults)


def refused(document: dict[str, Any], error: DatasetError) -> dict[str, Any]:
    """The document of rows that can be read, but that axolotl refuses."""
    return document | {"ok": False, "issues": _once([*document["issues"], _issue_of(error)])}


def stopped(document: dict[str, Any], stops: list[Complaint], *, blocked: bool) -> dict[str, Any]:
    """The same with the rows at which axolotl stops; `blocked` = a training would be for nothing.

    An issue of such a row that says less than axolotl does stays.
    """
    issues = _once([*document["issues"], *map(_issue, stops)])
    return document | {"ok": document["ok"] and not blocked, "issues": issues}


def of_written(
    written: int, left: Mapping[str, int], kind: str, out: Path, error: DatasetError | None = None
) -> dict[str, Any]:
    """The document of rows that were written in another type."""
    return {
        "ok": written > 0,
        "written": written,
        "left_out": dict(left),
        "type": kind,
        "out": str(out),
        "issues": [_issue_of(error)] if error is not None else [],
    }


def _once(issues: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The issues without those that say again what was said of the same place."""
    return [one for number, one in enumerate(issues) if one not in issues[:number]]


def _issue_of(error: DatasetError) -> dict[str, Any]:
    """What an error says, as an issue of the line that it names, or of the whole file."""
    file, _, line = error.where.rpartition(":")
    known = line.isdigit()
    message = f"{error.what}: {error.why}" if error.why else error.what
    return {
        "file": file if known else error.where,
        "line": int(line) if known else 0,
        "field": "",
        "message": message,
        "hint": error.hint,
    }


def _issue(each: Complaint) -> dict[str, Any]:
    return {
        "file": each.file,
        "line": each.line,
        "field": each.field,
        "message": each.message,
        "hint": each.hint,
    }
