"""The end of a run's log as text to search in: bounded, without progress bars and rank prefixes."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ftui.text import printable

BYTES = 256 * 1024
"""How much of a log is read: more than eight processes' tracebacks."""

_BAR = re.compile(r"(?:^|(?<=\r))[^|\r\n]*\d%\|[^|\r\n]*\| *\d+/\d+ \[[^\]\r\n]*\]", re.MULTILINE)
"""A progress bar of tqdm: ` 93%|████| 28/30 [00:23<00:01, 1.2it/s]`."""
_DRAWN_OVER = re.compile(r"^\r+", re.MULTILINE)
_RANK = re.compile(r"^(?:\[rank\d+\]:[ \t]?)+", re.MULTILINE)
"""What torchrun puts before every line of a process: `[rank0]: `."""


@dataclass(frozen=True)
class LogLine:
    """One line of a log and where it is."""

    text: str
    number: int
    """Counted from 1 at the log's beginning; 0 when the log is too long to count its lines."""
    from_end: int
    """Counted from 1 at the log's last line."""


@dataclass(frozen=True)
class LogTail:
    """The last lines of a log, one text."""

    text: str
    from_start: bool = True
    """Whether the text begins where the log begins."""

    def line_at(self, offset: int) -> LogLine:
        """The line that holds the character at this offset of the text."""
        index = bisect_right(self._starts, offset) - 1
        end = self.text.find("\n", offset)
        text = self.text[self._starts[index] : end if end >= 0 else None]
        return LogLine(text, index + 1 if self.from_start else 0, len(self._starts) - index)

    @cached_property
    def _starts(self) -> list[int]:
        """Where each line begins."""
        return [0, *(match.end() for match in re.finditer("\n", self.text))]


def read_tail(path: Path, begin: int = 0) -> LogTail:
    """The end of a log, of what comes after its first `begin` bytes; empty when there is none.

    A last line without a newline counts: a process that is killed may leave one.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            start = max(size - BYTES, begin if begin <= size else 0)
            file.seek(start)
            data = file.read(BYTES)
    except OSError:
        return LogTail("")
    if start > begin:  # in the middle of a line
        data = data[data.find(b"\n") + 1 :]
    return LogTail(_plain(data.decode("utf-8", errors="replace")), from_start=start == 0)


def _plain(text: str) -> str:
    """Line by line what was said, whatever was drawn around it."""
    drawn = _DRAWN_OVER.sub("", _BAR.sub("", text.replace("\r\n", "\n"))).replace("\r", " ")
    return _RANK.sub("", printable(drawn)).rstrip("\n")
