"""The trainer's own last meaningful words, where no signature knows them."""

from __future__ import annotations

import re

from ftui.runs.failures.cause import Cause
from ftui.runs.failures.diagnosis import Diagnosis
from ftui.runs.failures.matching import where_it_ends
from ftui.runs.failures.story import Story
from ftui.runs.failures.table import SIGNATURES
from ftui.text import shorten

_LONGEST = 300

_EXCEPTION = re.compile(
    r"^(?P<name>[A-Za-z_][\w.]*(?:Error|Exception|Interrupt))\b(?::.*)?$", re.MULTILINE
)
_ECHOES = ("CalledProcessError", "ChildFailedError", "KeyboardInterrupt")
"""Said by a launcher about its child, or by a process that was told to stop: never the reason."""


def last_exception(story: Story) -> Diagnosis | None:
    """The last exception that ended a process, word for word."""
    found = None
    for match in _EXCEPTION.finditer(story.log.text, where_it_ends(story.log.text)):
        if not _is_echo(match):
            found = match
    if found is None:
        return None
    line = story.log.line_at(found.start())
    return Diagnosis(
        Cause.CRASHED,
        what=shorten(line.text.strip(), _LONGEST),
        why="the trainer's own words; ftui does not know this failure",
        evidence=line,
    )


def _is_echo(match: re.Match[str]) -> bool:
    """Whether it only repeats another process's failure."""
    if match["name"].rpartition(".")[2] in _ECHOES:
        return True
    return any(one.regex.search(match.group()) for one in SIGNATURES if one.echo)
