"""What a launch or a write is refused for, as the error that says what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ftui.errors import ConfigError, TargetUnavailable
from ftui.text import counted

if TYPE_CHECKING:
    from ftui.targets.base import Problem


def refuse_errors(errors: int, done: str) -> None:
    """Raise ConfigError for a config with errors; it is not `done` then."""
    if errors:
        raise ConfigError(
            f"not {done}: the config has {counted(errors, 'error')}",
            hint="e opens it in your editor; esc goes back to the questions",
        )


def refuse_what_cannot_run(blocks: str, problems: Sequence[Problem]) -> None:
    """Raise ConfigError for data that teach nothing, TargetUnavailable for what the target lacks.

    `blocks` says why a run would be for nothing.
    """
    if blocks:
        raise ConfigError(
            "not launched: the run would be for nothing", why=blocks, hint="v shows the data"
        )
    if problems:
        raise TargetUnavailable(
            f"not launched: {problems[0].what}", hint=problems[0].key_hint or problems[0].hint
        )
