"""What axolotl takes without a word, and then fails with, ignores, or trains wrong with."""

from __future__ import annotations

from ftui.config.rules.rule import Rule
from ftui.config.rules.silent import (
    dataset_types,
    dead,
    dead_dataset,
    defaults,
    files,
    free_keys,
    hardware,
    names,
    needed,
    timing,
    values,
)

RULES: tuple[Rule, ...] = (
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
"""Every rule about what axolotl keeps silent about."""
