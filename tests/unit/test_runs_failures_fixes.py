"""What a fix changes: the same lesson, and a config that ftui itself has nothing more against."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from ftui import paths
from ftui.config.build import build
from ftui.config.edit import Drop, Put, changed
from ftui.config.edit_text import apply_edits
from ftui.config.lint import check
from ftui.config.render import render
from ftui.plan.hardware import Gpu
from ftui.plan.places import steps
from ftui.plan.plan import Preset, start
from ftui.plan.presets import load
from ftui.runs.failures import Cause, Diagnosis, Trial, fixes
from ftui.runs.failures.signature import Change, Fix
from ftui.runs.failures.table import SIGNATURES

PRESETS = tuple(load(path) for path in sorted(paths.builtin_presets_dir().glob("*.yml")))
FIXES: Sequence[Fix] = sorted(
    {fix for signature in SIGNATURES for fix in signature.fixes}, key=lambda fix: fix.__name__
)


def after(settings: Any, change: Change) -> Any:
    """The settings with the change made."""
    for place, value in change.settings.items():
        edit = Drop(steps(place)) if value is None else Put(steps(place), value)
        settings = changed(settings, edit.place, edit)
    return settings


def errors(preset: Preset, settings: Any) -> set[tuple[str, str]]:
    gpus = preset.needs.gpus
    plan = dataclasses.replace(start(preset), settings=settings)
    cards = tuple(Gpu("NVIDIA H100 80GB HBM3", 80.0, "sm_90") for _ in range(gpus))
    issues = check(render(build(plan)), gpus=cards)
    return {(issue.path, issue.message) for issue in issues if issue.severity == "error"}


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_fixed_preset_has_no_new_errors(preset: Preset) -> None:
    gpus = preset.needs.gpus
    before = errors(preset, preset.settings)
    for fix in FIXES:
        settings: Any = preset.settings
        change = fix(Trial(settings, gpus))
        for _ in range(20):  # again and again, as after the same failure
            if change is None:
                break
            settings = after(settings, change)
            new = errors(preset, settings) - before
            assert not new, (fix.__name__, change)
            assert fix(Trial(settings, gpus)) != change, f"{fix.__name__} changes nothing"
            change = fix(Trial(settings, gpus))
        assert change is None or fix is fixes.smaller_steps, f"{fix.__name__} never ends"


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_the_way_out_of_gpu_memory_ends_and_keeps_the_batch(preset: Preset) -> None:
    signature = next(one for one in SIGNATURES if one.name == "gpu-memory")
    settings: Any = preset.settings
    batch = settings["micro_batch_size"] * settings.get("gradient_accumulation_steps", 1)
    before = errors(preset, settings)
    for _ in range(30):
        change = signature.change(Trial(settings, preset.needs.gpus))
        if change is None:
            break
        settings = after(settings, change)
        assert settings["micro_batch_size"] * settings["gradient_accumulation_steps"] == batch
        assert errors(preset, settings) <= before, change
    assert signature.change(Trial(settings, preset.needs.gpus)) is None
    assert settings["micro_batch_size"] == 1
    assert settings["gradient_checkpointing"]


def change(fix: Fix, gpus: int = 1, **settings: Any) -> dict[str, Any]:
    made = fix(Trial(settings, gpus))
    return dict(made.settings) if made else {}


@pytest.mark.parametrize(("size", "new", "accumulation"), [(8, 4, 4), (6, 3, 4), (3, 1, 6)])
def test_a_batch_is_cut_so_that_it_stays_the_same(size: int, new: int, accumulation: int) -> None:
    made = change(fixes.smaller_batches, micro_batch_size=size, gradient_accumulation_steps=2)
    assert made == {"micro_batch_size": new, "gradient_accumulation_steps": accumulation}


def test_the_eval_batch_does_not_stay_the_larger_one() -> None:
    made = change(fixes.smaller_batches, micro_batch_size=4, eval_batch_size=4)
    assert made["eval_batch_size"] == 2


@pytest.mark.parametrize("rate", ["2e-4", 0.0002, "0.0002"])
def test_a_learning_rate_may_be_text(rate: Any) -> None:
    made = fixes.smaller_steps(Trial({"learning_rate": rate}))
    assert made is not None
    assert made.settings == {"learning_rate": 0.00005}
    assert not made.resumes  # a checkpoint holds the old one


@pytest.mark.parametrize("rate", [None, "fast", 0, float("nan"), [1]])
def test_no_learning_rate_is_made_up(rate: Any) -> None:
    assert fixes.smaller_steps(Trial({"learning_rate": rate})) is None


def test_a_cpu_gets_no_fp16() -> None:
    assert change(fixes.numbers_of_the_gpu, 0, bf16=True) == {"bf16": False}
    assert change(fixes.numbers_of_the_gpu, 1, bf16=True) == {"bf16": False, "fp16": True}


def test_attention_sinks_need_eager_attention() -> None:
    base = "openai/gpt-oss-20b"
    made = change(fixes.attention_without_packages, base_model=base, flash_attention=True)
    assert made == {"attn_implementation": "eager", "flash_attention": None}


def test_a_diagnosis_changes_a_config_and_keeps_its_comments() -> None:
    found = Diagnosis(
        Cause.CRASHED, "it failed", changes={"fp16": None, "a.b": False}, reason="why"
    )
    text = "# mine\nfp16: true\nlearning_rate: 0.1  # high\n"
    assert apply_edits(text, found.edits) == (
        "# mine\nlearning_rate: 0.1  # high\na:\n  b: false\n"
    )
    assert found.words == "it failed. Set no fp16, a.b: false: why"


@pytest.mark.parametrize(("adapter", "usual"), [("lora", 2e-4), (None, 2e-5)])
def test_a_learning_rate_far_from_what_is_usual_becomes_what_is_usual(
    adapter: str | None, usual: float
) -> None:
    change = fixes.smaller_steps(Trial({"learning_rate": 1e30, "adapter": adapter}))
    assert change is not None
    assert change.settings == {"learning_rate": usual}
