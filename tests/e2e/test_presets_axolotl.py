"""axolotl itself accepts what every built-in preset becomes on the machine that it asks for."""

from __future__ import annotations

from pathlib import Path

from ftui.config.build import build
from ftui.config.lint import check
from ftui.config.render import render
from ftui.plan.hardware import Gpu, Hardware
from ftui.plan.plan import Preset
from ftui.plan.presets import catalogue
from ftui.plan.steps import begin
from ftui.runtimes.validator import Validator


def _machine(preset: Preset) -> Hardware:
    gpu = Gpu("NVIDIA A10", preset.needs.gpu_memory_gib, "sm_86")
    return Hardware(cores=2, memory_gib=64.0, gpus=(gpu,) * preset.needs.gpus)


async def test_axolotl_accepts_every_preset(home: Path) -> None:
    del home
    problems = {}
    async with Validator() as validator:
        for preset in catalogue().presets:
            machine = _machine(preset)
            text = render(build(begin(preset, machine)))
            found = check(text) + await validator.validate(text, machine.gpus)
            problems[preset.name] = [issue for issue in found if issue.severity == "error"]
    assert not any(problems.values()), problems
    assert len(problems) >= 40
