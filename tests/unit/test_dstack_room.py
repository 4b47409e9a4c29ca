"""The room that is asked for on a dstack machine, and results that are too large to come home."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ftui.plan.plan import Plan, start
from ftui.plan.presets import catalogue, find
from ftui.targets.dstack.document import asks_hub, wanted_secrets
from ftui.targets.dstack.room import Room, room
from ftui.targets.dstack.target import DstackTarget

LARGE = "NousResearch/Meta-Llama-3.1-70B-Instruct"
"""141 GB in 16 bits."""
FULL = {"base_model": LARGE, "saves_per_epoch": 1, "num_epochs": 1}


def asked(config: dict[str, Any], gpus: int = 8) -> Room:
    return room(config, gpus, 80.0)


def test_a_full_fine_tune_has_room_for_its_checkpoint_and_its_result() -> None:
    base, checkpoint = 141, 3 * 141
    assert asked(FULL).disk > base + checkpoint + base
    assert asked(FULL).result == pytest.approx(base, abs=1)


def test_every_checkpoint_that_is_kept_counts_and_one_more_while_the_oldest_goes() -> None:
    sizes = [
        asked({**FULL, "saves_per_epoch": saves, "save_total_limit": 2}).disk
        for saves in (1, 2, 3, 4)
    ]
    assert sizes[0] < sizes[1] < sizes[2] == sizes[3]
    assert asked({**FULL, "save_only_model": True}).disk < sizes[0]
    assert asked({**FULL, "deepspeed": "zero3"}).disk > sizes[0]


def test_an_adapter_needs_its_base_model_alone() -> None:
    adapter = asked({**FULL, "adapter": "lora"})
    assert 141 < adapter.disk < 300
    assert adapter.result == 0
    assert asked({"base_model": "nobody/knows-it"}) == Room(disk=640)


def test_system_memory_is_asked_for_where_it_is_known_what_passes_it() -> None:
    fsdp = {"cpu_ram_efficient_loading": True, "state_dict_type": "SHARDED_STATE_DICT"}
    sharded = {**FULL, "fsdp_config": fsdp}
    assert 141 < asked(sharded).memory < 200
    gathered = {**FULL, "fsdp_config": {**fsdp, "state_dict_type": "FULL_STATE_DICT"}}
    assert asked(gathered).memory > 3 * 141
    assert asked(gathered, gpus=1).memory == asked(FULL).memory == 0


@pytest.mark.parametrize("preset", catalogue().presets, ids=lambda preset: preset.name)
def test_every_preset_brings_its_result_home(preset: Any) -> None:
    assert "hardly" not in DstackTarget().limits(replace(start(preset), target="dstack"))


def large(**settings: Any) -> Plan:
    plan = replace(start(find("llama3-8b-full-fsdp")), target="dstack")
    return plan.with_settings(base_model=LARGE, **settings)


def test_a_result_that_hardly_comes_home_is_told_of_before_the_launch() -> None:
    told = DstackTarget().limits(large())
    assert "about 141 GB hardly comes home in the 30 min" in told
    assert "hub_model_id" in told
    assert "hardly" not in DstackTarget().limits(large(hub_model_id="me/mine"))


def test_a_result_that_goes_to_the_hub_has_its_token() -> None:
    own = {"base_model": "./model", "datasets": [{"path": "./rows.jsonl"}]}
    assert not asks_hub(own)
    assert wanted_secrets({**own, "hub_model_id": "me/mine"}) == {"HF_TOKEN": "hf_token"}
