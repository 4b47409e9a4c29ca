"""The listing commands: presets and runs."""

from __future__ import annotations

import math
import time
from typing import Any

from ftui.plain import console
from ftui.plan.plan import Preset
from ftui.runs.model import Run
from ftui.text import duration


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
        },
        "base_model": preset.settings.get("base_model"),
        "source": preset.source,
        "file": str(preset.path),
    }


def runs(*, as_json: bool) -> None:
    """All runs, newest first."""
    from ftui.runs.store import list_runs

    rows = [_standing(run) for run in list_runs()]
    if as_json:
        console.document(rows)
    elif not rows:
        console.say("No runs yet. Make the first one: ftui --preset nano-sql-lora")
    else:
        console.table([_row(row) for row in rows])


def _standing(run: Run) -> dict[str, Any]:
    from ftui.runs.store import read_record, state
    from ftui.runs.tail import read_history

    history = read_history(run)
    record = read_record(run)
    loss = history.latest("loss")
    standing = state(run, history)
    return {
        "name": run.name,
        "state": standing.value,
        "glyph": standing.glyph,
        "target": record.target,
        "step": history.step,
        "max_steps": history.max_steps,
        "loss": loss if loss is not None and math.isfinite(loss) else None,
        "started": record.created,
        "folder": str(run.folder),
    }


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    loss = f"loss {row['loss']:.3f}" if row["loss"] is not None else ""
    steps = f"{row['step']}/{row['max_steps']}" if row["max_steps"] else ""
    age = duration(time.time() - row["started"]) + " ago"
    return (f"{row['glyph']} {row['state']}", row["name"], row["target"], steps, loss, age)
