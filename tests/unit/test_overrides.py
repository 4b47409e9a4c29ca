"""`--set KEY=VALUE` changes one setting and nothing else."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftui.config.lint import check
from ftui.config.text import config_text
from ftui.errors import UsageError
from ftui.plan.flags import plan_from_flags
from ftui.plan.overrides import apply_override
from ftui.plan.plan import Needs, Plan, Preset, start
from ftui.targets.world import survey


def plan(settings: dict[str, Any]) -> Plan:
    return start(Preset("p", "P", "all", Needs(), settings, Path("p.yml")))


BASE = {"lora_r": 8, "datasets": [{"path": "a", "type": "alpaca"}], "plugins": ["x"]}


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("lora_r=16", "lora_r", 16),
        ("learning_rate=0.001", "learning_rate", 0.001),
        ("learning_rate=1e-4", "learning_rate", "1e-4"),  # as axolotl's own YAML reader has it
        ("bf16=auto", "bf16", "auto"),
        ("load_in_4bit=yes", "load_in_4bit", True),
        ("datasets.0.path=b=c.jsonl", "datasets.0.path", "b=c.jsonl"),
        ("lora_target_modules=[q_proj, v_proj]", "lora_target_modules", ["q_proj", "v_proj"]),
        ("fsdp_config.offload_params=true", "fsdp_config.offload_params", True),
        ("plugins.1=y", "plugins", ["x", "y"]),
        ("lora_r=null", "lora_r", None),
        ("lora_r=", "lora_r", None),
        ("plugins.0=null", "plugins", []),
    ],
)
def test_sets_one_value(override: str, path: str, value: object) -> None:
    before = plan(BASE)
    after = apply_override(before, override)
    assert after.get(path) == value
    assert before == plan(BASE)


@pytest.mark.parametrize(
    "override",
    [
        *("lora_r", "=1", "a..b=1", ".a=1", "a=[1", "a={b: }}"),
        *("lora_r.x=1", "datasets.1.path=x", "plugins.5=x", "plugins.-1=x"),
        *("datasets.first=x", "datasets.²=x"),
    ],
)
def test_refuses_what_makes_no_sense(override: str) -> None:
    with pytest.raises(UsageError) as caught:
        apply_override(plan(BASE), override)
    assert override in str(caught.value)


@given(st.text())
def test_any_text_is_an_answer_or_a_usage_error(text: str) -> None:
    with contextlib.suppress(UsageError):
        apply_override(plan(BASE), text)


@pytest.mark.parametrize(
    ("run", "warm_up"), [(10, 1), (8, 1), (2, 1), (1, 0)], ids=lambda n: str(n)
)
def test_a_run_that_is_shorter_than_its_warm_up_is_told_the_flag_that_mends_it(
    run: int, warm_up: int
) -> None:
    world = survey()
    with pytest.raises(UsageError, match="the warm-up of 10 steps") as caught:
        plan_from_flags(world, preset="nano-sql-lora", config=None, overrides=[f"max_steps={run}"])
    assert caught.value.hint == f"Add --set warmup_steps={warm_up}"
    both = [f"max_steps={run}", f"warmup_steps={warm_up}"]
    plan = plan_from_flags(world, preset="nano-sql-lora", config=None, overrides=both)
    assert [issue for issue in check(config_text(plan)) if issue.severity == "error"] == []


def test_a_run_that_is_longer_than_its_warm_up_is_fine() -> None:
    plan = plan_from_flags(
        survey(), preset="nano-sql-lora", config=None, overrides=["max_steps=11"]
    )
    assert (plan.get("max_steps"), plan.get("warmup_steps")) == (11, 10)
