"""The command line's answers: the wizard's own steps, answered by flags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ftui.errors import UsageError
from ftui.plan.overrides import apply_override
from ftui.plan.own_config import open_config
from ftui.plan.plan import Plan
from ftui.plan.presets import find
from ftui.plan.steps import World, begin, step

DEFAULT_PRESET = "nano-sql-lora"


def plan_from_flags(
    world: World,
    *,
    preset: str | None,
    config: str | None,
    data: str | None,
    target: str | None,
    gpus: str | None,
    overrides: Sequence[str],
) -> Plan:
    """The plan that `--preset` or `--config`, `--data`, `--target`, `--gpus`, `--set` describe.

    Raises PresetError, ConfigError, DatasetError or UsageError for what cannot be taken.
    """
    if preset is not None and config is not None:
        raise UsageError("--preset and --config both say where to start: give one of them")
    start = open_config(Path(config)) if config is not None else find(preset or DEFAULT_PRESET)
    plan = begin(start, world.hardware)
    for name, answer in (("data", data), ("hardware", target)):
        if answer is not None:
            plan = step(name).apply(plan, answer, world)
    if gpus is not None:
        [field] = step("hardware").fields
        plan = field.write(plan, gpus)
    for override in overrides:
        plan = apply_override(plan, override)
    return plan
