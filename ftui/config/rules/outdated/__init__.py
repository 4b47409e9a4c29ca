"""What older versions of axolotl, or other tools, called it: what to write today."""

from __future__ import annotations

from ftui.config.rules.outdated import (
    fsdp1,
    removed,
    renamed,
    sharegpt,
    switches,
)
from ftui.config.rules.rule import Rule

RULES: tuple[Rule, ...] = (
    *renamed.RULES,
    *removed.RULES,
    *switches.RULES,
    *sharegpt.RULES,
    *fsdp1.RULES,
)
"""Every rule about what is written otherwise today."""
