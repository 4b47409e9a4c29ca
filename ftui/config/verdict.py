"""One verdict on a config out of two: what ftui's linter says, and what axolotl itself says."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ftui.config.issue import Issue
from ftui.plan.places import is_index, steps

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STUMBLED = "axolotl cannot read this config"
"""How the worker begins where axolotl fell over a value instead of complaining of it."""


def merge(ours: Sequence[Issue], axolotls: Sequence[Issue]) -> list[Issue]:
    """Both opinions in the order of the lines, nothing told twice.

    ftui's words win: axolotl's error goes where one of ours is at the same key, inside it or
    around it, or where one speaks of the other's key. axolotl stops at its first error, so what
    goes too much comes back once ours is mended.
    """
    news = [issue for issue in axolotls if not any(_same(issue, known) for known in ours)]
    return sorted([*ours, *news], key=lambda issue: (issue.line, issue.path))


def _same(theirs: Issue, known: Issue) -> bool:
    if theirs == known:
        return True
    if theirs.severity != known.severity or not known.path:
        return False
    if theirs.severity == "warning":
        return theirs.path == known.path
    if _speaks_of(theirs.message, known.path) or theirs.message.startswith(_STUMBLED):
        return True
    return bool(theirs.path) and (
        inside(theirs.path, known.path)
        or inside(known.path, theirs.path)
        or _speaks_of(known.message, theirs.path)
    )


def inside(path: str, place: str) -> bool:
    """Whether a dotted path leads to a place, or further into it."""
    return path == place or path.startswith(f"{place}.")


def _speaks_of(message: str, path: str) -> bool:
    """Whether the key at a path is a word of the message. Each item of a list has the same keys."""
    names = steps(path)
    return not any(map(is_index, names)) and names[-1] in _KEY.findall(message)
