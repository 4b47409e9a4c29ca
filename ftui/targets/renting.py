"""What a target may do beside serving a run for a while: tell the price, and leave it in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ftui.runs.model import Run


@dataclass(frozen=True)
class Exported:
    """An endpoint that stays where it is until somebody ends it."""

    url: str
    """Of an OpenAI-compatible API, without `/v1`."""
    models: tuple[str, ...]
    """The names that are served."""
    machine: str
    """For people: `L4`."""
    dollars: float
    """Of an hour in which it answers, or waits to be asked again."""
    prices: str
    """Where that is from: `Modal's list of 2026-07-01`."""
    idle_seconds: float
    """After so long without a question it costs nothing, until the next one."""
    hours: float | None
    """It ends by itself after so many; None = never."""
    end: str
    """The target's own command that ends it."""
    log: str
    """The target's own command that shows what it prints."""


@runtime_checkable
class Priced(Protocol):
    """A target that tells what serving a run would cost."""

    def serving_terms(self, run: Run) -> str:
        """`L4 · $1.12/h`. May take a moment. Raises FtuiError where it cannot be served."""
        ...


@runtime_checkable
class Ending(Protocol):
    """A target on which an endpoint may be left, that it ends."""

    def end_export(self, run: Run, name: str) -> bool:
        """End an endpoint of the run, by its name there; whether there was one.

        Raises TargetUnavailable, TimedOut, UsageError (somebody uses it), OSError.
        """
        ...


@runtime_checkable
class Exporting(Ending, Protocol):
    """A target that can leave an endpoint in place."""

    def export(
        self, run: Run, key: str, hours: float | None, tell: Callable[[str], None]
    ) -> Exported:
        """Put it in place, or in place of an earlier one; `key` is asked of whoever uses it.

        Building takes minutes the first time; `tell` hears how it goes. It is noted among the
        run's endpoints (runs/endpoints.py) until end_export has seen it gone. Raises RunFailed
        where there is nothing to serve, TargetUnavailable, OSError.
        """
        ...
