"""Whether the targets that rent machines answer the person: for `ftui doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from ftui.errors import TargetUnavailable
from ftui.runtimes.doctor import Finding
from ftui.targets import TARGETS


@runtime_checkable
class Reachable(Protocol):
    """A target that is asked over a network, with a login of the person's."""

    name: str

    def reach(self) -> str:
        """Ask it something; the evidence that it answers, and whose login that was. Empty where
        there is no login. Raises TargetUnavailable."""
        ...


def examine() -> Iterator[Finding]:
    """What became of asking each; no login is no fault."""
    for make in TARGETS.values():
        target = make()
        if isinstance(target, Reachable):
            yield _finding(target)


def _finding(target: Reachable) -> Finding:
    try:
        evidence = target.reach()
    except TargetUnavailable as error:
        return Finding(target.name, False, str(error), error.hint)
    return Finding(target.name, True, evidence or "not logged in: nothing is rented there")
