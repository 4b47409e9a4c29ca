"""Rules: what is wrong with a config beyond its shape. A module a subject, each with its RULES."""

from __future__ import annotations

from collections.abc import Iterator

from ftui.config.rules import (
    dataset_types,
    dead,
    dead_dataset,
    defaults,
    files,
    free_keys,
    fsdp1,
    hardware,
    keys,
    names,
    needed,
    refusals,
    removed,
    renamed,
    sharegpt,
    switches,
    timing,
    values,
)
from ftui.config.rules.rule import Finding, Rule, Subject

RULES: tuple[Rule, ...] = (
    *keys.RULES,
    *renamed.RULES,
    *removed.RULES,
    *switches.RULES,
    *sharegpt.RULES,
    *fsdp1.RULES,
    *refusals.RULES,
    *values.RULES,
    *names.RULES,
    *dataset_types.RULES,
    *timing.RULES,
    *dead.RULES,
    *dead_dataset.RULES,
    *needed.RULES,
    *free_keys.RULES,
    *defaults.RULES,
    *hardware.RULES,
    *files.RULES,
)
"""Every rule there is."""


def judge(subject: Subject) -> Iterator[Finding]:
    """What the rules have against a config."""
    for rule in RULES:
        yield from rule(subject)
