"""Look at every row of a dataset: what will be learnt from it, what will not, and why.

One pass, in batches. What is kept in memory is one number a row (to know a row again) and the first
few complaints of each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from ftui.data.asked import asked_in
from ftui.data.cells import Cells, as_jsonl
from ftui.data.dates import Dates
from ftui.data.files import layout_of
from ftui.data.formats import Format, Lacking
from ftui.data.judge import Oddity, Reason, judge_of, odd_rows
from ftui.data.labels import Labels
from ftui.data.late import LateColumns
from ftui.data.layout import Layout
from ftui.data.report import HINTS, Report
from ftui.data.row import Fault, Group, show
from ftui.data.system import SystemPrompts
from ftui.data.watch import Notice, Watch
from ftui.errors import DatasetError

_SAMPLE = 200
"""Rows that are kept to look at what they are written in."""
_COMPARED = 10_000
"""Rows whose questions are compared with each other, where none are held out."""


def examine(
    groups: Iterable[tuple[str, Group]],
    format: Format,
    *,
    on_progress: Callable[[int], None] | None = None,
    held_out: Report | None = None,
) -> Report:
    """Look at every row. Each group comes with the name of its file.

    `on_progress` hears the number of rows after each group. `held_out` is what was found in rows
    that must not be trained on (`examine_held_out`): `met` then tells which come here too.
    """
    report = Report(format)
    look = _Look(report, held_out)
    for file, group in groups:
        look.at(file, group)
        if on_progress is not None:
            on_progress(report.rows)
    look.end()
    files = list(dict.fromkeys(each.file for each in report.complaints))
    report.complaints.sort(key=lambda each: (files.index(each.file), each.line))
    return report


def examine_held_out(groups: Iterable[tuple[str, Group]], format: Format) -> Report:
    """What is asked in rows that must not be trained on, all of them."""
    report = Report(format)
    asked = asked_in(format)
    for file, group in groups:
        report.rows += len(group.rows) + len(group.faults)
        for fault in group.faults:
            report.complain(Reason.BROKEN, file, fault)
        report.marks.update(group.marks)
        for line, question in zip(group.lines, map(asked, group.rows), strict=True):
            if question is not None:
                report.questions.setdefault(question, report.place(file, line))
                report.times[question] += 1
    return report


class _Look:
    """A look at one group after the other."""

    def __init__(self, report: Report, held_out: Report | None) -> None:
        format = report.format
        self._report = report
        self._held_out = held_out
        self._odd, self._judge, self._asked = odd_rows(format), judge_of(format), asked_in(format)
        self._layout: Layout | None = None
        self._watches: Sequence[Watch] | None = None
        self._columns: frozenset[str] = frozenset()
        self._file = ""

    def at(self, file: str, group: Group) -> None:
        """Look at a group."""
        report, self._file = self._report, file
        if self._watches is None:
            self._layout = _layout(file)
            self._watches = _watches(self._layout, report.format)
        report.rows += len(group.rows) + len(group.faults)
        for fault in group.faults:
            report.complain(Reason.BROKEN, file, fault)
        for note in group.notes:
            report.complain(Reason.TWICE, file, Fault(*note))
        as_written = group.rows
        if self._layout is Layout.CSV:
            group = Cells.read(group)
        for index in self._odd(group.rows):
            self._tell(group.lines[index], group.rows[index], as_written[index])
        columns = _columns(group.rows)
        self._columns |= columns
        for watch in self._watches:
            self._notices(watch.look(file, group, columns))
        self._compare(group, _remember(report, file, group))
        if len(report.sample) < _SAMPLE:
            report.sample += as_written[: _SAMPLE - len(report.sample)]

    def end(self) -> None:
        """What is known after the last row."""
        for watch in self._watches or ():
            self._notices(watch.end())
        _columns_that_nobody_has(self._report, self._columns, self._file)

    def _tell(self, line: int, values: Mapping[str, Any], written: Mapping[str, Any]) -> None:
        """Say what is odd about a row, if anything is."""
        for oddity in self._judge(values):
            cell = written.get(oddity.field)
            if cell and values.get(oddity.field, "") is None:
                oddity = _read_as_nothing(oddity, cell)
                hint = f"use another word, or {as_jsonl(self._report.format)}"
                fault = Fault(line, oddity.field, oddity.words, hint)
                self._report.complain(oddity.reason, self._file, fault)
            else:
                words = f"{oddity.field} {oddity.words}"
                self._report.tell(oddity.reason, self._file, line, oddity.field, words)

    def _notices(self, notices: Iterable[Notice]) -> None:
        for each in notices:
            fault = Fault(each.line, each.field, each.message, each.hint)
            self._report.complain(each.reason, each.file or self._file, fault, each.rows)

    def _compare(self, group: Group, twice: set[int]) -> None:
        """Look for questions that were asked before, here or in the rows that are held out.

        `twice` are the marks of rows that were there before as they are.
        """
        report = self._report
        first = report.format.training == "sft" and report.rows <= _COMPARED
        if not first and self._held_out is None:
            return
        held = self._held_out.questions if self._held_out is not None else {}
        questions = map(self._asked, group.rows)
        for line, mark, question in zip(group.lines, group.marks, questions, strict=True):
            if question is None:
                continue
            place = report.place(self._file, line)
            if question in held:
                report.met.setdefault(question, place)
            if first and mark not in twice:
                before = report.questions.setdefault(question, place)
                if before != place:
                    self._asked_before(line, *report.at(before))

    def _asked_before(self, line: int, file: str, first: int) -> None:
        place = f"line {first}" if file == self._file else f"{file}:{first}"
        self._report.tell(Reason.ALIKE, self._file, line, "", f"asks what {place} asks")


def _columns(rows: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """The columns of some rows. Where the first and the last have the same ones and all have as
    many, no more are looked at."""
    if rows and {*map(len, rows)} == {len(rows[0])} and rows[0].keys() == rows[-1].keys():
        return frozenset(rows[0])
    return frozenset(chain.from_iterable(rows))


def _layout(file: str) -> Layout | None:
    try:
        return layout_of(file)
    except DatasetError:
        return None


def _watches(layout: Layout | None, format: Format) -> list[Watch]:
    """What is to be known of all rows together, in a file of this layout."""
    found: list[Watch] = [SystemPrompts(format)] if format.is_chat else []
    if format.training == "kto":
        found.append(Labels())
    if layout in (Layout.JSONL, Layout.JSON):
        found.append(Dates(format, in_blocks=layout is Layout.JSONL))
    if layout is Layout.JSONL:
        found.append(LateColumns(format))
    if layout is Layout.CSV:
        found.append(Cells(format))
    return found


def _read_as_nothing(oddity: Oddity, cell: Any) -> Oddity:
    words = oddity.words.replace("is missing", f"is {show(cell)}, which is read as no value")
    return oddity._replace(words=f"{oddity.field} {words}")


def _columns_that_nobody_has(report: Report, columns: frozenset[str], file: str) -> None:
    """axolotl stops where a column is missing, though it takes rows that have no value in it."""
    for part in report.format.parts:
        needed = part.holds(None) is not None and part.lacking is not Lacking.STOPS
        if not needed or part.column in columns or not report.rows:
            continue
        told = {each.reason for each in report.complaints if each.field == part.column}
        report.complaints = [each for each in report.complaints if each.field != part.column]
        for reason in told:
            report.found[reason] = 0
        words = f"there is no column {part.column} in any row"
        fault = Fault(1, part.column, words, HINTS[Reason.UNREADABLE])
        report.complain(Reason.UNREADABLE, file, fault, report.rows)
    report.found = +report.found


def _remember(report: Report, file: str, group: Group) -> set[int]:
    """Note the rows, and tell those that were there before: their marks."""
    twice: set[int] = set()
    if not report.knows_all:
        return twice
    known, fresh = report.marks, set(group.marks)
    if len(fresh) == len(group.marks) and known.isdisjoint(fresh):
        known |= fresh
        return twice
    for line, mark in zip(group.lines, group.marks, strict=True):
        if mark in known:
            twice.add(mark)
            words = "the same as an earlier row"
            report.tell(Reason.DUPLICATE, file, line, "", words)
        known.add(mark)
    return twice
