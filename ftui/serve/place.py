"""Where a run's model is served: on this machine, or on one of a target that rents machines."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from ftui.errors import FtuiError, UsageError
from ftui.runs import endpoints
from ftui.runs.model import Run
from ftui.serve.server import serve_run
from ftui.targets import TARGETS, get
from ftui.targets.base import Serving
from ftui.targets.endpoint import Endpoint, Phase
from ftui.targets.local import LocalTarget
from ftui.targets.renting import Ending, Priced
from ftui.targets.vllm import log
from ftui.text import duration, printable

HOURS = 1.0
"""A rented machine is given back after so many hours, whoever still talks to it."""

Serve = Callable[[Run, Callable[[Phase], None]], AbstractAsyncContextManager[Endpoint]]
"""Starts a server, tells how far it is, and ends it when the context is left."""


@dataclass(frozen=True)
class Where:
    """A target that serves, and for how many hours at most, where it rents a machine for that.

    Raises UsageError for a target that there is not.
    """

    name: str = LocalTarget.name
    hours: float = HOURS

    def __post_init__(self) -> None:
        get(self.name)

    @property
    def rents(self) -> bool:
        """Whether it costs something."""
        return isinstance(get(self.name), Serving)

    @property
    def serve(self) -> Serve:
        """How a run is served there."""
        target = get(self.name)
        if isinstance(target, Serving):
            return lambda run, on_phase: target.serve(run, on_phase, self.hours)
        return serve_run

    def terms(self, run: Run) -> str:
        """`Modal · L4 · $1.12/h · ends after 1 h`, before anything is rented. Raises FtuiError."""
        target = get(self.name)
        price = f" · {target.serving_terms(run)}" if isinstance(target, Priced) else ""
        return f"{target.title}{price} · ends after {duration(self.hours * 3600)}"


def last_words(log_file: Path | None) -> str:
    """What a target said of the end of its machine: `ended after $0.42`; nothing where none did."""
    said = log.read(log_file) if log_file is not None else ""
    name, colon, words = said.rstrip().rpartition("\n")[2].partition(": ")
    return printable(words) if colon and name in TARGETS else ""


def end_left(run: Run, tell: Callable[[str], None]) -> None:
    """End every endpoint that was left in place, each told once it is gone.

    One that cannot be ended keeps none of the others. Raises UsageError where there is none,
    TargetUnavailable, TimedOut, OSError: the first of what went wrong.
    """
    found = endpoints.left(run)
    if not found:
        hint = f"ftui export {run.name} --serve modal puts one in place"
        raise UsageError("it has no endpoint that was left in place", where=run.name, hint=hint)
    wrong: list[FtuiError | OSError] = []
    for served in found:
        try:
            tell(_ended(run, served))
        except (FtuiError, OSError) as error:
            wrong.append(error)
    if wrong:
        raise wrong[0]


def _ended(run: Run, served: endpoints.Served) -> str:
    """End it; what is told of that. Raises FtuiError, OSError."""
    target = get(served.target)
    if not isinstance(target, Ending):
        raise UsageError(f"{served.target} ends no endpoint", where=served.name)
    there = target.end_export(run, served.name)
    words = "has ended, and costs nothing more" if there else "had ended already"
    return f"the endpoint of {run.name} on {target.title} {words}"
