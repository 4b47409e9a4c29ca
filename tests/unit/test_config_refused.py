"""What axolotl refuses is told at the key to change; what is nearly that passes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ftui.config.edit_text import apply_edits
from ftui.config.rules.refused import RULES
from ftui.config.rules.rule import Finding, Subject
from ftui.config.rules.table import Row, refuses
from ftui.config.schema import VERSIONS, load
from ftui.plan.hardware import Gpu

OLD, NEW = VERSIONS
CARD = Gpu("NVIDIA A10", 24, "sm_86")


def refused(text: str, axolotl: str = NEW, gpus: tuple[Gpu, ...] | None = (CARD,)) -> list[Finding]:
    subject = Subject({"datasets": [{"path": "a"}], **yaml.safe_load(text)}, axolotl, gpus)
    return [finding for rule in RULES for finding in rule(subject)]


def places(text: str, axolotl: str = NEW) -> list[str]:
    return [".".join(finding.place) for finding in refused(text, axolotl)]


BOTH = [
    # what is refused, where, and what is nearly the same and taken
    ("{batch_size: 8}", "batch_size", "{batch_size: 8, micro_batch_size: 2}"),
    (
        "{batch_size: 8, micro_batch_size: 2, gradient_accumulation_steps: 4}",
        "batch_size",
        "{micro_batch_size: 2, gradient_accumulation_steps: 4}",
    ),
    (
        "{warmup_steps: 10, warmup_ratio: 0.1}",
        "warmup_ratio",
        "{warmup_steps: 0, warmup_ratio: 0.1}",
    ),
    ("{save_steps: 10, saves_per_epoch: 1}", "save_steps", "{save_steps: 10}"),
    (
        "{save_steps: 10, save_strategy: epoch}",
        "save_steps",
        "{save_steps: 10, save_strategy: steps}",
    ),
    (
        "{save_strategy: best}",
        "save_strategy",
        "{save_strategy: best, metric_for_best_model: eval_loss}",
    ),
    ("{eval_steps: 10, evals_per_epoch: 1}", "eval_steps", "{eval_steps: 10}"),
    (
        "{eval_steps: 10, eval_strategy: epoch}",
        "eval_steps",
        "{eval_steps: 10, eval_strategy: steps}",
    ),
    (
        "{eval_steps: 10, evaluation_strategy: epoch}",
        "eval_steps",
        "{evaluation_strategy: epoch}",
    ),
    (
        "{evals_per_epoch: 1, eval_strategy: epoch}",
        "evals_per_epoch",
        "{evals_per_epoch: 1, eval_strategy: steps}",
    ),
    ("{eval_steps: 10, val_set_size: 0}", "eval_steps", "{eval_steps: 10, val_set_size: 0.1}"),
    (
        "{eval_strategy: epoch, val_set_size: 0}",
        "eval_strategy",
        "{eval_strategy: 'no', val_set_size: 0}",
    ),
    ("{do_bench_eval: true}", "do_bench_eval", "{do_bench_eval: true, evals_per_epoch: 1}"),
    (
        "{early_stopping_patience: 2}",
        "early_stopping_patience",
        "{early_stopping_patience: 2, save_steps: 20, eval_steps: 10}",
    ),
    (
        "{early_stopping_patience: 2, save_steps: 25, eval_steps: 10}",
        "early_stopping_patience",
        "{early_stopping_patience: 0, save_steps: 25, eval_steps: 10}",
    ),
    (
        "{noisy_embedding_alpha: 5, neftune_noise_alpha: 5}",
        "noisy_embedding_alpha",
        "{neftune_noise_alpha: 5}",
    ),
    ("{max_memory: {0: 1GB}, gpu_memory_limit: 20}", "max_memory", "{gpu_memory_limit: 20}"),
    ("{datasets: []}", "datasets", "{datasets: [{path: a}]}"),
    ("{test_datasets: []}", "test_datasets", "{test_datasets: null}"),
    ("{tokenizer_config: null}", "tokenizer_config", "{tokenizer_config: some/model}"),
    ("{gc_steps: '5'}", "gc_steps", "{gc_steps: 5}"),
    ("{noisy_embedding_alpha: -1}", "noisy_embedding_alpha", "{noisy_embedding_alpha: 1}"),
    ("{plugins: [liger]}", "plugins.0", "{plugins: [my.Plugin]}"),
    ("{image_size: [5]}", "image_size", "{image_size: [512, 512]}"),
    ("{flash_optimum: true}", "flash_optimum", "{flash_optimum: true, bf16: false}"),
    (
        "{ple_cpu_offload: true, adapter: lora}",
        "ple_cpu_offload",
        "{ple_cpu_offload: true, adapter: lora, load_in_8bit: true}",
    ),
    ("{datasets: null}", "datasets", "{datasets: null, pretraining_dataset: a, max_steps: 5}"),
    (
        "{push_dataset_to_hub: a/b}",
        "push_dataset_to_hub",
        "{push_dataset_to_hub: a/b, hf_use_auth_token: true}",
    ),
    (
        "{val_set_size: 0.1, test_datasets: [{path: a}]}",
        "val_set_size",
        "{val_set_size: 0, test_datasets: [{path: a}]}",
    ),
    (
        "{sample_packing: true, eval_table_size: 5}",
        "eval_table_size",
        "{sample_packing: true, eval_table_size: 5, eval_sample_packing: false}",
    ),
    ("{streaming: true}", "max_steps", "{streaming: true, max_steps: 10}"),
    (
        "{pretraining_dataset: a, max_steps: 10, val_set_size: 0.1}",
        "val_set_size",
        "{pretraining_dataset: a, max_steps: 10, val_set_size: 0}",
    ),
    (
        "{dataset_exact_deduplication: true, skip_prepare_dataset: true}",
        "dataset_exact_deduplication",
        "{dataset_exact_deduplication: true}",
    ),
    (
        "{streaming: true, max_steps: 1, sample_packing: true, datasets: [{path: a}, {path: b}]}",
        "sample_packing",
        "{streaming: true, max_steps: 1, sample_packing: true}",
    ),
    (
        "{chat_template: jinja}",
        "chat_template",
        "{chat_template: jinja, chat_template_jinja: '{{ messages }}'}",
    ),
    (
        "{datasets: [{path: a, chat_template: jinja}]}",
        "datasets.0.chat_template",
        "{rl: dpo, datasets: [{path: a, chat_template: jinja}]}",
    ),
    (
        "{tokenizer_use_mistral_common: true, special_tokens: {pad_token: x}}",
        "special_tokens",
        "{tokenizer_use_mistral_common: false, special_tokens: {pad_token: x}}",
    ),
    ("{load_in_8bit: true}", "load_in_8bit", "{load_in_8bit: true, adapter: lora}"),
    ("{load_in_4bit: true}", "load_in_4bit", "{load_in_4bit: true, adapter: qlora}"),
    ("{adapter: qlora}", "adapter", "{adapter: qlora, load_in_4bit: true}"),
    (
        "{adapter: qlora, load_in_4bit: true, load_in_8bit: true}",
        "load_in_8bit",
        "{adapter: lora, load_in_8bit: true}",
    ),
    ("{adapter: loraa}", "adapter", "{adapter: lora}"),
    (
        "{adapter: mora}",
        "adapter",
        "{adapter: mora, plugins: [axolotl.integrations.mora.MoraPlugin]}",
    ),
    (
        "{adapter: lora, lora_qkv_kernel: true, load_in_8bit: true}",
        "lora_qkv_kernel",
        "{adapter: lora, lora_qkv_kernel: false, load_in_8bit: true}",
    ),
    (
        "{adapter: lora, lora_o_kernel: true, trust_remote_code: true}",
        "lora_o_kernel",
        "{adapter: lora, trust_remote_code: true}",
    ),
    (
        "{adapter: lora, lora_target_parameters: [x], lora_dropout: 0.1}",
        "lora_dropout",
        "{adapter: lora, lora_target_parameters: [x], lora_dropout: 0.0}",
    ),
    (
        "{adapter: lora, lora_target_modules: [q_proj, '(']}",
        "lora_target_modules.1",
        "{adapter: lora, lora_target_modules: [q_proj, 'layers.*.v_proj']}",
    ),
    (
        "{relora: true, adapter: lora}",
        "jagged_restart_steps",
        "{relora: true, adapter: lora, jagged_restart_steps: 10}",
    ),
    (
        "{relora: true, jagged_restart_steps: 10}",
        "relora",
        "{relora: false, jagged_restart_steps: 10}",
    ),
    (
        "{qat: {weight_dtype: int8}, peft: {}, load_in_4bit: true, adapter: lora}",
        "load_in_4bit",
        "{qat: {weight_dtype: int8}}",
    ),
    (
        "{adapter: lora, quantize_moe_experts: true}",
        "quantize_moe_experts",
        "{adapter: lora, quantize_moe_experts: true, load_in_8bit: true}",
    ),
    ("{attn_implementation: flash}", "attn_implementation", "{attn_implementation: sdpa}"),
    (
        "{attn_implementation: flash_atention_2}",
        "attn_implementation",
        "{attn_implementation: kernels-community/flash-attn3}",
    ),
    (
        "{scaling_softmax: true}",
        "scaling_softmax",
        "{scaling_softmax: true, attn_implementation: flex_attention}",
    ),
    (
        "{batch_flattening: true, attn_implementation: sdpa}",
        "batch_flattening",
        "{batch_flattening: auto, attn_implementation: sdpa}",
    ),
    (
        "{activation_offloading: true}",
        "activation_offloading",
        "{activation_offloading: true, gradient_checkpointing: true}",
    ),
    (
        "{selective_checkpointing: true}",
        "selective_checkpointing",
        "{selective_checkpointing: true, gradient_checkpointing: true}",
    ),
    (
        "{torch_compile_options: {shape_padding: true}}",
        "torch_compile_options",
        "{torch_compile: auto, torch_compile_options: {shape_padding: true}}",
    ),
    (
        "{torch_compile: true, torch_compile_options: {cpp_wrapper: true}}",
        "torch_compile_options.cpp_wrapper",
        "{torch_compile: true, torch_compile_options: {triton.cudagraphs: true}}",
    ),
    (
        "{base_model: a/prompt-model, gradient_checkpointing: true}",
        "gradient_checkpointing",
        "{base_model: a/prompt-model, gradient_checkpointing: false}",
    ),
    (
        "{fsdp_version: 2, fsdp_config: {auto_wrap_policy: SIZE_BASED_WRAP}}",
        "fsdp_config.auto_wrap_policy",
        "{fsdp_version: 2, fsdp_config: {auto_wrap_policy: SIZE_BASED_WRAP, min_num_params: 9}}",
    ),
    (
        "{fsdp_version: 2, fsdp_config: {offload_params: true}, optimizer: adamw_bnb_8bit}",
        "optimizer",
        "{fsdp_version: 2, fsdp_config: {offload_params: true}, optimizer: adamw_torch_8bit}",
    ),
    (
        "{fsdp_version: 2, fsdp_config: {cpu_offload_pin_memory: false}}",
        "fsdp_config.cpu_offload_pin_memory",
        "{fsdp_version: 2, fsdp_config: {cpu_offload_pin_memory: false, offload_params: true}}",
    ),
    ("{fp8_config: {recipe: rowwise}}", "fp8_config", "{fp8: true, fp8_config: {recipe: rowwise}}"),
    ("{fp32_norms: true}", "fp32_norms", "{fp32_norms: true, fsdp_version: 2, fsdp_config: {}}"),
    (
        "{do_causal_lm_eval: true, sample_packing: true}",
        "do_causal_lm_eval",
        "{do_causal_lm_eval: true, sample_packing: true, eval_sample_packing: false}",
    ),
    ("{optimizer: muon, deepspeed: x.json}", "optimizer", "{optimizer: muon}"),
    ("{optimizer: polora}", "optimizer", "{optimizer: polora, adapter: lora}"),
    (
        "{optimizer: polora, adapter: lora, peft_use_dora: true}",
        "peft_use_dora",
        "{optimizer: adamw_torch, adapter: lora, peft_use_dora: true}",
    ),
    (
        "{optimizer: q_galore_adamw8bit, adapter: lora}",
        "optimizer",
        "{optimizer: q_galore_adamw8bit}",
    ),
    (
        "{chunked_cross_entropy: true, liger_cross_entropy: true}",
        "liger_cross_entropy",
        "{chunked_cross_entropy: true, liger_cross_entropy: false}",
    ),
    ("{rl: dpo, sample_packing: true}", "sample_packing", "{rl: dpo, sample_packing: false}"),
    ("{rl: kto}", "remove_unused_columns", "{rl: kto, remove_unused_columns: false}"),
    (
        "{rl: dpo, dpo_loss_weights: [1]}",
        "dpo_loss_weights",
        "{rl: dpo, dpo_loss_weights: [1], dpo_loss_type: [ipo]}",
    ),
    (
        "{rl: dpo, dpo_loss_weights: [1], dpo_loss_type: [ipo, sft]}",
        "dpo_loss_weights",
        "{rl: dpo, dpo_loss_type: [ipo, sft]}",
    ),
    ("{dpo_loss_type: [ipo]}", "dpo_loss_type", "{rl: dpo, dpo_loss_type: [ipo]}"),
    ("{rl: simpo, warmup_ratio: 0.1}", "warmup_ratio", "{rl: simpo, warmup_steps: 10}"),
    (
        "{rl: grpo, trl: {num_generations: 1}}",
        "trl.num_generations",
        "{rl: grpo, trl: {num_generations: 2}, micro_batch_size: 4}",
    ),
    (
        "{rl: grpo, trl: {num_generations: 4}, micro_batch_size: 2}",
        "trl.num_generations",
        "{rl: grpo, trl: {num_generations: 4, generation_batch_size: 8}, micro_batch_size: 2}",
    ),
    ("{rl: ebft}", "rl", "{rl: ebft, ebft: {mode: structured}}"),
    ("{save_safetensors: false}", "save_safetensors", "{save_safetensors: true}"),
    ("{neftune_noise_alpha: 0}", "neftune_noise_alpha", "{neftune_noise_alpha: 5}"),
    ("{learning_rate: fast}", "learning_rate", "{learning_rate: 2e-4}"),
    (
        "{eval_causal_lm_metrics: [blue]}",
        "eval_causal_lm_metrics.0",
        "{eval_causal_lm_metrics: [ter]}",
    ),
    (
        "{processor_kwargs: {revision: x}}",
        "processor_kwargs.revision",
        "{processor_kwargs: {min_pixels: 4}}",
    ),
    (
        "{plugins: [axolotl.integrations.cut_cross_entropy.CutCrossEntropyPlugin], "
        "cut_cross_entropy: true}",
        "cut_cross_entropy",
        "{cut_cross_entropy: true}",
    ),
    (
        "{plugins: [axolotl.integrations.liger.LigerPlugin], liger_rms_norm: true, "
        "tensor_parallel_size: 2}",
        "liger_rms_norm",
        "{plugins: [axolotl.integrations.liger.LigerPlugin], liger_rms_norm: true}",
    ),
    (
        "{plugins: [axolotl.integrations.kernels.KernelsPlugin], use_scattermoe: true, "
        "use_sonicmoe: true}",
        "use_sonicmoe",
        "{use_scattermoe: true, use_sonicmoe: true}",
    ),
]


@pytest.mark.parametrize("axolotl", [OLD, NEW], ids=["0.19", "0.21"])
@pytest.mark.parametrize(("bad", "place", "good"), BOTH)
def test_both_versions_refuse(bad: str, place: str, good: str, axolotl: str) -> None:
    assert places(bad, axolotl) == [place]
    assert places(good, axolotl) == []


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("{deepspeed: a.json, fsdp: [x]}", ["deepspeed"], []),
        ("{deepspeed: a.json, fsdp_config: {offload_params: true}}", [], ["deepspeed"]),
        ("{optimizer: muon, fsdp_config: {offload_params: true}}", ["optimizer"], []),
        (
            "{optimizer: adamw_torch_8bit, fsdp_config: {offload_params: true}}",
            ["optimizer"],
            [],
        ),
        ("{context_parallel_size: 2}", ["context_parallel_size"], []),
        (
            "{context_parallel_size: 2, attn_implementation: eager}",
            ["context_parallel_size"],
            ["context_parallel_size"],
        ),
        ("{tensor_parallel_size: 2, optimizer: adamw_8bit}", [], ["optimizer"]),
        ("{base_model: a/falcon, fsdp_config: {offload_params: true}}", [], ["fsdp_config"]),
        (
            "{rl: ipo, dpo_use_liger_kernel: true}",
            ["dpo_use_liger_kernel"],
            [],
        ),
        (
            "{fsdp_config: {offload_params: true, cpu_offload_pin_memory: false}}",
            ["fsdp_config.cpu_offload_pin_memory"],
            [],
        ),
        ("{export: {quantize: [q4_k_m, q9]}}", [], ["export.quantize.1"]),
        ("{export: {quantize: q9}}", [], ["export.quantize"]),
        ("{use_dft: true, rl: dpo}", [], ["use_dft"]),
        ("{expert_parallel_size: 2}", [], ["expert_parallel_size"]),
        ("{adapter: lora, lora_fp32_gradients: true}", [], []),
        ("{lora_fp32_gradients: true}", [], ["lora_fp32_gradients"]),
        (
            "{torch_compile: true, torch_compile_regional: true, gradient_checkpointing: true}",
            [],
            ["torch_compile_regional"],
        ),
    ],
)
def test_versions_refuse_different_things(text: str, old: list[str], new: list[str]) -> None:
    assert (places(text, OLD), places(text, NEW)) == (old, new)


def test_what_depends_on_the_number_of_gpus() -> None:
    grpo = "{rl: grpo, trl: {num_generations: 4}, micro_batch_size: 4}"
    assert not refused(grpo, OLD, (CARD,))
    assert refused(grpo, OLD, (CARD, CARD))
    assert not refused(grpo, NEW, (CARD, CARD))
    small = "{rl: grpo, trl: {num_generations: 4}, micro_batch_size: 2}"
    assert refused(small, OLD, None)
    assert not refused(small, NEW, None)
    reentrant = (
        "{rl: dpo, adapter: qlora, load_in_4bit: true, gradient_checkpointing: true, "
        "gradient_checkpointing_kwargs: {use_reentrant: true}}"
    )
    assert not refused(reentrant, NEW, (CARD,))
    assert refused(reentrant, NEW, (CARD, CARD))


def test_every_refusal_says_why_and_what_to_do() -> None:
    found = [finding for bad, _, _ in BOTH for finding in refused(bad)]
    assert all(finding.severity == "error" and finding.message for finding in found)
    assert all(finding.hint for finding in found)


def test_a_condition_that_cannot_be_read_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="no condition"):
        refuses([Row("a", "a && b", "", "")])


@given(
    st.sampled_from(sorted(load()["properties"])),
    st.sampled_from(sorted(load()["properties"])),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    ),
    st.sampled_from([OLD, NEW]),
)
def test_no_value_of_any_key_is_too_odd(first: str, second: str, value: Any, axolotl: str) -> None:
    config = {"rl": "grpo", "plugins": ["a.KernelsPlugin"], first: value, second: value}
    subject = Subject(config, axolotl, (CARD,))
    for rule in RULES:
        assert all(finding.message for finding in rule(subject))


def test_an_edit_mends_what_it_is_for() -> None:
    mended = 0
    for bad, _, _ in BOTH:
        text = f"datasets: [{{path: a}}]\n{yaml.safe_dump(yaml.safe_load(bad))}"
        for finding in refused(text):
            if finding.edits:
                after = refused(apply_edits(text, finding.edits))
                assert finding.message not in [each.message for each in after]
                mended += 1
    assert mended >= 8
