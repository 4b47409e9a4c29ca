"""What a look at every row of a dataset found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ftui.data.formats import Format
from ftui.data.judge import Reason
from ftui.data.row import Fault
from ftui.data.writing import written_in

_SHOWN = 5
"""Complaints of a kind that are told one by one; the others are counted."""
_REMEMBERED = 2_500_000
"""Rows that are known again when they come twice. That many numbers in a set take 150 MB."""
_LINES = 40
"""Bits of the number of a line."""


FATAL = (Reason.BROKEN, Reason.UNREADABLE, Reason.LATE)
"""axolotl stops at such a row, with a traceback from a worker process."""
DROPPED = (*FATAL, Reason.EMPTY, Reason.NO_ANSWER)
"""Nothing is learnt from such rows."""

HINTS: Mapping[Reason, str] = {
    Reason.BROKEN: "",
    Reason.UNREADABLE: "mend or remove the row: axolotl stops at it",
    Reason.EMPTY: "remove the row",
    Reason.NO_ANSWER: "only the assistant's turns are learnt: remove the row, or name its role",
    Reason.DUPLICATE: "`dataset_exact_deduplication: true` drops it",
    Reason.ALIKE: "one question with several answers teaches neither well: keep one, if you can",
    Reason.NO_VALUE: "give it a value, or remove the row",
    Reason.REWRITTEN: "write it as text, as the model is to read it",
    Reason.NO_WORDS: "axolotl stops at it, unless the chat template knows tools (chatml does not): "
    'give it `"content": ""`',
    Reason.LAST_TURN: "what comes after the last answer is not learnt: cut it off",
    Reason.SAME: "nothing is preferred in such a row: mend it, or remove it",
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
    questions: dict[int, int] = field(default_factory=dict)
    """What was asked, by a hash, with the place where it came first; of the rows compared."""
    times: Counter[int] = field(default_factory=Counter)
    """Of held-out rows: how many of them ask it."""
    met: dict[int, int] = field(default_factory=dict)
    """The questions that held-out rows ask too, each with the place where it comes here."""
    files: list[str] = field(default_factory=list)
    """The files in their order."""

    def place(self, file: str, line: int) -> int:
        """A line of a file as one number: millions of them are kept."""
        if not self.files or self.files[-1] != file:
            self.files.append(file)
        return ((len(self.files) - 1) << _LINES) + line

    def at(self, place: int) -> tuple[str, int]:
        """The file and the line of a place."""
        return self.files[place >> _LINES], place & ((1 << _LINES) - 1)

    @property
    def dropped(self) -> int:
        """Rows from which nothing is learnt."""
        return min(sum(self.found[reason] for reason in DROPPED), self.rows)

    @property
    def kept(self) -> int:
        """Rows that are learnt from."""
        return self.rows - self.dropped

    @property
    def ok(self) -> bool:
        """Whether axolotl reads it to the end and something is learnt."""
        return self.kept > 0 and not any(self.found[reason] for reason in FATAL)

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """What the first rows are written in; to be asked for after the last row."""
        return written_in(self.sample)

    @property
    def knows_all(self) -> bool:
        """Whether duplicates were looked for among all rows."""
        return len(self.marks) < _REMEMBERED

    def complain(self, reason: Reason, file: str, fault: Fault, rows: int = 1) -> None:
        """Note something that is true of so many rows."""
        if self.found[reason] < _SHOWN:
            self.complaints.append(Complaint(reason, file, *fault))
        self.found[reason] = min(self.found[reason] + rows, self.rows)

    def tell(self, reason: Reason, file: str, line: int, place: str, message: str) -> None:
        """Note something about one row, with the hint that is always given for it."""
        self.complain(reason, file, Fault(line, place, message, HINTS[reason]))


def in_both(train: Report, held_out: Report) -> int:
    """Held-out rows that are also trained on: what they measure is memory."""
    return len(train.marks & held_out.marks)


def asked_in_both(train: Report, held_out: Report) -> int:
    """Held-out rows whose question is trained on, with the same answer or another."""
    return sum(held_out.times[question] for question in train.met)
