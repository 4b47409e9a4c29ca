"""All rules that say: axolotl itself refuses this. The comparison with axolotl holds them to it."""

from __future__ import annotations

from ftui.config.rules.refused import (
    adapter_kinds,
    adapters,
    attention,
    checked,
    experts,
    export,
    keys,
    optimizers,
    parallel,
    plugins,
    preference,
    rows,
    schedule,
    sharding,
    staged,
)
from ftui.config.rules.rule import Rule

RULES: tuple[Rule, ...] = (
    *keys.RULES,
    *schedule.RULES,
    *rows.RULES,
    *adapters.RULES,
    *adapter_kinds.RULES,
    *attention.RULES,
    *sharding.RULES,
    *parallel.RULES,
    *optimizers.RULES,
    *preference.RULES,
    *checked.RULES,
    *plugins.RULES,
    *experts.RULES,
    *staged.RULES,
    *export.RULES,
)
"""Every rule about what axolotl refuses."""
