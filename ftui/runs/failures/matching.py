"""Which signature tells how a log ends."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ftui.runs.failures.log_tail import LogLine, LogTail
from ftui.runs.failures.signature import Signature

_METRICS = re.compile(r"^ *\{'(?:loss|eval_loss)': ", re.MULTILINE)
_OVERCOME = 2
"""So many lines of metrics after it, and training went on: it did not end the run. One may come
from another process that had not noticed yet."""


@dataclass(frozen=True)
class Found:
    """A signature, where the log matches it, and what it says there."""

    signature: Signature
    says: str
    line: LogLine


def find(tail: LogTail, signatures: Iterable[Signature], *, echoes: bool = False) -> Found | None:
    """The signature that matches last; `echoes` = one of those that only repeat a failure."""
    begin = where_it_ends(tail.text)
    best: tuple[int, Signature, re.Match[str]] | None = None
    for signature in signatures:
        match = _last(signature, tail.text, begin) if signature.echo == echoes else None
        if match and (best is None or match.end() > best[0]):
            best = (match.end(), signature, match)
    if best is None:
        return None
    _, signature, match = best
    return Found(signature, signature.says(match), tail.line_at(match.start()))


def where_it_ends(text: str) -> int:
    """Where the part of a log begins that can say why it ended: after what was overcome."""
    metrics = [match.start() for match in _METRICS.finditer(text)]
    return metrics[-_OVERCOME] if len(metrics) >= _OVERCOME else 0


def _last(signature: Signature, text: str, begin: int) -> re.Match[str] | None:
    found = None
    for found in signature.regex.finditer(text, begin):  # noqa: B007  # the last one is wanted
        pass
    return found
