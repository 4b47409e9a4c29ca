"""ftui's linter and axolotl's own validator agree: on every preset, and on changes to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftui.config.build import build
from ftui.config.render import render
from ftui.plan.hardware import Gpu, Hardware
from ftui.plan.presets import catalogue
from ftui.plan.steps import begin
from ftui.runtimes.validator import Validator
from tests.tools.compare_validators import Result, compare, runtime_version
from tests.tools.corpus import Case, Mutator, gpus_for

CAPABILITY = "sm_90"
CHANGES = 100


def _presets() -> list[Case]:
    cases = []
    for preset in catalogue().presets:
        gpu = Gpu("NVIDIA H100", max(80.0, preset.needs.gpu_memory_gib), CAPABILITY)
        gpus = (gpu,) * preset.needs.gpus
        config = build(begin(preset, Hardware(cores=2, memory_gib=64.0, gpus=gpus)))
        text = render(config)
        cases.append(Case(preset.name, text, gpus or gpus_for(config, CAPABILITY)))
    return cases


def _told(results: list[Result]) -> list[str]:
    """Every disagreement in words."""
    return [
        f"{result.case.name}: {issue.path}: {issue.message}"
        for result in results
        for issue in (result.axolotls if result.missed else result.wrong)
    ]


async def test_the_two_agree(home: Path) -> None:
    del home
    version = runtime_version()
    presets = _presets()
    results = await compare(presets, version)
    assert len(results) >= 10
    assert not [result.case.name for result in results if result.refused or result.blocked]
    assert not _told(results)

    changed = Mutator(presets, version, CAPABILITY, seed=7).cases(CHANGES)
    results = await compare(changed, version)
    assert sum(result.refused for result in results) >= CHANGES / 10
    assert not _told(results)


MORE = (
    "plugins: [axolotl.integrations.liger.LigerPlugin]\nliger_kernel_impl: cutile\n",
    "plugins: [axolotl.integrations.liger.LigerPlugin]\nliger_rope: perhaps\n",
    "liger_rope: perhaps\n",
    "plugins: [nope.Nope]\n",
    "plugins: true\n",
    "adapter: mora\n",
    "plugins: [axolotl.integrations.mora.MoraPlugin]\nadapter: mora\n",
    "sample_packing: true\n",
    "fsdp_config: {fsdp_offload_params: true}\n",
    "tensor_parallel_size: '2'\n",
    "",
)


async def test_a_verdict_depends_on_nothing_but_the_config(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = "base_model: m\nlearning_rate: 1e-4\ndatasets: [{path: a, type: alpaca}]\n"
    gpus = (Gpu("NVIDIA H100", 80, CAPABILITY),)
    texts = [base + more for more in MORE]
    async with Validator() as validator:
        forward = [await validator.validate(text, gpus) for text in texts]
        backward = [await validator.validate(text, gpus) for text in reversed(texts)]
    assert backward[::-1] == forward
    for name in ("WORLD_SIZE", "LOCAL_RANK", "ACCELERATE_USE_FSDP", "LIGER_KERNEL_IMPL"):
        monkeypatch.setenv(name, "nonsense")
    async with Validator() as validator:
        assert [await validator.validate(text, gpus) for text in texts] == forward
