"""Text from outside (logs, model output, files), made safe to show in a terminal."""

from __future__ import annotations

import re
import time

# CSI and OSC sequences first (ECMA-48, with 7- and 8-bit introducers), then any other control
# character but newline and tab, then the bidirectional overrides that can reorder what is read.
_UNSAFE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
    r"|[\u202a-\u202e\u2066-\u2069]"
)


_DAY_SECONDS = 24 * 3600


def printable(text: str) -> str:
    """The text without terminal control codes; newlines and tabs stay."""
    return _UNSAFE.sub("", text)


def shorten(text: str, width: int) -> str:
    """One line of at most `width` characters, an ellipsis where something was cut."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: max(width - 1, 0)] + "…"


def counted(number: int, word: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{number} {word}{'' if number == 1 else 's'}"


_LAST_CLOCK = 253_370_764_800.0
"""The year 9999, in seconds since the epoch: from 10000 on a clock cannot be told."""


def clock(moment: float, form: str = "%H:%M") -> str:
    """When something is or was, for people: `14:05`; `2026-12-03 14:05` if a day or more from now.

    `moment`: in seconds since the epoch, whatever somebody sent. `form`: of the time of the day.
    """
    moment = min(max(0.0, moment), _LAST_CLOCK)  # the order makes no number the epoch, too
    day = "%Y-%m-%d " if abs(moment - time.time()) >= _DAY_SECONDS else ""
    return time.strftime(day + form, time.localtime(moment))


def duration(seconds: float) -> str:
    """A length of time for people: `48 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(max(seconds, 0))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(whole // 60, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
