"""Where to train, and on how many GPUs."""

from __future__ import annotations

import dataclasses

from ftui.errors import UsageError
from ftui.plan.plan import Plan
from ftui.plan.sharing import SHARING
from ftui.plan.step import Field, Option, Step, World
from ftui.text import counted

_MOST_GPUS = 64


def _options(plan: Plan, world: World) -> list[Option]:
    return [Option(target.name, target.title, target.words) for target in world.targets]


def _apply(plan: Plan, answer: str, world: World) -> Plan:
    if answer == plan.target:
        return plan
    names = [target.name for target in world.targets]
    if answer not in names:
        raise UsageError(f"there is no target {answer!r}", hint=f"There is {', '.join(names)}.")
    world.wished[plan.target] = plan.machine  # nobody else knows these wishes
    return dataclasses.replace(plan, target=answer, machine=world.wished.get(answer, {}))


def _explain(plan: Plan, answer: str, world: World) -> str:
    chosen = next(target for target in world.targets if target.name == answer)
    where = f"{chosen.title} trains" if chosen.hired is None else f"{chosen.title} rents a machine"
    return f"{where}. The run goes on when ftui is closed."


def _write_gpus(plan: Plan, text: str) -> Plan:
    if not (text.strip().isascii() and text.strip().isdigit()) or int(text) > _MOST_GPUS:
        raise UsageError(f"GPUs is a whole number from 0 to {_MOST_GPUS}", why=f"not {text!r}")
    return dataclasses.replace(plan, gpus=int(text))


def _gpu_words(plan: Plan) -> str:
    """`no GPU`, `2 GPUs`, `2 × H100`, `2 machines with 8 GPUs`."""
    if not plan.gpus:
        return "no GPU"
    named = plan.machine.get("gpu")
    gpus = f"{plan.gpus} × {named}" if named else counted(plan.gpus, "GPU")
    return f"{plan.machines} machines with {gpus}" if plan.machines > 1 else gpus


HARDWARE = Step(
    id="hardware",
    title="Hardware",
    question="Where should it run?",
    help="The place that trains (the target), how many of its GPUs, and how they share the work.",
    options=_options,
    current=lambda plan: plan.target,
    apply=_apply,
    summary=lambda plan: f"{plan.target}, {_gpu_words(plan)}",
    explain=_explain,
    fields=(
        Field(
            "gpus",
            "GPUs",
            "How many GPUs of a machine train together; 0 where there is none.",
            lambda plan: str(plan.gpus),
            _write_gpus,
        ),
        SHARING,
    ),
    more_fields=lambda world: [field for target in world.targets for field in target.fields],
)
