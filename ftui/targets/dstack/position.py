"""How far a run on dstack has been followed, kept so that nothing is doubled and nothing lost.

What a job prints comes piece by piece from the server and is appended to train.log and
events.jsonl; then `dstack.json` says up to where. A follower that is killed in between finds, when
it begins again, more in the two files than `dstack.json` knows of: exactly what it is about to
append, for the same pieces give the same lines. So much is passed over.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections import Counter
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from ftui import paths
from ftui.runs.model import Run
from ftui.runs.tail import read_history
from ftui.targets.dstack.lines import Taken

FILE = "dstack.json"


@dataclass(frozen=True)
class Position:
    """Where the follower stands. Sizes are bytes."""

    submission: str = ""
    """The try that is followed: dstack's id of its job submission."""
    after: str = ""
    """The time of the newest piece that was taken in; empty = none."""
    rest: str = ""
    """What waits for the end of its line, in base64."""
    log_size: int = 0
    events_size: int = 0
    ready: int | None = None
    """The trainer's exit code, once its results wait in the container."""
    fetched: bool = False
    """Whether they are here, and verified."""
    before: float = 0.0
    """Dollars of the launches before this one."""
    told: str = ""
    """The last word on the run's state that was written to the log."""


def read(run: Run) -> Position:
    """The position of a run; the beginning where none is known."""
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
        raw: Any = json.loads((run.folder / FILE).read_text(encoding="utf-8"))
        known = {one.name for one in fields(Position)}
        return Position(**{name: value for name, value in raw.items() if name in known})
    cost = read_history(run).cost
    return Position(
        log_size=_size(run.log_file),
        events_size=_size(run.events_file),
        before=cost.dollars if cost else 0.0,
    )


def write(run: Run, position: Position) -> None:
    """Keep a position. Raises OSError."""
    paths.write_atomic(run.folder / FILE, json.dumps(asdict(position), indent=1) + "\n")


def rest_of(position: Position) -> bytes:
    """What waits for the end of its line."""
    return base64.b64decode(position.rest)


def encoded(rest: bytes) -> str:
    """The same, as a position keeps it."""
    return base64.b64encode(rest).decode("ascii")


class Sink:
    """Appends to train.log and events.jsonl from a position on. Making one raises OSError."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.position = read(run)
        for draft in run.folder.glob(f".{FILE}.*"):  # of a follower that was killed
            draft.unlink()
        write(run, self.position)
        self._log_ahead = _after(run.log_file, self.position.log_size)
        self._known = set(_lines(run.events_file, 0))
        self._events_ahead = Counter(_lines(run.events_file, self.position.events_size))
        """Events that are in the file before the server had them, or while they were not kept."""

    def append(self, taken: Taken, **known: Any) -> None:
        """Append what was taken, then keep the position with what is known besides.

        Raises OSError; then nothing was kept, and the same may be appended again.
        """
        self._append_log(taken.log)
        self._append_events(taken.events)
        self.keep(**known)

    def append_live(self, event: bytes) -> None:
        """Append an event that the server has not told yet; it will, and then it is passed over.

        Raises OSError.
        """
        if event not in self._known:
            self._append_events([event])
            self._events_ahead[event] += 1

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
                self._known.add(line)
        if new:
            torn = _ends_torn(self._run)
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


def _lines(path: Path, size: int) -> list[bytes]:
    return [line for line in _after(path, size).split(b"\n") if line]


def _ends_torn(run: Run) -> bool:
    size = _size(run.events_file)
    if not size:
        return False
    with run.events_file.open("rb") as file:
        file.seek(size - 1)
        return file.read(1) != b"\n"
