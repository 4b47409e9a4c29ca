"""axolotl's own messages in plain words, with what to do.

axolotl's validator is pydantic, and its words are for programmers: "Input should be a valid
integer, unable to parse string as an integer". What is not known here passes unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from ftui.config.issue import Issue

ALTERNATIVES = "; or: "
"""What the worker puts between pydantic's complaints about one key: one for each type it tried."""

_TYPES = (
    (r"Input should be a valid integer.*", "a whole number"),
    (r"Input should be a valid number.*", "a number"),
    (r"Input should be a finite number", "a number that is not infinite"),
    (r"Input should be a valid boolean.*", "true or false"),
    (r"Input should be a valid string.*", "text"),
    (r"Input should be a valid (?:list|tuple|set).*", "a list"),
    (r"Input should be a valid dictionary.*", "a mapping"),
    (r"Input should be greater than or equal to (\S+)", r"at least \1"),
    (r"Input should be greater than (\S+)", r"more than \1"),
    (r"Input should be less than or equal to (\S+)", r"at most \1"),
    (r"Input should be less than (\S+)", r"less than \1"),
)
_CHOICES = re.compile(r"Input should be ('.*)")
_KEY = r"[`']?([A-Za-z_][\w.]*?)[`']?"
_MESSAGES: tuple[tuple[str, str, str], ...] = (
    ("Field required", "this is required, and it is missing", "add it"),
    ("Extra inputs are not permitted", "there is no such key here", "remove it"),
    (
        "Require cfg.load_in_4bit to be True for qlora",
        "QLoRA trains on a base model in 4 bits, but load_in_4bit is not on",
        "set `load_in_4bit: true`, or `adapter: lora`",
    ),
    (
        "Can't (?:load|merge) qlora if loaded in 8bit|Can't load qlora in 8bit",
        "QLoRA trains on a base model in 4 bits, not in 8",
        "set `load_in_4bit: true` instead of load_in_8bit",
    ),
    (
        "Can't (?:load|merge) qlora if gptq",
        "QLoRA does not work on a GPTQ model",
        "set `adapter: lora`, or remove gptq",
    ),
    (
        "Can't merge qlora if loaded in 4bit",
        "a QLoRA adapter cannot be merged into a base model in 4 bits",
        "remove load_in_4bit to merge",
    ),
    (
        "load_in_8bit and load_in_4bit are not supported without setting an adapter.*",
        "a base model in 8 or 4 bits (load_in_8bit, load_in_4bit) cannot be trained itself, "
        "only an adapter on top of it",
        "set `adapter: qlora`, or remove load_in_8bit and load_in_4bit",
    ),
    (
        r"Adapter '(.*)' is not built in and was not registered by a plugin.*",
        r"axolotl has no adapter '\1' without a plugin for it",
        "set `adapter: lora` or `adapter: qlora`, or list the plugin",
    ),
    (
        "either datasets or pretraining_dataset is required",
        "there is nothing to train on: neither datasets nor pretraining_dataset",
        "list at least one dataset: `datasets: [{path: rows.jsonl, type: alpaca}]`",
    ),
    (
        "Require cfg.hf_use_auth_token to be True for push_dataset_to_hub",
        "push_dataset_to_hub needs your token of the model hub",
        "set `hf_use_auth_token: true`",
    ),
    (
        "`type: sharegpt.*` is deprecated.*",
        "axolotl no longer has the dataset type sharegpt; chat_template took its place",
        "set `type: chat_template`, with field_messages and message_property_mappings",
    ),
    (
        "`rope_scaling` is no longer supported.*",
        "rope_scaling is no longer supported as a key of its own",
        "put it into overrides_of_model_config",
    ),
    (
        rf"{_KEY} (?:\(.*\) )?is no longer supported.*",
        r"\1 is no longer supported: axolotl has dropped it",
        r"remove \1",
    ),
    (
        rf"{_KEY} has been deprecated in TRL.*",
        r"\1 is no longer supported: TRL, which does this training, has dropped it",
        r"remove \1",
    ),
    (
        rf"{_KEY} ha(?:s|ve) been removed.*lora_mlp_kernel.*",
        r"\1 is no longer supported; lora_mlp_kernel, lora_qkv_kernel and lora_o_kernel "
        "took its place",
        r"remove \1",
    ),
    (
        rf"{_KEY} and {_KEY} (?:are mutually exclusive|cannot be used together).*",
        r"\1 and \2 exclude each other",
        r"remove one of \1 and \2",
    ),
    (
        rf"please set only one of {_KEY} or {_KEY}",
        r"\1 and \2 exclude each other",
        r"remove one of \1 and \2",
    ),
    (
        r"(\w+) is deprecated, use (\w+); both are set.*",
        r"\1 is the old name of \2, and both are set",
        r"remove \1",
    ),
    (
        rf"{_KEY} requires {_KEY}(?: to be set)?",
        r"\1 needs \2",
        r"set \2, or remove \1",
    ),
    (
        "FSDP Offload not compatible with (.*)",
        r"FSDP1 with offload_params does not work with the optimizer \1",
        "set `fsdp_version: 2` and `optimizer: adamw_torch_8bit`",
    ),
    (
        "Fused modules are not supported with .*",
        "fused layers (flash_attn_fuse_mlp) have no place for an adapter",
        "remove flash_attn_fuse_mlp",
    ),
    (
        "bf16 requested, but AMP is not supported on this GPU.*",
        "bf16 is not supported on this GPU: it needs one of the Ampere generation or a newer one",
        "set `bf16: false` and `fp16: true`",
    ),
    (
        "fp8 requested, but fp8 is not supported on this GPU",
        "fp8 is not supported on this GPU: it needs one of the Hopper generation or a newer one",
        "remove fp8",
    ),
    (
        "AMP is not supported with BetterTransformer",
        "BetterTransformer (flash_optimum) does not work with mixed precision",
        "remove flash_optimum",
    ),
    (
        r"GRPO \+ SP \+ Liger not currently supported",
        "Liger's loss does not work with `rl: grpo` and sequences split over GPUs",
        "remove one of trl.use_liger_loss and context_parallel_size",
    ),
    (
        "At least two of .* must be set",
        "the total batch size alone is not enough: axolotl needs the rows per step and GPU too",
        "set micro_batch_size and gradient_accumulation_steps, and remove batch_size",
    ),
    (
        r"Invalid dtype: '(.*)'\. Must be one of: \[(.*)\]",
        r"'\1' is no number format; should be one of \2",
        "",
    ),
    (
        r"axolotl cannot read this config, some value has the wrong shape: "
        r".*No such file or directory: '(.*)'",
        r"there is no file '\1'",
        "correct the path, or put the file there",
    ),
)
_REMARK = re.compile(r"Auto-enabling LoRA kernel optimizations.*", re.DOTALL)
"""What axolotl logs as a warning though all is well: it turns on its faster LoRA code."""
_PATTERNS = [(re.compile(pattern), words, hint) for pattern, words, hint in _MESSAGES]
_TYPE_PATTERNS = [(re.compile(pattern), words) for pattern, words in _TYPES]


def is_remark(message: str) -> bool:
    """Whether a warning of axolotl's says nothing against the config."""
    return _REMARK.fullmatch(message) is not None


def explain(issue: Issue) -> Issue:
    """An issue of axolotl's in plain words; one that nobody knows comes back as it is."""
    parts = issue.message.split(ALTERNATIVES)
    types = [_type(part) for part in parts]
    if all(types):
        words = " or ".join(dict.fromkeys(word for word in types if word))
        return replace(issue, message=f"should be {words}")
    rest = [part for word, part in zip(types, parts, strict=True) if not word]
    told = [_message(part) for part in rest]
    message = ALTERNATIVES.join(dict.fromkeys(words for words, _ in told))
    hint = next((hint for _, hint in told if hint), issue.hint)
    return replace(issue, message=message, hint=hint)


def _type(message: str) -> str:
    """What a value should be, out of pydantic's complaint; nothing when it complains of else."""
    for pattern, words in _TYPE_PATTERNS:
        found = pattern.fullmatch(message)
        if found:
            return found.expand(words)
    choices = _CHOICES.fullmatch(message)
    if choices is None:
        return ""
    names = re.findall(r"'([^']*)'", choices[1])
    return f"one of {', '.join(names)}" if len(names) > 1 else names[0]


def _message(message: str) -> tuple[str, str]:
    for pattern, words, hint in _PATTERNS:
        found = pattern.fullmatch(message)
        if found:
            expand: Callable[[str], str] = found.expand
            return expand(words), expand(hint)
    return message, ""
