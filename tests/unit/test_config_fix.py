"""Mending: what comes out needs no more of it, means the same, and keeps its looks."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ftui.config.fix import modernise
from ftui.config.lint import check
from ftui.config.rules.outdated import removed, renamed, switches
from ftui.config.schema import VERSIONS
from ftui.plan.yaml_source import YamlProblem, mapping

OLD = """\
# A config of 2023
base_model: meta-llama/Llama-2-7b-hf   # gated
learning_rate: 0.0002

datasets:
  # the first
  - path: a
    type: sharegpt
    conversation: chatml
  - {path: b, type: alpaca, train_on_split: train}  # the second

flash_attention: true   # fast
gptq_groupsize:
lora_r: 8
adapter: lora

evaluation_strategy: "steps"
"""
NEW = """\
# A config of 2023
base_model: meta-llama/Llama-2-7b-hf   # gated
learning_rate: 0.0002

datasets:
  # the first
  - path: a
    type: chat_template
    field_messages: conversations
    message_property_mappings:
      role: from
      content: value
  - {path: b, type: alpaca, split: train}  # the second

attn_implementation: flash_attention_2   # fast
lora_r: 8
adapter: lora

eval_strategy: "steps"
chat_template: chatml
"""

values = st.none() | st.booleans() | st.integers(0, 8) | st.sampled_from(["x", "unsloth", "inst"])
old_keys = st.sampled_from(
    sorted(
        {
            *(key for key in renamed.AXOLOTLS if "." not in key),
            *renamed.OTHERS,
            *removed.GONE,
            *removed.ASK,
            *removed.NO_WAY,
            *switches.ATTENTION,
            *switches.SWITCHES,
            *(key for key, _ in switches.VALUES),
            "fsdp",
            "fsdp_version",
            "gc_steps",
            "batch_size",
            "max_packed_sequence_len",
        }
    )
)
fsdp_config = st.dictionaries(
    st.sampled_from(
        [
            "fsdp_offload_params",
            "fsdp_sharding_strategy",
            "fsdp_use_orig_params",
            "offload_params",
            "reshard_after_forward",
            "sharding_strategy",
            "version",
        ]
    ),
    st.sampled_from([None, True, False, "FULL_SHARD", "HYBRID_SHARD", 1, 2]),
)
configs = st.builds(
    lambda keys, sharding: {**keys, "fsdp_config": sharding, "base_model": "m"},
    st.dictionaries(old_keys, values),
    fsdp_config,
)


def test_a_config_keeps_its_comments_and_its_order() -> None:
    assert modernise(OLD) == NEW


@pytest.mark.parametrize("version", VERSIONS)
def test_a_config_of_today_stays_as_it_is(version: str) -> None:
    assert modernise(NEW, axolotl=version) == NEW


@pytest.mark.parametrize("version", VERSIONS)
@given(config=configs)
def test_once_is_enough_and_nothing_to_mend_is_left(version: str, config: dict[str, Any]) -> None:
    mended = modernise(yaml.safe_dump(config), axolotl=version)
    assert modernise(mended, axolotl=version) == mended
    assert not [issue for issue in check(mended, axolotl=version) if issue.edits]


@given(config=configs)
def test_what_is_not_old_keeps_its_value(config: dict[str, Any]) -> None:
    mine = {"output_dir": "out", "my_note": {"a": [1, 2]}, "special_tokens": {"pad_token": "p"}}
    mended = yaml.safe_load(modernise(yaml.safe_dump({**config, **mine})))
    assert {key: mended[key] for key in mine} == mine


LINES = (
    *("lora_rank: 8\n", "do_train: true\n", "flash_attention: true  # fast\n", "dtype: bfloat16\n"),
    *("datasets:\n", "  - path: a\n", "    type: sharegpt\n", "    conversation: chatml\n"),
    *("  - {type: sharegpt, train_on_split: x}\n", "fsdp:\n", "  - full_shard auto_wrap\n"),
    *(
        "fsdp_config:\n",
        "  fsdp_offload_params: true\n",
        "tokens: {a: b}\n",
        "# c\n",
        "gc_steps: 1\n",
    ),
)
ODD = (*("&x ", "*x", "<<: *x\n", "{", "}", "[", "]", ", ", "'", "  ", "? ", "|\n", "---\n"), "\r")


@given(st.lists(st.sampled_from(LINES * 9 + ODD)).map("".join))
def test_any_text_comes_back_mended_or_as_it_is(text: str) -> None:
    mended = modernise(text)
    try:
        mapping(text)
    except YamlProblem:
        assert mended == text
    else:
        assert modernise(mended) == mended
        assert not [issue for issue in check(mended) if issue.edits]


@pytest.mark.parametrize("text", ["", "- a\n", "a: [1\n", "words\n", "a: &a [*a]\n"])
def test_what_is_no_config_comes_back_as_it_is(text: str) -> None:
    assert modernise(text) == text


def test_windows_line_ends_stay() -> None:
    text = modernise("base_model: m\r\nlora_rank: 8\r\n")
    assert text == "base_model: m\r\nlora_r: 8\r\n"
