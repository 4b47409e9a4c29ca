"""Which preset to start from."""

from __future__ import annotations

import dataclasses

from ftui.errors import PresetError
from ftui.plan.hardware import Hardware
from ftui.plan.plan import Needs, Plan, Preset, start
from ftui.plan.step import Option, Step, World


def begin(preset: Preset, hardware: Hardware, target: str = "local") -> Plan:
    """The plan of an unchanged preset on a machine: it uses a GPU where there is one."""
    plan = start(preset)
    gpus = preset.needs.gpus or min(1, len(hardware.gpus))
    return dataclasses.replace(plan, target=target, gpus=gpus)


def shortage(needs: Needs, hardware: Hardware) -> str:
    """What a machine lacks for a preset, in words; empty when it has everything."""
    if not needs.gpus:
        return ""
    big = [gpu for gpu in hardware.gpus if gpu.holds(needs.gpu_memory_gib)]
    if len(big) >= needs.gpus and needs.machines == 1:
        return ""
    return f"needs {_gpus(needs)}; this machine has {hardware.gpu_words}"


def _gpus(needs: Needs) -> str:
    count = f"{needs.gpus} GPUs" if needs.gpus > 1 else "a GPU"
    each = " each" if needs.gpus > 1 else ""
    machines = f"{needs.machines} machines with " if needs.machines > 1 else ""
    memory = f" with {needs.gpu_memory_gib:g} GiB{each}" if needs.gpu_memory_gib else ""
    return f"{machines}{count}{memory}"


def _size(preset: Preset) -> str:
    """What it needs in a few letters: `no GPU`, `16 GiB`, `2 × 48 GiB`."""
    if preset.text:
        return "your config"
    if not preset.needs.gpus:
        return "no GPU"
    count = f"{preset.needs.gpus} × " if preset.needs.gpus > 1 else ""
    count = f"{preset.needs.machines} × {count}" if preset.needs.machines > 1 else count
    return f"{count}{preset.needs.gpu_memory_gib:g} GiB"


def _options(plan: Plan, world: World) -> list[Option]:
    return [
        Option(
            preset.name,
            preset.name,
            _size(preset),
            warning=shortage(preset.needs, world.hardware),
            also=preset.title,
        )
        for preset in world.presets
    ]


def _apply(plan: Plan, answer: str, world: World) -> Plan:
    """Another preset begins a new plan; the same one keeps what was changed in it."""
    if answer == plan.preset.name:
        return plan
    for preset in world.presets:
        if preset.name == answer:
            return begin(preset, world.hardware, plan.target)
    raise PresetError(f"there is no preset {answer!r}")


def _explain(plan: Plan, answer: str, world: World) -> str:
    preset = next(preset for preset in world.presets if preset.name == answer)
    needs = preset.needs.text or (_gpus(preset.needs) if preset.needs.gpus else "no GPU")
    return f"{preset.title}. For {preset.audience}. Needs {needs}."


PRESET = Step(
    id="preset",
    title="Start",
    question="What do you want to start from?",
    help="A preset is a set of settings that is known to work. Everything in it can be changed.",
    options=_options,
    current=lambda plan: plan.preset.name,
    apply=_apply,
    summary=lambda plan: plan.preset.name,
    explain=_explain,
)
