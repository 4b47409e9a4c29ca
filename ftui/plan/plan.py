"""A preset, and the plan that a person makes of it.

A plan holds the axolotl mapping *as chosen so far*: each wizard step, each flag and each `--set`
is a small change to that mapping, so that the same answers give the same config whatever asked
for them, and going back is only keeping the older plan.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftui.plan.places import value_at

Settings = Mapping[str, Any]
"""An axolotl config as plain data. Never changed in place."""


@dataclass(frozen=True)
class Needs:
    """What a preset asks of a machine: GPUs, memory of each in GiB, and a line in plain words."""

    gpus: int = 0
    gpu_memory_gib: float = 0.0
    text: str = ""
    machines: int = 1
    """So many of them train together, each with those GPUs."""


@dataclass(frozen=True)
class Evaluation:
    """How a preset proves its result: held-out rows and the metric that judges an answer."""

    dataset: str
    metric: str


@dataclass(frozen=True)
class Preset:
    """A starting point: a few words about it and an `axolotl:` mapping in axolotl's own keys."""

    name: str
    title: str
    audience: str
    needs: Needs
    settings: Settings
    path: Path
    evaluation: Evaluation | None = None
    system_prompt: str = ""
    try_asking: tuple[str, ...] = ()
    source: str = ""
    """Where its hyper-parameters come from, in words."""
    text: str = ""
    """The config that it was read from, where it is a person's own; what is written keeps it."""


@dataclass(frozen=True)
class Plan:
    """The answers: a preset, the axolotl settings as changed so far, where, on how many GPUs."""

    preset: Preset
    settings: Settings
    target: str = "local"
    gpus: int = 0
    machine: Mapping[str, str] = field(default_factory=dict)
    """What is asked of a rented machine: `{"gpu": "A100"}`. The target knows what there is."""

    @property
    def machines(self) -> int:
        """How many train together: as asked of the target (`nodes`), else as the preset wants."""
        asked = self.machine.get("nodes", "")
        return int(asked) if asked.isdecimal() else self.preset.needs.machines

    @property
    def project(self) -> str:
        """Whose machines are asked for, where a target knows several; empty = the usual one's."""
        return self.machine.get("project", "")

    @property
    def all_gpus(self) -> int:
        """The GPUs of all machines."""
        return self.gpus * self.machines

    def get(self, path: str, default: Any = None) -> Any:
        """The setting at a dotted path such as `datasets.0.path`, or `default`."""
        return value_at(self.settings, path, default)

    def with_settings(self, **changes: Any) -> Plan:
        """A copy with top-level settings replaced; a value of None removes the key."""
        settings = copy.deepcopy(dict(self.settings))
        for key, value in changes.items():
            if value is None:
                settings.pop(key, None)
            else:
                settings[key] = value
        return dataclasses.replace(self, settings=settings)

    def begun_with(self, text: str, settings: Settings, needs: Needs) -> Plan:
        """The same target and GPUs, from a config of the person's own that holds this by now."""
        preset = dataclasses.replace(self.preset, text=text, settings=settings, needs=needs)
        return dataclasses.replace(self, preset=preset, settings=copy.deepcopy(dict(settings)))


def start(preset: Preset) -> Plan:
    """The plan that a preset is when nothing is changed yet."""
    settings = copy.deepcopy(dict(preset.settings))
    return Plan(preset=preset, settings=settings, gpus=preset.needs.gpus)
