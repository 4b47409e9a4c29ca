"""What the answers changed in a config that a person opened, in a few words."""

from __future__ import annotations

from collections.abc import Iterator

from ftui.config.edit import same
from ftui.plan.plan import Plan


def changes(plan: Plan) -> list[str]:
    """`lora_r 8`, `special_tokens removed`: the top-level keys that differ from the file's."""
    return list(_changes(plan)) if plan.preset.text else []


def _changes(plan: Plan) -> Iterator[str]:
    opened = plan.preset.settings
    for key, value in plan.settings.items():
        if key not in opened or not same(opened[key], value):
            shown = "changed" if isinstance(value, (dict, list)) else _shown(value)
            yield f"{key} {shown}"
    yield from (f"{key} removed" for key in opened if key not in plan.settings)


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
