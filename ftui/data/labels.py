"""The labels of rated answers: KTO learns from good answers and bad ones beside each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ftui.data.judge import Reason
from ftui.data.row import Group
from ftui.data.watch import Notice

_COLUMN = "label"
_HINT = "add rows of the other label, or train on the good ones alone, without rl: kto"


class Labels:
    """Watches rows that say of an answer whether it is a good one."""

    def __init__(self) -> None:
        self._found: Counter[bool] = Counter()
        self._first = (1, "")
        """The line and the file of the first label."""

    def look(self, file: str, group: Group, columns: frozenset[str]) -> Iterator[Notice]:
        """Count the labels."""
        labels = [row.get(_COLUMN) for row in group.rows]
        if not self._found and group.rows:
            self._first = group.lines[0], file
        self._found.update(label for label in labels if type(label) is bool)
        return iter(())

    def end(self) -> Iterator[Notice]:
        """Notice that all of several rows have the same one."""
        if len(self._found) != 1:
            return
        [(label, count)] = self._found.items()
        if count > 1:
            words = f"label is {str(label).lower()} in each of the {count:,} rows"
            line, file = self._first
            yield Notice(Reason.ONE_LABEL, line, _COLUMN, words, _HINT, count, file)
