"""What axolotl refuses about batches, and about when to warm up, save, evaluate and stop."""

from __future__ import annotations

from collections.abc import Iterator

from ftui.config.rules.refused.plugins import listed
from ftui.config.rules.rule import Finding, Rule, Subject, error
from ftui.config.rules.table import Row, drop, put, refuses

_ROWS = (
    Row(
        "batch_size",
        "batch_size !micro_batch_size !gradient_accumulation_steps",
        "the total batch size alone is not enough: axolotl needs the rows per step and GPU too",
        "set micro_batch_size and gradient_accumulation_steps, and remove batch_size",
    ),
    Row(
        "batch_size",
        "batch_size gradient_accumulation_steps",
        "batch_size and gradient_accumulation_steps exclude each other: "
        "the one follows from the other and micro_batch_size",
        "remove batch_size",
        edits=drop("batch_size"),
    ),
    Row(
        "warmup_ratio",
        "warmup_steps warmup_ratio",
        "warmup_steps and warmup_ratio exclude each other: both say how long the warm-up lasts",
        "remove one of warmup_steps and warmup_ratio",
    ),
    Row(
        "save_steps",
        "save_steps saves_per_epoch",
        "save_steps and saves_per_epoch exclude each other: both say how often to save",
        "remove one of save_steps and saves_per_epoch",
    ),
    Row(
        "save_steps",
        "save_strategy save_steps save_strategy!=steps",
        "save_steps needs `save_strategy: steps`, but save_strategy says something else",
        "set `save_strategy: steps`, or remove save_steps",
    ),
    Row(
        "eval_steps",
        "eval_steps evals_per_epoch",
        "eval_steps and evals_per_epoch exclude each other: both say how often to evaluate",
        "remove one of eval_steps and evals_per_epoch",
    ),
    Row(
        "do_bench_eval",
        "do_bench_eval !evals_per_epoch !eval_steps",
        "do_bench_eval needs to know how often to evaluate",
        "set evals_per_epoch or eval_steps",
    ),
    Row(
        "do_causal_lm_eval",
        "do_causal_lm_eval eval_sample_packing",
        "do_causal_lm_eval scores each row alone, but eval_sample_packing puts several together",
        "set `eval_sample_packing: false`",
        edits=put("eval_sample_packing", False),
    ),
    Row(
        "do_causal_lm_eval",
        "do_causal_lm_eval sample_packing !eval_sample_packing? !eval_table_size",
        "do_causal_lm_eval scores each row alone, but sample_packing puts several together",
        "set `eval_sample_packing: false`",
        edits=put("eval_sample_packing", False),
    ),
    Row(
        "noisy_embedding_alpha",
        "noisy_embedding_alpha neftune_noise_alpha",
        "this is the old name of neftune_noise_alpha, and both are set",
        "remove noisy_embedding_alpha",
        edits=drop("noisy_embedding_alpha"),
    ),
    Row(
        "pretrain_multipack_buffer_size",
        "pretrain_multipack_buffer_size streaming_multipack_buffer_size",
        "this is the old name of streaming_multipack_buffer_size, and both are set",
        "remove pretrain_multipack_buffer_size",
        edits=drop("pretrain_multipack_buffer_size"),
    ),
    Row(
        "max_memory",
        "max_memory? gpu_memory_limit?",
        "max_memory and gpu_memory_limit exclude each other: both limit the memory of the GPU",
        "remove one of max_memory and gpu_memory_limit",
    ),
    Row(
        "torch_compile_regional",
        "torch_compile torch_compile_regional gradient_checkpointing",
        "torch_compile_regional does not work with gradient_checkpointing: "
        "what is computed again may run other compiled code",
        "remove torch_compile_regional",
        since=(0, 21),
        edits=drop("torch_compile_regional"),
    ),
)
_STRATEGIES = ("eval_strategy", "evaluation_strategy")


def _best(subject: Subject) -> Iterator[Finding]:
    """The best checkpoint by which measure? The diffusion plugin of axolotl 0.21 takes the loss."""
    diffusion = subject.axolotl >= (0, 21) and listed(subject, "DiffusionPlugin")
    unknown = subject.get("save_strategy") == "best" and not subject.get("metric_for_best_model")
    if unknown and not diffusion:
        yield error(
            "save_strategy",
            "`save_strategy: best` does not know yet which measure tells the best checkpoint",
            "set metric_for_best_model, for example to eval_loss",
        )


def _evaluation(subject: Subject) -> Iterator[Finding]:
    """The strategy of the evaluations against how often there is one."""
    key = next((key for key in _STRATEGIES if subject.has(key)), "eval_strategy")
    strategy = subject.get(key)
    for often in ("eval_steps", "evals_per_epoch"):
        if strategy and subject.get(often) and strategy != "steps":
            yield error(
                often,
                f"{often} needs `eval_strategy: steps`, but {key} says something else",
                f"set `{key}: steps`, or remove {often}",
            )
    nothing = subject.get("val_set_size") == 0 and not subject.get("test_datasets")
    for wanted in (key, "eval_steps"):
        if nothing and subject.get(wanted) and strategy != "no":
            yield error(
                wanted,
                "there is nothing to evaluate on: `val_set_size: 0` holds back no rows, "
                "and there are no test_datasets",
                f"give val_set_size more than 0, or remove {wanted}",
            )


def _early_stopping(subject: Subject) -> Iterator[Finding]:
    place = "early_stopping_patience"
    if not subject.on(place):
        return
    save, evaluate = subject.number("save_steps") or 0, subject.number("eval_steps") or 0
    hint = "set eval_steps, and save_steps to a multiple of it"
    if not save or not evaluate:
        yield error(place, "stopping early needs save_steps and eval_steps", hint)
    elif save % evaluate:
        yield error(
            place,
            "stopping early goes back to the best checkpoint: "
            "save_steps must be a multiple of eval_steps",
            hint,
        )


RULES: tuple[Rule, ...] = (refuses(_ROWS), _best, _evaluation, _early_stopping)
"""What axolotl refuses about batches, warm-up, saving and evaluating."""
