"""The protocol of a target: what every place that can train has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ftui.plan.hardware import Hardware
from ftui.plan.plan import Plan
from ftui.runs.model import Run
from ftui.runs.stop import Answer


@dataclass(frozen=True)
class Problem:
    """Why a plan cannot run on a target, and what would help."""

    what: str
    hint: str = ""
    key_hint: str = ""
    """What would help on the review, where a key does it; empty: the same."""


class Target(Protocol):
    """A place that trains: this machine, dstack, Modal."""

    name: str
    title: str
    """For people: `This machine`."""

    def hardware(self) -> Hardware:
        """What the target offers. May take a moment (asks a driver or a server)."""
        ...

    def problems(self, plan: Plan) -> list[Problem]:
        """What keeps this plan from running here: no GPU, no runtime, no disk. Empty = it can."""
        ...

    def command(self, plan: Plan) -> tuple[str, ...]:
        """The exact command that will train, as a person could type it in the run folder."""
        ...

    def launch(self, run: Run, checkpoint: str = "") -> None:
        """Start the prepared run, detached from this process, or go on with it from a checkpoint.

        The checkpoint is a folder, seen from the run folder: `out/checkpoint-120`. Raises
        TargetUnavailable or RuntimeMissing, and UsageError when the run is running already.
        """
        ...

    def stop(self, run: Run) -> Answer:
        """Ask the run to save and end, which returns at once; asked again, end it for good."""
        ...
