"""What a person can choose from on this machine, gathered once for the steps."""

from __future__ import annotations

from ftui.plan.models import known_models
from ftui.plan.presets import catalogue
from ftui.plan.steps import TargetChoice, World
from ftui.plan.wish import wish_field
from ftui.runtimes.datasets import read_dataset
from ftui.targets import TARGETS, get
from ftui.targets.base import Offering, Target
from ftui.targets.machine import detect


def survey() -> World:
    """Look at this machine, its presets and the targets. Asks the GPU driver, so takes a moment."""
    targets = [get(name) for name in TARGETS]
    return World(
        hardware=detect(),
        presets=catalogue().presets,
        models=known_models(),
        targets=tuple(map(_choice, targets)),
        read=read_dataset,
    )


def _choice(target: Target) -> TargetChoice:
    words = target.hardware().words
    if not isinstance(target, Offering):
        return TargetChoice(target.name, target.title, words)
    fields = tuple(wish_field(target.name, wish) for wish in target.wishes)
    return TargetChoice(target.name, target.title, words, fields, target.hardware)
