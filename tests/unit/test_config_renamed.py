"""Keys of older axolotl versions and of other tools are told with what to write today."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ftui.config import schema
from ftui.config.fix import modernise
from ftui.config.lint import check
from ftui.config.rules.outdated import fsdp1, removed, renamed, sharegpt, switches
from ftui.config.rules.refused import keys
from ftui.config.rules.rule import Finding, Subject
from ftui.plan.yaml_source import read

RULES = (
    *keys.RULES,
    *renamed.RULES,
    *removed.RULES,
    *switches.RULES,
    *sharegpt.RULES,
    *fsdp1.RULES,
)
OLD, NEW = schema.VERSIONS
TOP = {version: schema.load(version)["properties"] for version in schema.VERSIONS}
PLUGINS = {key for keys in schema.load()["plugins"].values() for key in keys}


def findings(text: str, axolotl: str = NEW) -> list[Finding]:
    subject = Subject(read(text).data, axolotl)
    return [finding for rule in RULES for finding in rule(subject)]


def only(text: str, axolotl: str = NEW) -> Finding:
    [finding] = findings(text, axolotl)
    return finding


def mended(text: str, axolotl: str = "0.21.0") -> Any:
    return yaml.safe_load(modernise(text, axolotl=axolotl))


def nested(place: str, value: Any) -> dict[str, Any]:
    for step in reversed(place.split(".")):
        value = {step: value}
    return dict(value)


# The tables against axolotl's own schema


@pytest.mark.parametrize("new", sorted({*renamed.AXOLOTLS.values(), *renamed.OTHERS.values()}))
def test_what_to_write_today_is_a_key_of_every_axolotl(new: str) -> None:
    for top in TOP.values():
        assert new.partition(".")[0] in {*top, *PLUGINS}


@pytest.mark.parametrize("new", renamed.IN_DATASETS.values())
def test_what_to_write_today_in_a_dataset_is_a_key_of_it(new: str) -> None:
    for version in schema.VERSIONS:
        known = schema.load(version)["$defs"]["SFTDataset"]["properties"]
        assert new.partition(".")[0] in known


def test_a_key_that_axolotl_uses_is_not_called_old() -> None:
    for top in TOP.values():
        assert not renamed.OTHERS.keys() & top.keys()
        assert {key for key in removed.GONE if key in top} == {
            "flash_attn_rms_norm",
            "s2_attention",
        }
        assert not removed.ASK.keys() & top.keys()


@pytest.mark.parametrize(("key", "value"), [*switches.ATTENTION.items()])
def test_an_attention_switch_stands_for_a_name_of_the_schema(key: str, value: str) -> None:
    for top in TOP.values():
        assert key in top
        assert value in top["attn_implementation"]["description"]


# Renamed keys


@pytest.mark.parametrize(("old", "new"), {**renamed.AXOLOTLS, **renamed.OTHERS}.items())
def test_an_old_name_is_told_and_mended(old: str, new: str) -> None:
    text = yaml.safe_dump(nested(old, 0.5))
    finding = only(text)
    assert ".".join(finding.place) == old
    assert f"`{new}: 0.5`" in finding.hint
    after = Subject(mended(text))
    assert after.get(new) == 0.5
    assert after.get(old) is None


@pytest.mark.parametrize(("old", "new"), renamed.IN_DATASETS.items())
@pytest.mark.parametrize("where", ["datasets", "test_datasets"])
def test_an_old_name_in_a_dataset_is_told_and_mended(old: str, new: str, where: str) -> None:
    text = yaml.safe_dump({where: [{"path": "a"}, {"path": "b", old: "x"}]})
    finding = only(text)
    assert finding.place == (where, "1", old)
    assert f"`{new}: x`" in finding.hint
    assert Subject(mended(text)).get(f"{where}.1.{new}") == "x"


@pytest.mark.parametrize(
    ("key", "severity"),
    [
        ("dataset_processes", "warning"),
        ("noisy_embedding_alpha", "warning"),
        ("sequence_parallel_degree", "warning"),
        # axolotl takes these with a warning and then trains without them
        ("evaluation_strategy", "error"),
        ("dpo_beta", "error"),
        ("fsdp_final_state_dict_type", "error"),
        # refused
        ("rope_scaling", "error"),
        # unknown
        ("lora_rank", "error"),
    ],
)
def test_an_old_name_that_still_counts_is_a_warning(key: str, severity: str) -> None:
    assert only(f"{key}: 1\n").severity == severity
    assert only(f"{key}: 1\n", OLD).severity == severity


def test_an_old_name_beside_todays_goes_where_they_agree() -> None:
    assert mended("lora_r: 8\nlora_rank: 8\n") == {"lora_r": 8}


def test_an_old_name_that_says_something_else_is_left_to_the_person() -> None:
    finding = only("lora_r: 8\nlora_rank: 16\n")
    assert (finding.severity, finding.edits, finding.hint) == ("error", (), "keep only lora_r")


def test_an_old_name_with_nothing_may_go() -> None:
    assert findings("evaluation_strategy:\n") == []
    assert mended("max_seq_length:\nlora_r: 8\n") == {"lora_r": 8}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("noisy_embedding_alpha: 5\nneftune_noise_alpha: 5\n", "noisy_embedding_alpha"),
        ("noisy_embedding_alpha: 5\nneftune_noise_alpha: 6\n", "noisy_embedding_alpha"),
        (
            "rl: dpo\ndatasets: [{path: a/b, type: chatml, message_field_role: who}]\n",
            "datasets.0.message_field_role",
        ),
        (
            "datasets: [{path: a/b, type: chat_template, message_field_role: who,"
            " message_property_mappings: {role: x}}]\n",
            "datasets.0.message_field_role",
        ),
    ],
)
def test_one_key_gets_one_message(text: str, place: str) -> None:
    assert [issue.path for issue in check(text)].count(place) == 1


def test_a_packed_length_beside_packing_goes() -> None:
    text = "max_packed_sequence_len: 2048\nsequence_len: 1024\nsample_packing: true\n"
    assert "take it out" in only(text).hint
    assert mended(text) == {"sequence_len": 1024, "sample_packing": True}


def test_rope_scaling_goes_where_the_model_config_is_overridden() -> None:
    scaling = {"type": "linear", "factor": 2.0}
    text = yaml.safe_dump({"rope_scaling": scaling})
    assert mended(text) == {"overrides_of_model_config": {"rope_scaling": scaling}}
    text = yaml.safe_dump({"rope_scaling": scaling, "model_config": {"output_router_logits": True}})
    assert mended(text)["model_config"] == {"output_router_logits": True, "rope_scaling": scaling}


def test_relora_is_turned_on_where_its_steps_once_did() -> None:
    assert mended("relora_steps: 150\n") == {"jagged_restart_steps": 150, "relora": True}


def test_vllm_settings_leave_trl() -> None:
    text = "trl:\n  vllm_dtype: auto\n  beta: 0.1\n"
    assert mended(text) == {"trl": {"beta": 0.1}, "vllm": {"dtype": "auto"}}


# Removed keys


@pytest.mark.parametrize("key", removed.GONE)
def test_a_key_that_is_gone_is_told_and_taken_out(key: str) -> None:
    finding = only(f"{key}: true\n")
    assert (finding.severity, finding.place) == ("error", (key,))
    assert finding.hint
    assert mended(f"base_model: m\n{key}: true\n") == {"base_model": "m"}


@pytest.mark.parametrize("key", removed.ASK)
def test_a_key_that_something_else_stands_in_for_is_left_to_the_person(key: str) -> None:
    assert (only(f"{key}: x\n").severity, only(f"{key}: x\n").edits) == ("error", ())
    assert mended(f"base_model: m\n{key}: false\n") == {"base_model": "m"}


@pytest.mark.parametrize("key", removed.NO_WAY)
def test_a_key_that_axolotl_refuses_even_when_it_is_off(key: str) -> None:
    assert only(f"{key}: false\n").severity == "error"
    assert findings(f"{key}:\n") == []
    assert mended(f"base_model: m\n{key}: false\n") == {"base_model": "m"}


def test_safetensors_cannot_be_turned_off() -> None:
    assert findings("save_safetensors: true\n") == []
    assert mended("base_model: m\nsave_safetensors: false\n") == {"base_model": "m"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"max_packed_sequence_len": 64}, {"sequence_len": 64, "sample_packing": True}),
        (
            {"max_packed_sequence_len": 64, "sequence_len": 64},
            {"sequence_len": 64, "sample_packing": True},
        ),
        ({"max_packed_sequence_len": 64, "sequence_len": 32}, None),
        ({"batch_size": 8, "micro_batch_size": 2}, {"gradient_accumulation_steps": 4}),
        ({"batch_size": 8, "micro_batch_size": 3}, None),
        ({"gc_steps": 5}, {"torch_empty_cache_steps": 5, "gc_collect_steps": 5}),
        ({"gc_steps": -1}, {"gc_collect_steps": -1}),
        ({"eval_table_size": 3}, {"generate_samples": True, "num_generation_samples": 3}),
        ({"eval_table_size": 0}, {}),
        ({"eval_table_size": 0, "eval_max_new_tokens": 9}, {}),
        (
            {"eval_table_size": 3, "eval_max_new_tokens": 9},
            {
                "generate_samples": True,
                "num_generation_samples": 3,
                "generation_max_new_tokens": 9,
            },
        ),
        ({"tokens": {"pad_token": "x"}}, {"special_tokens": {"pad_token": "x"}}),
        ({"pretraining_dataset": {"path": "x"}}, {"pretraining_dataset": [{"path": "x"}]}),
    ],
)
def test_a_key_of_another_shape(before: dict[str, Any], after: dict[str, Any] | None) -> None:
    text = yaml.safe_dump(before)
    assert findings(text)
    result = mended(text) or {}
    if after is None:
        assert result == before
    else:
        kept = {key: before[key] for key in ("micro_batch_size",) if key in before}
        assert result == {**kept, **after}


# Switches and values


@pytest.mark.parametrize(("key", "value"), switches.ATTENTION.items())
def test_an_attention_switch_is_a_choice_today(key: str, value: str) -> None:
    assert only(f"{key}: true\n").severity == "warning"
    assert mended(f"{key}: true\n") == {"attn_implementation": value}
    assert mended(f"base_model: m\n{key}: false\n") == {"base_model": "m"}
    assert findings(f"{key}:\n") == []


def test_of_two_attention_switches_the_one_that_axolotl_takes_stays() -> None:
    assert mended("flash_attention: true\nxformers_attention: true\n") == {
        "attn_implementation": "xformers"
    }


def test_an_attention_switch_beside_the_choice_is_refused_and_goes() -> None:
    text = "attn_implementation: sdpa\nflash_attention: true\n"
    assert only(text).severity == "error"
    assert mended(text) == {"attn_implementation": "sdpa"}


@pytest.mark.parametrize(("key", "today"), switches.SWITCHES.items())
def test_another_switch_is_a_choice_today(key: str, today: tuple[str, Any]) -> None:
    assert mended(f"{key}: true\n") == {today[0]: today[1]}
    assert mended(f"base_model: m\n{key}: false\n") == {"base_model": "m"}


@pytest.mark.parametrize(("old", "today"), switches.VALUES.items())
def test_an_old_value_has_another_spelling(
    old: tuple[str, str], today: tuple[dict[str, Any], bool]
) -> None:
    key, value = old
    assert only(f"{key}: {value}\n").severity == ("warning" if today[1] else "error")
    assert mended(f"{key}: {value}\n") == today[0]


@pytest.mark.parametrize(("old", "local"), switches.EXPERTS.items())
def test_the_way_experts_are_spread_has_a_key_of_its_own(old: str, local: str) -> None:
    text = f"experts_implementation: {old}\n"
    kernel = local in ("scattermoe", "sonicmoe")
    assert mended(text) == ({f"use_{local}": True} if kernel else {"experts_implementation": local})
    assert findings(text, OLD) == []


def test_the_old_block_of_diffusion_is_told() -> None:
    assert only("diffusion: {eps: 0.1}\n").severity == "warning"
    assert findings("diffusion: {eps: 0.1}\n", OLD) == []


def test_a_type_that_is_given_already_is_not_given_twice() -> None:
    assert mended("bf16: auto\ntorch_dtype: bfloat16\n") == {"bf16": "auto"}


def test_offloading_that_was_chosen_otherwise_is_left_to_the_person() -> None:
    text = "gradient_checkpointing: offload\nactivation_offloading: legacy\n"
    assert only(text).edits == ()


# ShareGPT


def test_sharegpt_becomes_a_chat_template() -> None:
    text = "datasets:\n  - path: a  # mine\n    type: sharegpt\n    conversation: chatml\n"
    finding = only(text)
    assert (finding.severity, finding.place) == ("error", ("datasets", "0", "type"))
    assert mended(text) == {
        "datasets": [
            {
                "path": "a",
                "type": "chat_template",
                "field_messages": "conversations",
                "message_property_mappings": {"role": "from", "content": "value"},
            }
        ],
        "chat_template": "chatml",
    }
    assert "# mine" in modernise(text)


@pytest.mark.parametrize(("kind", "shape"), sharegpt.SHAPES.items())
def test_every_kind_of_sharegpt_has_its_fields(kind: str, shape: tuple[str, str, str]) -> None:
    [entry] = mended(f"datasets: [{{path: a, type: '{kind}'}}]\n")["datasets"]
    mappings = entry["message_property_mappings"]
    assert (entry["field_messages"], mappings["role"], mappings["content"]) == shape


def test_sharegpt_keeps_the_names_of_its_speakers() -> None:
    text = "datasets: [{path: a, type: sharegpt, field_human: me, field_model: bot}]\n"
    [entry] = mended(text)["datasets"]
    assert entry["roles"] == {"user": ["me"], "assistant": ["bot"], "system": ["system"]}
    assert "field_human" not in entry


def test_a_chat_template_that_is_there_stays() -> None:
    text = "chat_template: llama3\ndatasets: [{path: a, type: sharegpt, conversation: chatml}]\n"
    assert mended(text)["chat_template"] == "llama3"


def test_a_conversation_is_carried_over_beside_another_template() -> None:
    row = "{path: a, type: sharegpt, conversation: chatml}"
    [entry] = mended(f"chat_template: llama3\ndatasets: [{row}]\n")["datasets"]
    assert entry["chat_template"] == "chatml"
    [entry] = mended(f"chat_template: chatml\ndatasets: [{row}]\n")["datasets"]
    assert "chat_template" not in entry
    row = row.replace("chatml", "chatml, chat_template: gemma")
    [entry] = mended(f"datasets: [{row}]\n")["datasets"]
    assert entry["chat_template"] == "gemma"


def test_datasets_that_disagree_get_a_template_each() -> None:
    entries = [
        {"path": "a", "type": "sharegpt", "conversation": "chatml"},
        {"path": "b", "type": "sharegpt", "conversation": "gemma"},
    ]
    after = mended(yaml.safe_dump({"datasets": entries}))
    assert [entry["chat_template"] for entry in after["datasets"]] == ["chatml", "gemma"]
    assert "chat_template" not in after


@pytest.mark.parametrize(
    "more",
    [
        "type: sharegpt.load_guanaco",
        "type: sharegpt\n    roles: {a: [b]}",
        "type: sharegpt\n    conversation: vicuna_v1.1",
    ],
)
def test_sharegpt_that_cannot_be_carried_over_is_left_to_the_person(more: str) -> None:
    finding = only(f"datasets:\n  - path: a\n    {more}\n")
    assert finding.edits == ()
    assert "chat_template" in finding.hint


# FSDP

FSDP1 = """\
fsdp:
  - full_shard
  - auto_wrap
fsdp_config:
  fsdp_limit_all_gathers: true
  fsdp_sync_module_states: true
  fsdp_offload_params: true
  fsdp_use_orig_params: false
  fsdp_cpu_ram_efficient_loading: true
  fsdp_transformer_layer_cls_to_wrap: LlamaDecoderLayer
  fsdp_state_dict_type: FULL_STATE_DICT
  fsdp_sharding_strategy: FULL_SHARD
"""
FSDP2 = {
    "fsdp_version": 2,
    "fsdp_config": {
        "offload_params": True,
        "cpu_ram_efficient_loading": True,
        "transformer_layer_cls_to_wrap": "LlamaDecoderLayer",
        "state_dict_type": "FULL_STATE_DICT",
        "reshard_after_forward": True,
        "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
    },
}


@pytest.mark.parametrize("version", schema.VERSIONS)
def test_fsdp1_becomes_fsdp2(version: str) -> None:
    assert mended(FSDP1, version) == FSDP2


def test_fsdp1_is_refused_by_the_axolotl_that_has_it_no_more() -> None:
    severities = {axolotl: findings(FSDP1, axolotl)[0].severity for axolotl in (OLD, NEW)}
    assert severities == {OLD: "warning", NEW: "error"}


def test_a_prefix_alone_is_a_warning() -> None:
    text = "fsdp_version: 2\nfsdp_config:\n  fsdp_state_dict_type: FULL_STATE_DICT\n"
    assert only(text).severity == "warning"
    assert mended(text)["fsdp_config"] == {"state_dict_type": "FULL_STATE_DICT"}


def test_fsdp_without_a_version_is_fsdp1_only_where_that_still_exists() -> None:
    text = "fsdp_config: {offload_params: true}\n"
    assert only(text, OLD).place == ("fsdp_config",)
    assert findings(text, NEW) == []


@pytest.mark.parametrize("place", ["fsdp_version", "fsdp_config.fsdp_version"])
def test_a_version_other_than_2_is_raised(place: str) -> None:
    config: dict[str, Any] = {"fsdp_config": {"offload_params": True}}
    key, _, inner = place.partition(".")
    config[key] = {**config["fsdp_config"], inner: 1} if inner else 1
    assert Subject(mended(yaml.safe_dump(config))).get(place) == 2


def test_what_fsdp2_does_not_take_goes_with_fsdp1() -> None:
    text = FSDP1 + "optimizer: adamw_bnb_8bit\nload_in_4bit: true\n"
    assert mended(text)["optimizer"] == "adamw_torch_8bit"
    assert mended(text, "0.19.0")["fsdp_config"]["cpu_ram_efficient_loading"] is False
    assert mended(text, "0.21.0")["fsdp_config"]["cpu_ram_efficient_loading"] is True


@pytest.mark.parametrize(
    "text",
    [
        "fsdp: [hybrid_shard]\n",
        "fsdp: [no_shard]\n",
        "fsdp: [full_shard]\nrl: dpo\nload_in_4bit: true\n",
        "fsdp_version: 2\nfsdp_config: {sharding_strategy: HYBRID_SHARD}\n",
    ],
)
def test_what_fsdp2_cannot_do_is_left_to_the_person(text: str) -> None:
    assert findings(text)
    assert all(finding.edits == () for finding in findings(text))


@pytest.mark.parametrize("word", fsdp1.OPTIONS)
def test_every_word_of_the_list_is_carried_over(word: str) -> None:
    key, value = fsdp1.OPTIONS[word]
    assert mended(f"fsdp: [{word}]\n") == {"fsdp_version": 2, "fsdp_config": {key: value}}
    assert mended(f"fsdp: {word}\n") == {"fsdp_version": 2, "fsdp_config": {key: value}}


@pytest.mark.parametrize("size", ["fsdp_min_num_params", "min_num_params"])
def test_wrapping_by_size_stays_so(size: str) -> None:
    text = f"fsdp: [full_shard, auto_wrap]\nfsdp_config: {{{size}: 2000}}\n"
    assert mended(text)["fsdp_config"]["auto_wrap_policy"] == "SIZE_BASED_WRAP"


def test_a_misspelt_key_with_a_prefix_is_told_with_the_real_one() -> None:
    text = "fsdp_version: 2\nfsdp_config: {fsdp_offload_parms: true}\n"
    finding = only(text)
    assert (finding.severity, finding.hint) == ("error", "did you mean offload_params?")
    assert mended(text)["fsdp_config"] == {"offload_params": True}


def test_an_empty_fsdp_list_says_nothing() -> None:
    assert findings("fsdp:\n", OLD) == []
    assert mended("base_model: m\nfsdp:\n") == {"base_model": "m"}
    assert mended("base_model: m\nfsdp: []\n") == {"base_model": "m"}


# Keys that are no text


@pytest.mark.parametrize("key", ["1", "1.5", "yes", "null", "2024-01-01"])
def test_a_key_that_is_no_text_is_told(key: str) -> None:
    finding = only(f"{key}: 1\n")
    assert finding.severity == "error"
    assert "a key must be text" in finding.message


# Whatever the values


@pytest.mark.parametrize("value", [None, True, 0, -1, "", "x", [], [1], {}, {"a": 1}, 1.5, [None]])
@pytest.mark.parametrize("axolotl", [OLD, NEW])
def test_a_value_of_any_type_gets_an_answer(value: Any, axolotl: str) -> None:
    olds = {
        **renamed.AXOLOTLS,
        **renamed.OTHERS,
        **dict.fromkeys([*removed.GONE, *removed.NO_WAY, *removed.ASK]),
        **dict.fromkeys([*switches.ATTENTION, *switches.SWITCHES]),
        **dict.fromkeys(key for key, _ in switches.VALUES),
        **dict.fromkeys(["datasets", "fsdp", "fsdp_config", "fsdp_version", "tokens", "gc_steps"]),
        **dict.fromkeys(["batch_size", "eval_table_size", "max_packed_sequence_len"]),
    }
    for key in olds:
        config = nested(key, value)
        subject = Subject(config, axolotl)
        for rule in RULES:
            assert all(finding.place[0] in config for finding in rule(subject))


def test_a_share_of_the_run_is_no_number_of_warm_up_steps() -> None:
    assert mended("warmup_steps: 0.1\n") == {"warmup_ratio": 0.1}
    assert only("warmup_steps: 0.1\nwarmup_ratio: 0.1\n").edits == ()
    assert findings("warmup_steps: 10\n") == []
