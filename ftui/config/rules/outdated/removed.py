"""Keys that are gone: axolotl refuses them or ignores them, and no other key says the same.

Sources: the schemas of every axolotl version since 0.1, and what 0.19 and 0.21 still read of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ftui.config.edit import Drop, Edit, Put, Rename
from ftui.config.rules.outdated.renamed import removal
from ftui.config.rules.rule import Finding, Rule, Subject, error, warning

_GPTQ = "axolotl reads this from the quantized model itself: take the line out"
_OWN_WAY = "axolotl decides this itself: take the line out"
_FLAG = "`axolotl train --debug` does this today: take the line out"
_LIGER = (
    "the Liger plugin speeds this up today: `plugins: [axolotl.integrations.liger.LigerPlugin]`"
)

GONE: Mapping[str, str] = {
    "base_model_ignore_patterns": "axolotl takes the safetensors files: take the line out",
    "collator_pad_to_longest": "see pad_to_sequence_len; a batch is padded to its longest row",
    "debug": _FLAG,
    "do_eval": "val_set_size or test_datasets turn evaluation on: take the line out",
    "do_train": "`axolotl train` trains: take the line out",
    "flash_attn_fuse_qkv": "the projections stay apart today: take the line out",
    "flash_attn_rms_norm": _LIGER,
    "full_finetune": "without `adapter` all weights are trained: take the line out",
    "gptq_bits": _GPTQ,
    "gptq_disable_exllama": _GPTQ,
    "gptq_groupsize": _GPTQ,
    "gptq_model_v1": _GPTQ,
    "gradient_checkpointing_ratio": "`gradient_checkpointing: true` covers every layer",
    "inference": "`axolotl inference` does this: take the line out",
    "kd_top_k_before_softmax": "distillation has no such choice any more: take the line out",
    "kd_zscore_base_temp": "see kd_temperature; take the line out",
    "landmark_attention": "choose an attn_implementation; for long rows see context_parallel_size",
    "log_sweep_max_lr": "there is no learning-rate sweep any more: take the line out",
    "log_sweep_min_lr": "there is no learning-rate sweep any more: take the line out",
    "logging_dir": "logs go to output_dir: take the line out",
    "lora_out_dir": "the adapter goes to output_dir: take the line out",
    "overwrite_output_dir": "axolotl writes into output_dir whatever is there: take the line out",
    "s2_attention": "choose an attn_implementation, flash_attention_2 is the nearest",
    "sample_packing_seq_len_multiplier": _OWN_WAY,
    "test_value": "it came from a test and never had an effect: take the line out",
    "unsloth_cross_entropy_loss": (
        "the plugin axolotl.integrations.cut_cross_entropy.CutCrossEntropyPlugin does this today"
    ),
    "unsloth_rms_norm": _LIGER,
    "unsloth_rope": _LIGER,
    "xpos_rope": "see rope_scaling under overrides_of_model_config; take the line out",
}
"""Keys that can go without a change in what axolotl does today, and what there is instead."""

NO_WAY: Mapping[str, str] = {
    "dpo_norm_loss": "TRL has no such loss any more; see dpo_loss_type",
    "dpo_use_logits_to_keep": "TRL decides this itself: take the line out",
    "dpo_generate_during_eval": "TRL does not generate in evaluations any more: take the line out",
    "rpo_alpha": "TRL mixes losses with dpo_loss_type and dpo_loss_weights today",
}
"""Keys that axolotl refuses whatever their value, even `false`."""

ASK: Mapping[str, str] = {
    "eta_min": "see cosine_min_lr_ratio: the smallest learning rate as a share of the largest",
    "load_4bit": "for 4-bit weights write `load_in_4bit: true`; for a GPTQ model `gptq: true`",
    "push_to_hub": "hub_model_id names the repository to push to",
    "report_to": "see use_wandb, use_mlflow, use_comet and use_tensorboard",
    "bnb_4bit_compute_dtype": "see bnb_config_kwargs; axolotl computes in bf16 where it can",
    "bnb_4bit_quant_type": "see bnb_config_kwargs; axolotl takes nf4",
    "bnb_4bit_use_double_quant": "see bnb_config_kwargs; axolotl does so already",
}
"""Keys that something else stands in for, which only the writer of the config can choose."""

_DROPPED = {"dpo_use_logits_to_keep", "dpo_generate_during_eval"}


def gone_keys(subject: Subject) -> Iterator[Finding]:
    """Keys that are no more. One that axolotl would still take in silence when it is off may go."""
    top = subject.known_keys
    for key, hint in GONE.items():
        if key not in subject.config or (subject.get(key) is None and key in top):
            continue
        tell = error if subject.on(key) or key not in top else warning
        yield tell(key, f"axolotl has no {key} any more", hint, Drop((key,)))


def refused_keys(subject: Subject) -> Iterator[Finding]:
    """Keys that axolotl refuses as soon as they have a value."""
    for key, hint in NO_WAY.items():
        if subject.has(key):
            edits = (Drop((key,)),) if key in _DROPPED or not subject.on(key) else ()
            yield error(key, f"axolotl has no {key} any more and refuses it", hint, *edits)
    if subject.has("save_safetensors") and not subject.on("save_safetensors"):
        message = "weights are always written as safetensors today"
        yield error("save_safetensors", message, "take the line out", Drop(("save_safetensors",)))


def unused_keys(subject: Subject) -> Iterator[Finding]:
    """Keys that axolotl ignores and whose meaning is to be said in another way."""
    for key, hint in ASK.items():
        if key in subject.config and key not in subject.known_keys:
            edits = () if subject.on(key) else (Drop((key,)),)
            yield error(key, f"axolotl has no {key} and would ignore it", hint, *edits)
    for key in ("ring_attn_func", "heads_k_stride"):
        if subject.has(key) and subject.axolotl >= (0, 20):
            message = f"axolotl does not use {key} any more"
            yield warning(key, message, "take the line out", removal(subject, (key,)))


def packed_length(subject: Subject) -> Iterator[Finding]:
    """`max_packed_sequence_len`: rows joined to a length of its own, before `sample_packing`."""
    key = "max_packed_sequence_len"
    if not subject.has(key):
        return
    packed = subject.on("sample_packing")
    write = "take it out" if packed else "write `sample_packing: true`"
    hint = f"{write}; rows are packed to sequence_len"
    if not subject.on(key):
        yield warning(key, f"axolotl has no {key} any more", hint, Drop((key,)))
        return
    length, longest = subject.number(key), subject.number("sequence_len")
    edits: tuple[Edit, ...] = ()
    if packed and longest:
        edits = (Drop((key,)),)
    elif longest in (None, length):
        named = Drop((key,)) if longest else Rename((key,), "sequence_len")
        edits = (named, Put(("sample_packing",), True))
    yield error(key, f"axolotl has no {key} any more and refuses it", hint, *edits)


def token_mapping(subject: Subject) -> Iterator[Finding]:
    """`tokens:` as a mapping, which is `special_tokens` today; as a list it adds plain tokens."""
    if isinstance(subject.get("tokens"), Mapping):
        message = "tokens is a list of new tokens today; names such as pad_token have another key"
        edits = () if subject.has("special_tokens") else (Rename(("tokens",), "special_tokens"),)
        yield error("tokens", message, "write `special_tokens:` above them", *edits)


def pretraining_mapping(subject: Subject) -> Iterator[Finding]:
    """`pretraining_dataset:` as one mapping, which is an item of a list today."""
    value = subject.get("pretraining_dataset")
    if isinstance(value, Mapping):
        message = "pretraining_dataset is a list of datasets today"
        place = ("pretraining_dataset",)
        yield error(place, message, "write `- ` before its first key", Put(place, [dict(value)]))


def batch_size(subject: Subject) -> Iterator[Finding]:
    """`batch_size`: axolotl works out gradient_accumulation_steps from it, and advises against."""
    batch, micro = subject.number("batch_size"), subject.number("micro_batch_size")
    if not batch:
        return
    message = "batch_size is an old way to say gradient_accumulation_steps"
    if subject.number("gradient_accumulation_steps"):
        yield error("batch_size", f"{message}; axolotl refuses both", "keep only the other")
    elif micro and batch % micro == 0:
        steps = int(batch // micro)
        hint = f"write `gradient_accumulation_steps: {steps}`, which is batch_size/micro_batch_size"
        place = ("batch_size",)
        edits = (Put(place, steps), Rename(place, "gradient_accumulation_steps"))
        yield warning("batch_size", message, hint, *edits)
    else:
        yield warning("batch_size", message, "it is batch_size divided by micro_batch_size")


def prediction_tables(subject: Subject) -> Iterator[Finding]:
    """`eval_table_size`: sample answers during training have keys of their own today."""
    asked = subject.on("eval_table_size")
    if asked:
        count = subject.get("eval_table_size")
        message = "eval_table_size is an old way to ask for sample answers during training"
        hint = f"write `generate_samples: true` and `num_generation_samples: {count}`"
        rename = Rename(("eval_table_size",), "num_generation_samples")
        yield warning("eval_table_size", message, hint, rename, Put(("generate_samples",), True))
    elif subject.has("eval_table_size"):
        message = "eval_table_size is an old key"
        yield warning("eval_table_size", message, _EMPTY, Drop(("eval_table_size",)))
    for key, tell in (("eval_max_new_tokens", warning), ("eval_table_max_new_tokens", error)):
        if key not in subject.config or (tell is warning and not subject.has(key)):
            continue
        new = "generation_max_new_tokens"
        message = f"{key} is an old name of {new}"
        if subject.has(new) or not (asked or subject.on("generate_samples")):
            yield tell(key, message, "it has no effect here: take it out", Drop((key,)))
        else:
            yield tell(key, message, f"write `{new}`", Rename((key,), new))


_EMPTY = "it says nothing here: take it out"


def collector_steps(subject: Subject) -> Iterator[Finding]:
    """`gc_steps`: one number for what are two settings today."""
    key = "gc_steps"
    if not subject.has(key):
        return
    steps, message = subject.get(key), "gc_steps is an old name of two settings"
    hint = f"write `torch_empty_cache_steps: {steps}` and `gc_collect_steps: {steps}`"
    if subject.has("torch_empty_cache_steps") or subject.has("gc_collect_steps"):
        yield warning(key, f"{message}, which are here too", "take it out", Drop((key,)))
        return
    cache = (Put(("torch_empty_cache_steps",), steps),) if (subject.number(key) or 0) > 0 else ()
    yield warning(key, message, hint, Rename((key,), "gc_collect_steps"), *cache)


def old_diffusion(subject: Subject) -> Iterator[Finding]:
    """`diffusion:`, which the plugin of that name still carries over to `diffusion_lm`."""
    if subject.has("diffusion") and subject.axolotl >= (0, 20):
        hint = "write `diffusion_lm:` with `from_causal_lm: true` inside, and take the plugin out"
        yield warning("diffusion", "diffusion is an old name of diffusion_lm", hint)


RULES: tuple[Rule, ...] = (
    gone_keys,
    refused_keys,
    unused_keys,
    packed_length,
    token_mapping,
    pretraining_mapping,
    batch_size,
    prediction_tables,
    collector_steps,
    old_diffusion,
)
