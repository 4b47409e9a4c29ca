"""What a person can choose from on this machine, gathered once for the steps."""

from __future__ import annotations

from ftui.plan.models import known_models
from ftui.plan.presets import catalogue
from ftui.plan.steps import TargetChoice, World
from ftui.runtimes.datasets import read_dataset
from ftui.targets import TARGETS, get
from ftui.targets.machine import detect


def survey() -> World:
    """Look at this machine, its presets and the targets. Asks the GPU driver, so takes a moment."""
    targets = [get(name) for name in TARGETS]
    return World(
        hardware=detect(),
        presets=catalogue().presets,
        models=known_models(),
        targets=tuple(
            TargetChoice(target.name, target.title, target.hardware().words) for target in targets
        ),
        read=read_dataset,
    )
