"""Look at every row of a dataset: what will be learnt from it, what will not, and why.

One pass, in batches. What is kept in memory is one number a row (to know a row again) and the first
few complaints of each kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ftui.data.formats import Format
from ftui.data.judge import Judge, Reason, is_empty, judge_of, odd_rows
from ftui.data.row import Fault, Group

_SHOWN = 5
"""Complaints of a kind that are told one by one; the others are counted."""
_REMEMBERED = 2_500_000
"""Rows that are known again when they come twice. That many numbers in a set take 150 MB."""
_SAMPLE = 200
"""Rows that are kept to look at what they are written in."""


FATAL = (Reason.BROKEN, Reason.UNREADABLE)
"""axolotl stops at such a row, with a traceback from a worker process."""
DROPPED = (*FATAL, Reason.EMPTY, Reason.NO_ANSWER)
"""Nothing is learnt from such rows."""

_HINTS: Mapping[Reason, str] = {
    Reason.BROKEN: "",
    Reason.UNREADABLE: "mend or remove the row: axolotl stops at it",
    Reason.EMPTY: "remove the row",
    Reason.NO_ANSWER: "only the assistant's turns are learnt: remove the row, or name its role",
    Reason.DUPLICATE: "`dataset_exact_deduplication: true` drops it",
    Reason.LAST_TURN: "what comes after the last answer is not learnt: cut it off",
    Reason.ROLE: "axolotl hands it to the chat template as it is: name it in `roles`",
}


@dataclass(frozen=True)
class Complaint:
    """Something about one row: `line` counts from 1; `field` is the place in it."""

    reason: Reason
    file: str
    line: int
    field: str
    message: str
    hint: str = ""


@dataclass
class Report:
    """What a look at a dataset found."""

    format: Format
    rows: int = 0
    found: Counter[Reason] = field(default_factory=Counter)
    """How many rows there are with each reason; a row may have several."""
    complaints: list[Complaint] = field(default_factory=list)
    """The first few of each reason, in the order of the rows."""
    sample: list[dict[str, Any]] = field(default_factory=list)
    """The first rows."""
    marks: set[int] = field(default_factory=set)
    """What the rows are known by; equal rows have equal marks."""

    @property
    def dropped(self) -> int:
        """Rows from which nothing is learnt."""
        return sum(self.found[reason] for reason in DROPPED)

    @property
    def kept(self) -> int:
        """Rows that are learnt from."""
        return self.rows - self.dropped

    @property
    def ok(self) -> bool:
        """Whether axolotl reads it to the end and something is learnt."""
        return self.kept > 0 and not any(self.found[reason] for reason in FATAL)

    @property
    def knows_all(self) -> bool:
        """Whether duplicates were looked for among all rows."""
        return len(self.marks) < _REMEMBERED


def examine(
    groups: Iterable[tuple[str, Group]],
    format: Format,
    *,
    on_progress: Callable[[int], None] | None = None,
) -> Report:
    """Look at every row. Each group comes with the name of its file.

    `on_progress` hears the number of rows after each group.
    """
    report = Report(format)
    odd, judge = odd_rows(format), judge_of(format)
    for file, group in groups:
        report.rows += len(group.rows) + len(group.faults)
        for fault in group.faults:
            _complain(report, Reason.BROKEN, file, fault)
        for index in odd(group.rows):
            _look(report, judge, file, group.lines[index], group.rows[index])
        _remember(report, file, group)
        if len(report.sample) < _SAMPLE:
            report.sample += group.rows[: _SAMPLE - len(report.sample)]
        if on_progress is not None:
            on_progress(report.rows)
    files = list(dict.fromkeys(each.file for each in report.complaints))
    report.complaints.sort(key=lambda each: (files.index(each.file), each.line))
    return report


def _look(report: Report, judge: Judge, file: str, line: int, values: Mapping[str, Any]) -> None:
    """Say what is odd about a row, if anything is."""
    wrong = report.format.wrong(values)
    if wrong is not None and is_empty(report.format, values, wrong):
        _tell(report, Reason.EMPTY, file, line, wrong.field, f"{wrong.field} {wrong.words}")
        return
    if wrong is not None:
        message = f"{wrong.field} {wrong.words}"
        _tell(report, Reason.UNREADABLE, file, line, wrong.field, message)
        return
    for reason, place, words in judge(values):
        _tell(report, reason, file, line, place, f"{place} {words}")


def _remember(report: Report, file: str, group: Group) -> None:
    """Note the rows, and tell those that were there before."""
    if not report.knows_all:
        return
    known, fresh = report.marks, set(group.marks)
    if len(fresh) == len(group.marks) and known.isdisjoint(fresh):
        known |= fresh
        return
    for line, mark in zip(group.lines, group.marks, strict=True):
        if mark in known:
            words = "the same as an earlier row"
            _tell(report, Reason.DUPLICATE, file, line, "", words)
        known.add(mark)


def _complain(report: Report, reason: Reason, file: str, fault: Fault) -> None:
    report.found[reason] += 1
    if report.found[reason] <= _SHOWN:
        complaint = Complaint(reason, file, *fault)
        report.complaints.append(complaint)


def _tell(report: Report, reason: Reason, file: str, line: int, place: str, message: str) -> None:
    _complain(report, reason, file, Fault(line, place, message, _HINTS[reason]))


def in_both(train: Report, held_out: Report) -> int:
    """Held-out rows that are also trained on: what they measure is memory."""
    return len(train.marks & held_out.marks)
