"""The protocol of a target: what every place that can train has in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from ftui.errors import TargetUnavailable
from ftui.plan.hardware import Hardware
from ftui.plan.offer import Market
from ftui.plan.plan import Plan
from ftui.plan.wish import Wish
from ftui.runs.lock import Claim
from ftui.runs.model import Run
from ftui.runs.stop import Answer
from ftui.runtimes.find import Kind
from ftui.targets.endpoint import Endpoint, Phase
from ftui.targets.stored import Fetched, Heap


class NotStarted(TargetUnavailable):
    """The supervisor could not be started, or gave no sign of life: it may be at work on the run,
    and what there is to know is in the run's folder."""


@dataclass(frozen=True)
class Problem:
    """Why a plan cannot run on a target, and what would help."""

    what: str
    hint: str = ""
    key_hint: str = ""
    """What would help on the review, where a key does it; empty: the same."""


@dataclass(frozen=True)
class GoingOn:
    """Another try of a run, by who has claimed it to find out where it goes on."""

    claim: Claim
    checkpoint: str = ""
    """A folder, seen from the run folder: `out/checkpoint-120`; empty: it begins again."""
    told: Mapping[str, Any] = field(default_factory=dict)
    """What the event `launched` says of it."""


class Target(Protocol):
    """A place that trains: this machine, dstack, Modal."""

    name: str
    title: str
    """For people: `This machine`."""
    needs_runtimes: tuple[Kind, ...]
    """What a run needs on this machine, to be trained and to be talked with."""

    def hardware(self, plan: Plan | None = None) -> Hardware:
        """What the target offers, or the machine that it would rent for a plan.

        May take a moment (asks a driver), but no server.
        """
        ...

    def problems(self, plan: Plan) -> list[Problem]:
        """What keeps this plan from running here: no GPU, no runtime, no disk. Empty = it can."""
        ...

    def command(self, plan: Plan) -> tuple[str, ...]:
        """The exact command that will train, as a person could type it in the run folder."""
        ...

    def launch(self, run: Run, going_on: GoingOn | None = None) -> None:
        """Start the prepared run, detached from this process, or go on with one that has ended.

        Raises TargetUnavailable or RuntimeMissing, RunNotFound, and UsageError when the run is
        running already.
        """
        ...

    def stop(self, run: Run) -> Answer:
        """Ask the run to save and end, which returns at once; asked again, end it for good."""
        ...


@runtime_checkable
class Offering(Protocol):
    """A target whose machines are for hire, each at its price."""

    wishes: tuple[Wish, ...]
    """What can be asked of them."""

    def market(self, plan: Plan) -> Market:
        """The machines for a plan, whatever their memory, and what an hour costs.

        Asks a server, which may take seconds. Raises UsageError, TargetUnavailable.
        """
        ...

    def limits(self, plan: Plan) -> str:
        """What ends a run at the latest: `12 h, $20`. Asks nobody. Raises UsageError."""
        ...


@runtime_checkable
class Keeping(Protocol):
    """Whoever has the files of a run, and can tell which."""

    storage: str
    """For people: `the volume ftui-runs`."""

    def stored(self, run: Run) -> tuple[Heap, ...]:
        """What is kept of the run; nothing where there is none. Raises TargetUnavailable."""
        ...


@runtime_checkable
class Storing(Keeping, Protocol):
    """A target that keeps files of a run elsewhere, which can be brought home or removed there."""

    def fetch(self, run: Run, heap: Heap, on_bytes: Callable[[int], None]) -> Fetched:
        """Bring all of a heap into the run folder, or nothing, verified.

        `on_bytes` hears of each piece how long it is. Raises TargetUnavailable, OSError.
        """
        ...

    def discard(self, run: Run, heap: Heap) -> None:
        """Remove a heap where it is kept, for good.

        Raises UsageError while the run may be at work, TargetUnavailable.
        """
        ...


@runtime_checkable
class Serving(Protocol):
    """A target that can serve a run's base and tuned model on a machine of its own."""

    def serve(
        self, run: Run, on_phase: Callable[[Phase], None], hours: float
    ) -> AbstractAsyncContextManager[Endpoint]:
        """The endpoint, for as long as the context lasts and `hours` at most.

        The cap is written into the job itself; leaving the context ends it and sees to it that it
        has ended. Entering raises TargetUnavailable, RunFailed (nothing to serve, or vLLM
        refuses), TimedOut.
        """
        ...
