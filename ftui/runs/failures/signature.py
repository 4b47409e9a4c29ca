"""A failure signature: how a known failure looks in a log, what it means, and what mends it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ftui.plan.plan import Settings
from ftui.runs.failures.cause import Cause
from ftui.text import printable, shorten

_LONGEST_GROUP = 120


@dataclass(frozen=True)
class Trial:
    """What was tried: the run's axolotl settings, and the number of GPUs it ran on (0 = a CPU)."""

    settings: Settings
    gpus: int = 0
    is_elsewhere: bool = False
    """Whether on another machine."""


@dataclass(frozen=True)
class Change:
    """What to set differently in the next try: dotted places and their values, and why it helps.

    None as a value takes the key out.
    """

    settings: Mapping[str, Any]
    reason: str
    resumes: bool = True
    """Whether the next try can go on from a checkpoint of this one. A learning rate, for one, is
    kept in the checkpoint: to resume with a new one changes nothing."""


Fix = Callable[[Trial], Change | None]
"""What to change after this trial; None where there is nothing left to change in this way."""


@dataclass(frozen=True)
class Signature:
    """One known failure.

    `pattern` is searched for in the text of the log, `^` and `$` at each line's ends. Its named
    groups are what `what` (a format text) says in words; all of them must take part in a match.
    """

    name: str
    cause: Cause
    pattern: str
    what: str
    why: str
    hint: str
    fixes: tuple[Fix, ...] = field(default=())
    """In the order in which they are to be tried: the first one with something to change counts."""
    echo: bool = False
    """Said by a launcher about its child, or by the other processes of a run when one has failed:
    it counts only where nothing else is said."""

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The pattern, compiled once."""
        return re.compile(self.pattern, re.MULTILINE)

    def says(self, match: re.Match[str]) -> str:
        """`what` for people, with what the log said."""
        return self.what.format_map(
            {name: _shown(text) for name, text in match.groupdict().items()}
        )

    def change(self, trial: Trial) -> Change | None:
        """What to set differently next time, or None where no setting mends it."""
        changes = (fix(trial) for fix in self.fixes)
        return next((change for change in changes if change is not None), None)


def _shown(text: str | None) -> str:
    return shorten(printable(text or "").rstrip("."), _LONGEST_GROUP)
