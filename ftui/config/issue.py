"""One thing to say about a config."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ftui.config.edit import Edit


@dataclass(frozen=True)
class Issue:
    """A problem at one key: `path` as in `datasets.0.type`; `line` counts from 1, 0 = none."""

    severity: Literal["error", "warning"]
    path: str
    line: int
    message: str
    hint: str = ""
    edits: tuple[Edit, ...] = field(default=(), compare=False)
    """What mends it, where there is one way only."""

    def document(self) -> dict[str, str | int]:
        """As `ftui check --json` tells it."""
        return {
            "severity": self.severity,
            "path": self.path,
            "line": self.line,
            "message": self.message,
            "hint": self.hint,
        }


def error_count(issues: Iterable[Issue]) -> int:
    """How many of the issues are errors."""
    return sum(issue.severity == "error" for issue in issues)
