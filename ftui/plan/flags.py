"""The command line's answers: the wizard's own steps, answered by flags."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ftui.data.dataset import Undecided
from ftui.errors import UsageError
from ftui.plan.overrides import apply_override
from ftui.plan.own_config import open_config
from ftui.plan.plan import Plan
from ftui.plan.presets import find
from ftui.plan.step_data import put_off
from ftui.plan.steps import World, begin, step

DEFAULT_PRESET = "nano-sql-lora"


def plan_from_flags(
    world: World,
    *,
    preset: str | None,
    config: str | None,
    data: str | None = None,
    held_out: str | None = None,
    target: str | None = None,
    gpus: str | None = None,
    overrides: Sequence[str] = (),
    machine: Sequence[str] = (),
    ask: bool = False,
) -> Plan:
    """The plan that the flags describe: `--preset` or `--config`, `--data`, `--held-out`, …

    With `ask` a person is there who can say what the rows of the dataset are: see `to_ask`.

    Raises PresetError, ConfigError, DatasetError or UsageError for what cannot be taken.
    """
    if preset is not None and config is not None:
        raise UsageError("--preset and --config both say where to start: give one of them")
    start = open_config(Path(config)) if config is not None else find(preset or DEFAULT_PRESET)
    plan = begin(start, world.hardware)
    for override in overrides:  # rows are read for the kind of training that is asked for
        if override.partition("=")[0].strip() == "rl":
            plan = apply_override(plan, override)
    if held_out is not None:
        _refuse_two_answers(overrides)
    for name, answer, beside in (("data", data, held_out), ("hardware", target, gpus)):
        if answer is not None:
            plan = _answered(name, plan, answer, world, ask=ask)
        if beside is not None:
            field = step(name).fields[0]
            plan = field.taken(plan, beside, world)
    for override in overrides:
        plan = apply_override(plan, override)
    _refuse_a_long_warm_up(plan, overrides)
    return _with_machine(plan, dict(_pairs(machine)), counted=gpus is not None)


def _refuse_two_answers(overrides: Sequence[str]) -> None:
    """Raises UsageError when --set says what --held-out says, too."""
    for override in overrides:
        key = override.partition("=")[0].strip().partition(".")[0]
        if key in ("val_set_size", "test_datasets"):
            raise UsageError(
                f"--held-out and --set {key} both say what is held out: give one of them"
            )


def _pairs(wishes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """`gpu=A100`, taken apart, each once. Raises UsageError."""
    seen = set()
    for wish in wishes:
        name, equals, value = (part.strip() for part in wish.partition("="))
        if not equals or not name:
            raise UsageError(f"--machine {wish}: this is no KEY=VALUE", hint="--machine gpu=A100")
        if name in seen:
            raise UsageError(f"--machine {name} is given twice", hint="give one of them")
        seen.add(name)
        yield name, value


def _with_machine(plan: Plan, machine: Mapping[str, str], *, counted: bool) -> Plan:
    """The plan on that machine; who names a GPU wants one, unless `counted` says how many.

    Raises UsageError for a GPU of which none is wanted.
    """
    asked = dataclasses.replace(plan, machine=machine)
    if not machine.get("gpu") or plan.gpus:
        return asked
    if counted:
        raise UsageError(f"--machine gpu={machine['gpu']} and --gpus 0", hint="--gpus 1")
    return dataclasses.replace(asked, gpus=1)


def _answered(name: str, plan: Plan, answer: str, world: World, *, ask: bool) -> Plan:
    try:
        return step(name).apply(plan, answer, world)
    except Undecided:
        if not ask:
            raise
        return put_off(plan, answer)


def _refuse_a_long_warm_up(plan: Plan, overrides: Sequence[str]) -> None:
    """Raise UsageError for a shorter run without a shorter warm-up, with the flag that mends it.

    A preset's warm-up is made for its own length; to change it unasked would be a surprise.
    """
    named = {override.partition("=")[0].strip() for override in overrides}
    run, warm_up = plan.get("max_steps"), plan.get("warmup_steps")
    if "max_steps" not in named or "warmup_steps" in named:
        return
    if type(run) is int and type(warm_up) is int and warm_up >= run > 0:
        raise UsageError(
            f"--set max_steps={run}: the warm-up of {warm_up} steps is not shorter than that",
            why="the learning rate would never reach what it should",
            hint=f"Add --set warmup_steps={run // 10 if run >= 10 else min(1, run - 1)}",
        )
