"""What a target adds to the folder of a prepared run, so that it works without ftui."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from ftui.errors import ConfigError, FtuiError, UsageError
from ftui.plan.plan import Plan
from ftui.runs.cleanup import remove_unstarted
from ftui.runs.model import Run
from ftui.targets import get


@runtime_checkable
class Documented(Protocol):
    """A target with machines to choose from, and files of its own, such as train.dstack.yml."""

    def check(self, machine: Mapping[str, str]) -> None:
        """Raises UsageError for what cannot be asked of a machine."""
        ...

    def write(self, run: Run, plan: Plan) -> None:
        """Write the files. Raises ConfigError, UsageError, RunNotFound, TargetUnavailable."""
        ...


def check_machine(plan: Plan) -> Plan:
    """The plan itself. Raises UsageError for what cannot be asked of the target's machines."""
    target = get(plan.target)
    if isinstance(target, Documented):
        target.check(plan.machine)
    elif plan.machine:
        raise UsageError(
            f"--machine is for rented machines, and the target is {plan.target}",
            hint="add --target dstack or --target modal",
        )
    return plan


def write_documents(run: Run, plan: Plan) -> None:
    """Write what the run's target adds to its folder; where that is refused, the folder goes.

    Raises what the target's `write` does.
    """
    target = get(plan.target)
    if not isinstance(target, Documented):
        return
    try:
        target.write(run, plan)
    except FtuiError as error:
        if not isinstance(error, ConfigError):  # which says where in the folder's config it is
            remove_unstarted(run)
        raise
