"""`ftui presets`: all presets, or one."""

from __future__ import annotations

from typing import Any

from ftui.plain import console
from ftui.plan.plan import Preset


def presets(name: str | None, *, as_json: bool) -> None:
    """All presets, a line each, or one in full."""
    from ftui.plan.presets import catalogue, find

    if name is not None:
        preset = find(name)
        if as_json:
            console.document({**_facts(preset), "axolotl": preset.settings})
        else:
            console.line(preset.path.read_text(encoding="utf-8").rstrip())
        return
    known = catalogue()
    for error in known.broken:
        console.say(f"▲ {error}")
    if as_json:
        console.document([_facts(preset) for preset in known.presets])
        return
    console.table([(preset.name, preset.title, preset.needs.text) for preset in known.presets])
    console.say("\nftui --preset NAME opens the wizard with it; add -y to ask nothing.")


def _facts(preset: Preset) -> dict[str, Any]:
    return {
        "name": preset.name,
        "title": preset.title,
        "for": preset.audience,
        "needs": {
            "gpus": preset.needs.gpus,
            "gpu_memory_gib": preset.needs.gpu_memory_gib,
            "text": preset.needs.text,
            "machines": preset.needs.machines,
        },
        "base_model": preset.settings.get("base_model"),
        "source": preset.source,
        "file": str(preset.path),
    }
