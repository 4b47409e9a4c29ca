"""What can be asked of a rented machine beside the plan: its GPU, and what ends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ftui.plan.plan import Plan
from ftui.plan.step import Field


@dataclass(frozen=True)
class Wish:
    """One thing that a target can be asked for (`--machine NAME=VALUE`), which has a default."""

    name: str
    label: str
    help: str
    usual: str
    """The default, as people read it: `12h`, `any`."""
    check: Callable[[str], object]
    """Raises UsageError for a value that cannot be asked for."""
    of_gpu: bool = False
    """Whether it is about the GPU: nothing to ask where there is none."""
    wanted: Callable[[Plan], str] | None = None
    """What a plan or its preset wants in place of the default."""
    matters: Callable[[Plan], bool] = lambda plan: True
    """Whether there is anything to ask for such a plan."""

    def usual_for(self, plan: Plan) -> str:
        """What is asked for where a person says nothing."""
        return self.wanted(plan) if self.wanted is not None else self.usual


def wish_read_by(
    parse: Callable[[Mapping[str, str]], object], name: str, label: str, help: str, usual: str
) -> Wish:
    """A wish that a target's own reader of wishes judges."""
    return Wish(name, label, help, usual, lambda text: parse({name: text}), name == "gpu")


def wish_field(target: str, wish: Wish) -> Field:
    """A wish as an answer in the wizard, there while the plan's target is this one."""

    def read(plan: Plan) -> str:
        if plan.target != target or (wish.of_gpu and not plan.gpus):
            return ""
        if wish.name not in plan.machine and not wish.matters(plan):
            return ""
        return plan.machine.get(wish.name, wish.usual_for(plan))

    def write(plan: Plan, text: str) -> Plan:
        value = text.strip()
        others = {name: had for name, had in plan.machine.items() if name != wish.name}
        if value in ("", wish.usual_for(plan)):
            return replace(plan, machine=others)
        wish.check(value)
        return replace(plan, machine={**others, wish.name: value})

    return Field(f"{target}.{wish.name}", wish.label, wish.help, read, write)
