"""From the pieces of a terminal's output to whole lines, with ftui's own taken out of them.

A piece may end in the middle of a line or of a character. A progress bar has no end of line, so an
event may follow it on the same one: what stood before the event goes on with the next line.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from ftui.targets.dstack.job_script import MARK, READY

_MARK, _READY = MARK.encode(), READY.encode()


@dataclass
class Taken:
    """What came out of some pieces."""

    log: bytes = b""
    """Whole lines, each with its newline."""
    events: list[bytes] = field(default_factory=list)
    """Lines for events.jsonl, without their newlines."""
    ready: int | None = None
    """The trainer's exit code, once its results can be fetched."""


class Lines:
    """Takes pieces in. `rest` is what waits for the end of its line, and all the state there is."""

    def __init__(self, rest: bytes = b"") -> None:
        self.rest = rest

    def feed(self, data: bytes) -> Taken:
        """What is whole by now."""
        taken, log = Taken(), []
        *whole, self.rest = (self.rest + data).split(b"\n")
        before = b""
        for line in whole:
            text = before + line
            before = b""
            begin = text.find(_MARK)
            if begin < 0 or not self._own(text[begin + len(_MARK) :].rstrip(b"\r"), taken):
                log.append(text.rstrip(b"\r") + b"\n")
            else:
                before = text[:begin].rpartition(b"\r")[2]
        self.rest = before + self.rest
        taken.log = b"".join(log)
        return taken

    def end(self) -> bytes:
        """The last line, where the output ended without a newline."""
        rest, self.rest = self.rest.rstrip(b"\r"), b""
        return rest + b"\n" if rest.strip() else b""

    def _own(self, text: bytes, taken: Taken) -> bool:
        """Whether it is ftui's own; then it is taken."""
        if text.startswith(_READY) and text[len(_READY) :].isdigit():
            taken.ready = int(text[len(_READY) :])
            return True
        try:
            event = json.loads(text)
        except ValueError:
            return False
        if not isinstance(event, dict):
            return False
        taken.events.append(text)
        return True
