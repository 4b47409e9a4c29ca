"""Following files that grow: a run's events and its log. Nothing is read twice."""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

from ftui.runs.events import Event, parse
from ftui.runs.history import History
from ftui.runs.model import Run
from ftui.text import printable

_BLOCK = 64 * 1024

_BAR = re.compile(r"[^|]*\d%\|[^|]*\| *\d+/\d+ \[[^\]]*\](?=.)")
"""A progress bar that something was printed right behind: ` 93%|████| 28/30 [00:23<00:01, …]`."""


class EventFollower:
    """The events of a run, from the first one on. Torn and foreign lines are passed over."""

    def __init__(self, run: Run) -> None:
        self._lines = _LineFollower(run.events_file)

    def poll(self) -> list[Event]:
        """The events that came since the last call; none when the file is not there yet.

        Raises OSError when the file cannot be read.
        """
        events = (parse(line) for line in self._lines.poll())
        return [event for event in events if event is not None]


def read_history(run: Run) -> History:
    """All that a run's events say so far."""
    history = History()
    history.extend(EventFollower(run).poll())
    return history


class LogFollower:
    """The lines of train.log as a terminal would leave them, safe to show."""

    def __init__(self, run: Run, last_lines: int | None = None) -> None:
        """Begin at the first line, or with the last `last_lines` (cheap for a big log)."""
        self._lines = _LineFollower(run.log_file)
        if last_lines is not None:
            self._lines.offset = _offset_of_last(run.log_file, last_lines)

    def poll(self) -> list[str]:
        """The whole lines that came since the last call. Raises OSError."""
        return [printable(_last_segment(line)) for line in self._lines.poll()]


class _LineFollower:
    """Whole lines of a growing file; what follows the last newline waits for its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.offset = 0

    def poll(self) -> list[str]:
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return []
        with file:
            if file.seek(0, 2) < self.offset:  # the file was cut: it is a new one
                self.offset = 0
            file.seek(self.offset)
            data = file.read()
        end = data.rfind(b"\n") + 1
        self.offset += end
        return data[:end].decode("utf-8", errors="replace").split("\n")[:-1]


def _last_segment(line: str) -> str:
    """What a line shows in the end: progress bars write over themselves with carriage returns."""
    if "\r" not in line:
        return line
    segments = [segment for segment in line.split("\r") if segment.strip()]
    return _BAR.sub("", segments[-1], count=1) if segments else ""


def _offset_of_last(path: Path, lines: int) -> int:
    """Where the last `lines` whole lines begin, found by reading backwards."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return 0
    with file:
        return _scan_back(file, lines)


def _scan_back(file: BinaryIO, lines: int) -> int:
    position = file.seek(0, 2)
    missing = lines + 1  # newlines: one ends each line, one ends the line before them
    while position > 0:
        size = min(_BLOCK, position)
        position -= size
        file.seek(position)
        block = file.read(size)
        found = block.count(b"\n")
        if found >= missing:
            at = len(block)
            for _ in range(missing):
                at = block.rfind(b"\n", 0, at)
            return position + at + 1
        missing -= found
    return 0
