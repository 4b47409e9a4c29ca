"""How far a run on Modal has been followed, kept so that nothing is doubled and nothing lost.

What a run says comes line by line from its feed on the volume and is appended to train.log and
events.jsonl; then `modal.json` says up to where. A follower that is killed in between finds, when
it begins again, more in the two files than `modal.json` knows of: exactly what it is about to
append, for the same lines come again. So much is passed over.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ftui import paths
from ftui.runs.model import Run

FILE = "modal.json"
MARK = b"@ftui "
"""Begins a line of the feed that is an event (modal_app.py)."""


@dataclass(frozen=True)
class Position:
    """Where the follower stands. Sizes and offsets are bytes."""

    call: str = ""
    """The call that is followed, and the function that it calls."""
    function: str = ""
    segment: int = 0
    """The newest file of the feed that was read, `feed/00001`."""
    offset: int = 0
    """How much of it was taken in."""
    log_size: int = 0
    events_size: int = 0
    told: str = ""
    """The last word on the run's state that was written to the log."""


@dataclass
class Taken:
    """What came out of some lines of the feed."""

    log: bytes = b""
    """Whole lines, each with its newline."""
    events: list[bytes] = field(default_factory=list)
    """Lines for events.jsonl, without their newlines."""


def taken(lines: Sequence[bytes]) -> Taken:
    """The lines of the feed, those that are events apart."""
    found, log = Taken(), []
    for line in lines:
        text = line.removeprefix(MARK)
        if text != line and _is_object(text):
            found.events.append(text)
        else:
            log.append(line + b"\n")
    found.log = b"".join(log)
    return found


def _is_object(text: bytes) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def read(run: Run) -> Position:
    """The position of a run; the beginning where none is known."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        raw: Any = json.loads((run.folder / FILE).read_text(encoding="utf-8"))
        return Position(**raw)
    return Position(log_size=_size(run.log_file), events_size=_size(run.events_file))


def write(run: Run, position: Position) -> None:
    """Keep a position. Raises OSError."""
    paths.write_atomic(run.folder / FILE, json.dumps(asdict(position), indent=1) + "\n")


class Sink:
    """Appends to train.log and events.jsonl from a position on. Making one raises OSError."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.position = read(run)
        write(run, self.position)
        self._log_ahead = _after(run.log_file, self.position.log_size)
        lines = _after(run.events_file, self.position.events_size).split(b"\n")
        self._events_ahead = Counter(line for line in lines if line)

    def append(self, new: Taken, **known: Any) -> None:
        """Append what was taken, then keep the position with what is known besides.

        Raises OSError; then nothing was kept, and the same may be appended again.
        """
        self._append_log(new.log)
        self._append_events(new.events)
        self.keep(**known)

    def note(self, words: str) -> None:
        """Append a line of ftui's own to the log. Raises OSError."""
        if not self._log_ahead:  # else what is to be passed over would not be known again
            self.append(Taken(words.encode() + b"\n"))

    def keep(self, **known: Any) -> None:
        """Keep the position, with what is known besides. Raises OSError."""
        position = replace(
            self.position,
            log_size=_size(self._run.log_file) - len(self._log_ahead),
            events_size=_size(self._run.events_file),
            **known,
        )
        if self._events_ahead:  # they are still to come, and to be passed over
            position = replace(position, events_size=self.position.events_size)
        write(self._run, position)
        self.position = position

    def _append_log(self, data: bytes) -> None:
        passed = min(len(self._log_ahead), len(data))
        if data[:passed] != self._log_ahead[:passed]:  # a note of ftui, that is there once more
            passed, self._log_ahead = 0, b""
        self._log_ahead = self._log_ahead[passed:]
        if data[passed:]:
            _append(self._run.log_file, data[passed:])

    def _append_events(self, lines: list[bytes]) -> None:
        new = []
        for line in lines:
            if self._events_ahead[line] > 0:
                self._events_ahead -= Counter([line])
            else:
                new.append(line + b"\n")
        if new:
            self._events_ahead.clear()  # others were not ours: a stop that was asked for
            torn = _ends_torn(self._run.events_file)
            _append(self._run.events_file, (b"\n" if torn else b"") + b"".join(new))


def _append(file: Path, data: bytes) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        while data:
            data = data[os.write(handle, data) :]
    finally:
        os.close(handle)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _after(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(size)
            return file.read()
    except FileNotFoundError:
        return b""


def _ends_torn(file: Path) -> bool:
    size = _size(file)
    if not size:
        return False
    with file.open("rb") as opened:
        opened.seek(size - 1)
        return opened.read(1) != b"\n"
