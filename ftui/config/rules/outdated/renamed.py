"""Old names: keys that axolotl calls something else today, and other tools' names for its keys.

Each table row is an old name and today's. A name that axolotl still reads is a warning; one that
it refuses or would ignore is an error. Sources, read in axolotl 0.19 and 0.21:
`utils/schemas/deprecated.py`, `utils/schemas/validation.py`, and the schemas of every version
since 0.1 for names that are no longer there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ftui.config import schema
from ftui.config.edit import Drop, Edit, Put, Rename
from ftui.config.rules.rule import Finding, Rule, Subject, error, warning
from ftui.config.rules.table import written
from ftui.plan.places import Place, steps

AXOLOTLS: Mapping[str, str] = {
    "adam_eps": "adam_epsilon",
    "dataset_processes": "dataset_num_proc",
    "dpo_beta": "rl_beta",
    "evaluation_strategy": "eval_strategy",
    "fsdp_final_state_dict_type": "fsdp_config.final_state_dict_type",
    "liger_swiglu": "liger_glu_activation",
    "noisy_embedding_alpha": "neftune_noise_alpha",
    "peft_adapter": "adapter",
    "pretrain_multipack_buffer_size": "streaming_multipack_buffer_size",
    "push_to_hub_model_id": "hub_model_id",
    "relora_anneal_steps": "jagged_restart_anneal_steps",
    "relora_steps": "jagged_restart_steps",
    "relora_warmup_steps": "jagged_restart_warmup_steps",
    "rope_scaling": "overrides_of_model_config.rope_scaling",
    "sequence_parallel_degree": "context_parallel_size",
    "trl.vllm_device": "vllm.device",
    "trl.vllm_dtype": "vllm.dtype",
    "trl.vllm_gpu_memory_utilization": "vllm.gpu_memory_utilization",
    "trl.vllm_max_model_len": "vllm.max_model_len",
    "use_cut_cross_entropy": "cut_cross_entropy",
}
"""Names that axolotl itself once used."""

OTHERS: Mapping[str, str] = {
    "cutoff_len": "sequence_len",
    "epochs": "num_epochs",
    "lora_rank": "lora_r",
    "lora_target": "lora_target_modules",
    "lr": "learning_rate",
    "lr_scheduler_type": "lr_scheduler",
    "max_length": "sequence_len",
    "max_seq_len": "sequence_len",
    "max_seq_length": "sequence_len",
    "model": "base_model",
    "model_max_length": "sequence_len",
    "model_name": "base_model",
    "model_name_or_path": "base_model",
    "modules_to_save": "lora_modules_to_save",
    "num_train_epochs": "num_epochs",
    "optim": "optimizer",
    "packing": "sample_packing",
    "per_device_eval_batch_size": "eval_batch_size",
    "per_device_train_batch_size": "micro_batch_size",
    "preprocessing_num_workers": "dataset_num_proc",
    "run_name": "wandb_name",
    "target_modules": "lora_target_modules",
    "tokenizer": "tokenizer_config",
    "use_dora": "peft_use_dora",
    "use_gradient_checkpointing": "gradient_checkpointing",
    "use_rslora": "peft_use_rslora",
    "val_size": "val_set_size",
    "wandb_run_name": "wandb_name",
}
"""Names of Hugging Face's trainers and of other tools for what axolotl has too."""

IN_DATASETS: Mapping[str, str] = {
    "message_field_content": "message_property_mappings.content",
    "message_field_role": "message_property_mappings.role",
    "shards_index": "shards_idx",
    "train_on_split": "split",
}
"""The same for each entry of `datasets` and `test_datasets`."""

_STILL_READ = {
    "dataset_processes",
    "liger_swiglu",
    "message_field_content",
    "message_field_role",
    "noisy_embedding_alpha",
    "pretrain_multipack_buffer_size",
    "sequence_parallel_degree",
}
"""Old names whose value axolotl still uses, with a warning. The others it refuses or ignores."""

_BESIDE: Mapping[str, Edit] = {"relora_steps": Put(("relora",), True)}
"""What today's name needs beside it for the meaning of the old one."""


OLD = "is an old name of {}"


def old_names(subject: Subject) -> Iterator[Finding]:
    """Keys with a name of another time."""
    for old, new in AXOLOTLS.items():
        if old == "rope_scaling" and subject.has("model_config"):
            new = "model_config.rope_scaling"  # the same mapping under its other name
        if subject.has(old) or old not in subject.known_keys:
            yield from _old_name(subject, old, new)
    for key in ("datasets", "test_datasets"):
        for place, entry in subject.entries(key):
            for old, new in IN_DATASETS.items():
                if key == "datasets" and _is_dropped(subject, new):
                    continue
                if entry.get(old) is not None or old not in _STILL_READ:
                    yield from _old_name(subject, f"{place}.{old}", f"{place}.{new}")


def _is_dropped(subject: Subject, new: str) -> bool:
    """Whether this training drops today's name too: then the rule about dead keys speaks."""
    model = schema.dataset_model(subject.get("rl"))
    return new.partition(".")[0] not in schema.dataset_keys(subject.version, model)


def other_names(subject: Subject) -> Iterator[Finding]:
    """Keys with the name that another tool has for them."""
    for old, new in OTHERS.items():
        if old not in subject.known_keys:
            yield from _old_name(
                subject, old, new, words="is called {} in axolotl, which ignores it"
            )


def is_missing(subject: Subject, key: str) -> bool:
    """Whether a top-level key is there under no name: not under today's, and not under an old."""
    old_names = (old for table in (AXOLOTLS, OTHERS) for old in table if table[old] == key)
    return not any(subject.has(name) for name in (key, *old_names))


def _old_name(subject: Subject, old: str, new: str, *, words: str = OLD) -> Iterator[Finding]:
    """What to say of one old name, if it is there."""
    value = subject.get(old, _MISSING)
    if value is _MISSING:
        return
    key, called = old.rpartition(".")[2], _IN_AN_ENTRY.sub("", new)
    tell = warning if key in _STILL_READ else error
    message = f"{key} {words.format(called)}"
    if words == OLD and tell is error:
        message += " that axolotl does not use any more"
    if value is None:
        yield tell(old, message, "it says nothing here: take it out", *move(subject, old, new))
    elif _is_refused_with(subject, old, new):
        return
    elif subject.has(new) and subject.get(new) != value:
        yield error(old, f"{message}; here the two say different things", f"keep only {called}")
    else:
        yield tell(old, message, f"write `{say(called, value)}`", *move(subject, old, new))


def _is_refused_with(subject: Subject, old: str, new: str) -> bool:
    """Whether a rule about what axolotl refuses says that both names are there."""
    head, key = old.partition(".")[0], old.rpartition(".")[2]
    if head == "datasets" and key.startswith("message_field_"):
        return subject.has(new) and subject.get(new) != subject.get(old)
    return old in _REFUSED_TOGETHER and bool(subject.get(old) and subject.get(new))


_REFUSED_TOGETHER = {"noisy_embedding_alpha", "pretrain_multipack_buffer_size"}
_MISSING = object()
_IN_AN_ENTRY = re.compile(r"^(test_)?datasets\.\d+\.")


def move(subject: Subject, old: str, new: str) -> tuple[Edit, ...]:
    """The edits that bring the value at an old place to today's; both places with dots."""
    place, today = steps(old), steps(new)
    if subject.get(old) is None or subject.has(new):
        return (removal(subject, place),)
    beside = _BESIDE.get(old)
    extra = () if beside is None or subject.has(beside.place[0]) else (beside,)
    if place[:-1] == today[:-1]:
        return (Rename(place, today[-1]), *extra)
    return (Put(today, subject.get(old)), removal(subject, place), *extra)


def removal(subject: Subject, place: Place) -> Edit:
    """The edit that removes a key, with the mapping around it where nothing else is inside."""
    around = subject.get(".".join(place[:-1])) if len(place) > 1 else None
    alone = isinstance(around, Mapping) and len(around) == 1
    return removal(subject, place[:-1]) if alone else Drop(place)


def say(key: str, value: Any) -> str:
    """A key and its value as a hint shows them."""
    return f"{key}: {'…' if isinstance(value, (dict, list)) else written(value)}"


RULES: tuple[Rule, ...] = (old_names, other_names)
