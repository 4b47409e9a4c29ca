"""What is known of why a run ended badly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ftui.config.edit import Drop, Edit, Put
from ftui.plan.places import steps
from ftui.runs.failures.cause import Cause
from ftui.runs.failures.log_tail import LogLine


@dataclass(frozen=True)
class Diagnosis:
    """Why a run ended badly, in words for people, with what to do about it."""

    cause: Cause
    what: str
    """What happened: one sentence, small at the beginning, no full stop."""
    why: str = ""
    """What lies behind it, for somebody to whom it is new."""
    hint: str = ""
    """What to do next; a person's work, where `changes` is nothing."""
    evidence: LogLine | None = None
    """The line of the log that says so; None where something else does."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Settings that mend it: dotted place -> value, None = take the key out. Empty: none does."""
    reason: str = ""
    """What the changes do."""
    resumes: bool = True
    """Whether a next try can go on from the newest checkpoint."""
    bad_since: int | None = None
    """The first step whose numbers may be lost: checkpoints from there on hold them, too."""
    signature: str = ""
    """The name of the failure signature that matched; empty = none did."""

    @property
    def words(self) -> str:
        """One line: what happened and what to do."""
        advice = self.advice
        return f"{self.what}. {advice[0].upper()}{advice[1:]}" if advice else self.what

    @property
    def advice(self) -> str:
        """One line on what to do next: the changes where there are some, else the hint."""
        if not self.changes:
            return self.hint
        wanted = ", ".join(_wanted(place, value) for place, value in self.changes.items())
        return f"set {wanted}: {self.reason}"

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The changes as edits of a config, for `ftui.config.edit_text.apply_edits`."""
        return tuple(
            Drop(steps(place)) if value is None else Put(steps(place), value)
            for place, value in self.changes.items()
        )


def _wanted(place: str, value: Any) -> str:
    if value is None:
        return f"no {place}"
    return f"{place}: {str(value).lower() if isinstance(value, bool) else value}"
