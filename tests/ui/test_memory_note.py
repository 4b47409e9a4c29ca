"""What stands beside a question about a training that no GPU does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ftui.config.build import for_cpu
from ftui.estimate.estimate import estimate
from ftui.plan.hardware import Hardware
from ftui.plan.plan import start
from ftui.plan.presets import find
from ftui.runtimes.model_shape import find_shape
from ftui.targets.remote.rented import Rented
from ftui.tui.screens.memory import Subject
from ftui.tui.widgets.memory_note import lines

OWN = Hardware(cores=8, memory_gib=64.0)
RENTED = Rented(cores=8, memory_gib=16.0, place="somewhere")


def told(preset: str, hardware: Hardware) -> dict[str, str]:
    """The note on 500 steps of a preset's training without a GPU, on that machine."""
    plan = replace(start(find(preset)).with_settings(max_steps=500), gpus=0)
    settings = for_cpu(plan.settings)
    found = estimate(settings, find_shape(str(settings["base_model"]), plan.preset.path.parent), 0)
    return dict(lines(found, Subject(plan, settings, hardware)))


@pytest.mark.parametrize("hardware", [OWN, RENTED], ids=["own", "rented"])
def test_a_model_too_large_for_a_processor_is_warned_of(hardware: Hardware) -> None:
    assert told("llama3-8b-lora", hardware)["Time"].endswith(": choose a GPU")
    assert "GPU" not in told("nano-sql-lora", hardware)["Time"]


def test_whether_a_rented_machine_has_the_memory_is_not_claimed() -> None:
    assert "Fits" in told("nano-sql-lora", OWN)
    assert "Fits" not in told("nano-sql-lora", RENTED)


def test_nothing_is_said_of_the_time_on_a_machine_nobody_knows() -> None:
    assert "Time" not in told("nano-sql-lora", Rented(cores=0, memory_gib=0.0))
