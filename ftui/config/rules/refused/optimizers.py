"""What axolotl refuses about optimizers and losses."""

from __future__ import annotations

from collections.abc import Iterator

from ftui.config.rules.rule import Finding, Rule, Subject, error
from ftui.config.rules.table import Row, refuses

_LOSSES = (
    "cut_cross_entropy",
    "chunked_cross_entropy",
    "liger_cross_entropy",
    "liger_fused_linear_cross_entropy",
)
_SPECIAL_LOSSES = ("use_dft", "use_eaft")
_NO_SPECIAL_LOSS = (
    "rl",
    "reward_model",
    "process_reward_model",
    "cut_cross_entropy",
    "liger_fused_linear_cross_entropy",
    "chunked_cross_entropy",
)
_NOT_BY_POLORA = (
    "lora_modules_to_save",
    "unfrozen_parameters",
    "peft_use_dora",
    "peft_trainable_token_indices",
    "lisa_step_interval",
    "reward_model",
    "process_reward_model",
    "loraplus_lr_ratio",
    "lr_groups",
    "embedding_lr",
    "embedding_lr_scale",
    "relora_steps",
)

_ROWS = (
    Row(
        "optimizer",
        "optimizer=polora adapter!=lora|qlora",
        "the optimizer polora trains LoRA adapters only",
        "set `adapter: lora`, or another optimizer",
    ),
    Row(
        "optimizer",
        "optimizer=polora tensor_parallel_size>1",
        "the optimizer polora does not work with tensor_parallel_size",
        "set another optimizer, or remove tensor_parallel_size",
    ),
    Row(
        "optimizer",
        "optimizer=q_galore_adamw8bit adapter",
        "the optimizer q_galore_adamw8bit trains whole models: not an adapter",
        "set another optimizer, for example adamw_8bit, or remove adapter",
    ),
    Row(
        "balance_labels",
        "balance_labels rl",
        "balance_labels does not work with preference training (rl)",
        "remove balance_labels",
        since=(0, 21),
    ),
    Row(
        "label_balance_window_optim_steps",
        "label_balance_window_optim_steps>1 !balance_labels",
        "label_balance_window_optim_steps is about balance_labels, which is off",
        "set `balance_labels: true`, or remove label_balance_window_optim_steps",
        since=(0, 21),
    ),
    *(
        Row(
            "balance_labels",
            f"balance_labels {key}",
            f"balance_labels chooses the rows of a batch: it does not work with {key}",
            f"remove one of balance_labels and {key}",
            since=(0, 21),
        )
        for key in (
            "sample_packing_sequentially",
            "curriculum_sampling",
            "diffusion_lm",
            "reward_model",
            "process_reward_model",
            "accelerator_config.split_batches",
        )
    ),
    *(
        Row(
            "balance_labels",
            f"balance_labels !sample_packing {key}",
            f"balance_labels does not work with {key} without packing",
            "set `sample_packing: true`, or remove balance_labels",
            since=(0, 21),
        )
        for key in ("streaming", "pretraining_dataset", "group_by_length")
    ),
    *(
        Row(
            "label_balance_window_optim_steps",
            f"label_balance_window_optim_steps>1 balance_labels {key}",
            f"label_balance_window_optim_steps needs all rows at hand: not {key}",
            "remove label_balance_window_optim_steps",
            since=(0, 21),
        )
        for key in ("streaming", "pretraining_dataset")
    ),
)


def _deepspeed(subject: Subject) -> Iterator[Finding]:
    name = subject.text("optimizer")
    alone = name in ("muon", "polora", "q_galore_adamw8bit") or name.startswith("flash_")
    if name == "muon_8bit":
        alone = subject.axolotl >= (0, 21)
    if alone and subject.get("deepspeed"):
        yield error(
            "optimizer",
            f"the optimizer {name} does not work with DeepSpeed",
            "set another optimizer, for example adamw_torch_fused",
        )


def _galore(subject: Subject) -> Iterator[Finding]:
    place = "fsdp_config.use_orig_params"
    named = subject.text("optimizer") == "q_galore_adamw8bit" and subject.axolotl < (0, 21)
    if named and subject.get("fsdp_config") and subject.get(place) is not True:
        yield error(
            place,
            "the optimizer q_galore_adamw8bit needs the parameters as they are under FSDP",
            "set fsdp_config.use_orig_params to true",
        )


def _polora(subject: Subject) -> Iterator[Finding]:
    for key in _NOT_BY_POLORA if subject.text("optimizer") == "polora" else ():
        if subject.get(key):
            yield error(
                key,
                f"the optimizer polora pays no heed to {key}",
                f"remove {key}, or set another optimizer",
            )


def _one_loss(subject: Subject) -> Iterator[Finding]:
    """Faster code for the loss: one of several."""
    named = [key for key in _LOSSES if subject.get(key)]
    if len(named) > 1:
        yield error(
            named[-1],
            f"{' and '.join(named)} exclude each other: each replaces the code of the loss",
            f"keep one of them, remove {named[-1]}",
        )


def _special_loss(subject: Subject) -> Iterator[Finding]:
    """Losses of their own, for plain fine-tuning."""
    named = [key for key in _SPECIAL_LOSSES if subject.get(key)]
    if not named or subject.axolotl < (0, 21):
        return
    if len(named) > 1:
        yield error(named[1], f"{' and '.join(named)} exclude each other", "remove one of them")
    split = max(
        subject.number(key) or 1 for key in ("context_parallel_size", "sequence_parallel_degree")
    )
    others = [key for key in _NO_SPECIAL_LOSS if subject.get(key)]
    for key in [*others, *(["context_parallel_size"] if split > 1 else [])]:
        yield error(
            named[0],
            f"{named[0]} is a loss of its own for plain fine-tuning: it does not work with {key}",
            f"remove one of {named[0]} and {key}",
        )


RULES: tuple[Rule, ...] = (
    refuses(_ROWS),
    _deepspeed,
    _galore,
    _polora,
    _one_loss,
    _special_loss,
)
"""What axolotl refuses about optimizers and losses."""
