"""Keys that axolotl knows and that do nothing in this combination."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ftui.config import plugins
from ftui.config.rules.rule import Finding, Rule, Subject, error, warning


@dataclass(frozen=True)
class _Group:
    """Keys that need another key. One of `needs` is enough: `adapter`, `rl=dpo|ipo`, `trl.beta`."""

    keys: str
    """Names and patterns (`lora_*`), the most important first."""
    needs: str
    message: str
    """After the names of the keys."""
    hint: str
    serious: bool = False
    """An error: the person meant something that will not happen."""


_WITHOUT_ADAPTER = "every weight of the model will be trained instead of an adapter"
_GROUPS: tuple[_Group, ...] = (
    _Group(
        "lora_r lora_alpha lora_target_modules lora_target_linear lora_dropout lora_* peft_* peft "
        "loraplus_lr_ratio loraplus_lr_embedding",
        "adapter",
        f"without adapter: {_WITHOUT_ADAPTER}",
        "add `adapter: lora`, or take the keys out",
        serious=True,
    ),
    _Group(
        "loraplus_lr_embedding",
        "loraplus_lr_ratio !adapter",
        "without loraplus_lr_ratio, which turns LoRA+ on",
        "add `loraplus_lr_ratio: 16`, or take it out",
    ),
    _Group(
        "evals_per_epoch eval_steps eval_strategy eval_table_size eval_causal_lm_metrics "
        "do_causal_lm_eval early_stopping_patience metric_for_best_model",
        # With eval_steps or eval_strategy, axolotl itself refuses a val_set_size of 0.
        "val_set_size? test_datasets do_bench_eval",
        "with no rows to evaluate on",
        "add `val_set_size: 0.05` or test_datasets, or take it out",
    ),
    _Group(
        "evals_per_epoch eval_table_size eval_causal_lm_metrics do_causal_lm_eval "
        "early_stopping_patience metric_for_best_model",
        "val_set_size !val_set_size? test_datasets do_bench_eval eval_steps eval_strategy",
        "with no rows to evaluate on: val_set_size is 0",
        "set `val_set_size: 0.05`, add test_datasets, or take it out",
    ),
    _Group(
        "fsdp_version",
        "fsdp_config fsdp",
        "without fsdp_config: nothing is split over the GPUs",
        "add fsdp_config, or take it out",
        serious=True,
    ),
    _Group(
        "gradient_checkpointing_kwargs",
        "gradient_checkpointing activation_offloading",
        "without gradient_checkpointing",
        "add `gradient_checkpointing: true`, or take it out",
    ),
    _Group(
        "sample_packing_group_size sample_packing_bin_size sample_packing_sequentially "
        "sample_packing_eff_est multipack_real_batches",
        "sample_packing eval_sample_packing pretraining_dataset",
        "without sample_packing",
        "add `sample_packing: true`, or take it out",
    ),
    _Group(
        "rl_beta dpo_beta dpo_label_smoothing dpo_use_weighting dpo_padding_free "
        "dpo_use_liger_kernel kto_* orpo_alpha simpo_gamma cpo_alpha rpo_alpha "
        "precompute_ref_log_probs",
        "rl",
        "without rl: this is supervised fine-tuning, not preference training",
        "add `rl: dpo` (or kto, orpo, …), or take it out",
        serious=True,
    ),
    _Group(
        "trl",
        "rl reward_model process_reward_model",
        "without rl: this is supervised fine-tuning",
        "add `rl: grpo`, or take it out",
        serious=True,
    ),
    _Group("kto_*", "rl=kto !rl", "with another rl than kto", "take it out"),
    _Group("simpo_gamma cpo_alpha", "rl=simpo !rl", "with another rl than simpo", "take it out"),
    _Group(
        "orpo_alpha",
        "rl=orpo !rl",
        "as ORPO's: with another rl axolotl takes it for rl_beta",
        "write rl_beta",
    ),
    _Group(
        "dpo_label_smoothing dpo_use_weighting dpo_padding_free dpo_use_liger_kernel "
        "precompute_ref_log_probs",
        "rl=dpo|ipo !rl",
        "with another rl than dpo",
        "take it out",
    ),
    _Group(
        "center_rewards_coefficient",
        "reward_model",
        "without reward_model",
        "add `reward_model: true`, or take it out",
    ),
    _Group(
        "wandb_entity wandb_name wandb_run_id wandb_log_model wandb_watch",
        "wandb_project use_wandb",
        "without wandb_project: nothing is sent to Weights & Biases",
        "add wandb_project, or take it out",
    ),
    _Group(
        "mlflow_tracking_uri mlflow_run_name hf_mlflow_log_artifacts",
        "mlflow_experiment_name use_mlflow",
        "without mlflow_experiment_name: nothing is sent to MLflow",
        "add mlflow_experiment_name, or take it out",
    ),
    _Group(
        "comet_*",
        "comet_project_name use_comet",
        "without comet_project_name: nothing is sent to Comet",
        "add comet_project_name, or take it out",
    ),
    _Group(
        "trackio_*",
        "trackio_project_name use_trackio",
        "without trackio_project_name: nothing is sent to Trackio",
        "add trackio_project_name, or take it out",
    ),
    _Group(
        "hub_strategy hub_revision",
        "hub_model_id",
        "without hub_model_id: nothing is uploaded",
        "add hub_model_id, or take it out",
    ),
    _Group(
        "cosine_min_lr_ratio",
        "lr_scheduler=cosine|rex !lr_scheduler",
        "with another lr_scheduler than cosine or rex",
        "add `lr_scheduler: cosine`, or take it out",
    ),
    _Group(
        "cosine_constant_lr_ratio",
        "cosine_min_lr_ratio",
        "without cosine_min_lr_ratio",
        "add it, or take this out",
    ),
    _Group(
        "lr_quadratic_warmup",
        "lr_scheduler=cosine !lr_scheduler",
        "with another lr_scheduler than cosine",
        "add `lr_scheduler: cosine`, or take it out",
    ),
    _Group(
        "adam_beta3 adam_epsilon2",
        "optimizer=came_pytorch",
        "with another optimizer than came_pytorch",
        "take it out",
    ),
    _Group(
        "dion_lr dion_momentum dion_rank_*",
        "optimizer=dion",
        "with another optimizer than dion",
        "add `optimizer: dion`, or take it out",
    ),
    _Group(
        "qgalore_*",
        "optimizer=q_galore_adamw8bit",
        "with another optimizer than q_galore_adamw8bit",
        "add `optimizer: q_galore_adamw8bit`, or take it out",
    ),
    _Group(
        "optim_target_modules",
        "optimizer=*galore*|apollo* optimizer=*lomo",
        "with an optimizer that is not of the GaLore or APOLLO kind",
        "take it out",
    ),
    _Group(
        "relora_prune_ratio relora_prune_method relora_cpu_offload",
        "relora",
        "without relora",
        "add `relora: true`, or take it out",
    ),
    _Group(
        "jagged_restart_warmup_steps jagged_restart_anneal_steps",
        "jagged_restart_steps",
        "without jagged_restart_steps",
        "add it, or take this out",
    ),
    _Group("lisa_n_layers", "lisa_step_interval", "without lisa_step_interval", "add it"),
    _Group("lisa_step_interval", "lisa_n_layers", "without lisa_n_layers", "add it"),
    _Group(
        "torch_compile_backend torch_compile_mode",
        "torch_compile",
        "without torch_compile",
        "add `torch_compile: true`, or take it out",
    ),
    _Group(
        "dataset_shard_idx",
        "dataset_shard_num",
        "without dataset_shard_num: all rows are read",
        "add it, or take this out",
        serious=True,
    ),
    _Group(
        "dataset_shard_num",
        "dataset_shard_idx?",
        "without dataset_shard_idx: all rows are read",
        "add `dataset_shard_idx: 0`",
        serious=True,
    ),
    _Group(
        "num_generation_samples generation_max_new_tokens generation_temperature generation_top_p "
        "generation_top_k generation_prompt_ratio generation_do_sample",
        "generate_samples",
        "without generate_samples",
        "add `generate_samples: true`, or take it out",
    ),
    _Group("eaft_alpha eaft_k", "use_eaft", "without use_eaft", "add `use_eaft: true`"),
    _Group(
        "loss_watchdog_patience",
        "loss_watchdog_threshold",
        "without loss_watchdog_threshold",
        "add it, or take this out",
    ),
    _Group("group_by_length", "!sample_packing", "with sample_packing", "take it out"),
    _Group(
        "default_system_message",
        "chat_template=chatml",
        "with another chat_template than chatml",
        "put the system message into the rows, or into a template of your own",
    ),
)


def _without_effect(subject: Subject) -> Iterator[Finding]:
    given = [key for key in subject.config if isinstance(key, str) and subject.on(key)]
    added = plugins.properties(subject.config, subject.version)
    known = [key for key in given if key in subject.known_keys or key in added]  # not `lora_rr`
    for group in _GROUPS:
        found = _matching(group.keys, given, known)
        if not found or any(_holds(subject, need) for need in group.needs.split()):
            continue
        others = f" (nor {_and(found[1:])})" if len(found) > 1 else ""
        message = f"has no effect{others} {group.message}"
        yield (error if group.serious else warning)(found[0], message, group.hint)


def _matching(patterns: str, given: Sequence[str], known: Sequence[str]) -> list[str]:
    """Those of the `given` keys that a pattern names, in the order of the patterns.

    A pattern with a star stands for keys that are `known` only.
    """
    found: dict[str, None] = {}
    for pattern in patterns.split():
        if "*" in pattern:
            found |= dict.fromkeys(key for key in known if fnmatchcase(key, pattern))
        elif pattern in given:
            found[pattern] = None
    return list(found)


def _holds(subject: Subject, need: str) -> bool:
    """Whether a need is met: `key`, `key?` (even 0), `key=one|another*`, or `!` and one of them."""
    if need.startswith("!"):
        return not _holds(subject, need[1:])
    place, is_value, values = need.partition("=")
    if is_value:
        return any(fnmatchcase(subject.text(place), value) for value in values.split("|"))
    return subject.has(place[:-1]) if place.endswith("?") else subject.on(place)


def _and(keys: list[str]) -> str:
    return keys[0] if len(keys) == 1 else f"{', '.join(keys[:-1])} and {keys[-1]}"


def _own_template(subject: Subject) -> Iterator[Finding]:
    for at in ("", *(f"{place}." for place, _ in subject.entries("datasets"))):
        template = subject.text(f"{at}chat_template")
        if subject.on(f"{at}chat_template_jinja") and template not in ("", "jinja"):
            message = f"has no effect with chat_template {template!r}"
            hint = "set `chat_template: jinja`, or take one of the two out"
            yield error(f"{at}chat_template_jinja", message, hint)


def _four_bits(subject: Subject) -> Iterator[Finding]:
    """axolotl makes 4-bit weights for qlora only, whatever it is told."""
    if subject.text("adapter") == "lora" and subject.on("load_in_4bit"):
        message = "has no effect with `adapter: lora`: axolotl makes 4-bit weights for qlora only"
        yield error("load_in_4bit", message, "4-bit weights go with `adapter: qlora`")


RULES: tuple[Rule, ...] = (_without_effect, _own_template, _four_bits)
"""What this module has to say."""
