"""What axolotl refuses about preference training (rl: dpo, kto, grpo and the others)."""

from __future__ import annotations

from collections.abc import Iterator

from ftui.config.rules.refused.sharding import fsdp_version
from ftui.config.rules.rule import Finding, Rule, Subject, error
from ftui.config.rules.table import Row, drop, put, refuses

_BEFORE = (
    Row(
        "sample_packing",
        "sample_packing rl",
        "packing (several rows in one sequence) does not work with preference training (rl)",
        "remove sample_packing",
        edits=drop("sample_packing"),
    ),
    Row(
        "eval_sample_packing",
        "rl=kto eval_sample_packing !sample_packing",
        "packing (several rows in one sequence) does not work with `rl: kto`",
        "remove eval_sample_packing",
        edits=drop("eval_sample_packing"),
    ),
    Row(
        "remove_unused_columns",
        "rl=kto remove_unused_columns!=false !skip_prepare_dataset",
        "`rl: kto` needs every column of its rows",
        "set `remove_unused_columns: false`",
        edits=put("remove_unused_columns", False),
    ),
    Row(
        "trl.use_liger_loss",
        "rl=grpo trl.use_liger_loss context_parallel_size>1",
        "Liger's loss does not work with `rl: grpo` and sequences split over GPUs",
        "remove one of trl.use_liger_loss and context_parallel_size",
    ),
    Row(
        "trl.multi_objective_aggregation",
        "rl=gdpo trl.multi_objective_aggregation=sum_then_normalize",
        "sum_then_normalize is what makes it GRPO, but `rl: gdpo` asks for GDPO",
        "set `rl: grpo`, or multi_objective_aggregation to normalize_then_sum",
    ),
    Row(
        "dpo_loss_weights",
        "rl=dpo dpo_loss_weights? !dpo_loss_type?",
        "dpo_loss_weights weighs several losses, but dpo_loss_type names none",
        "set dpo_loss_type, or remove dpo_loss_weights",
    ),
    Row(
        "dpo_loss_type",
        "rl!=dpo dpo_loss_type?",
        "dpo_loss_type is for `rl: dpo` only",
        "set `rl: dpo`, or remove dpo_loss_type",
    ),
    Row(
        "dpo_loss_weights",
        "rl!=dpo dpo_loss_weights?",
        "dpo_loss_weights is for `rl: dpo` only",
        "set `rl: dpo`, or remove dpo_loss_weights",
    ),
    Row(
        "rl",
        "rl=ebft !ebft",
        "`rl: ebft` needs its own settings: ebft",
        "add `ebft: {mode: structured}`, or `mode: strided`",
    ),
    Row(
        "torch_compile",
        "rl=ebft torch_compile=true ebft.mode=strided gradient_checkpointing",
        "strided EBFT with gradient checkpointing does not work with torch_compile",
        "remove torch_compile",
    ),
)
_AFTER = (
    Row(
        "dpo_use_liger_kernel",
        "dpo_use_liger_kernel rl=ipo",
        "Liger's loss cannot do IPO",
        "remove dpo_use_liger_kernel",
        before=(0, 21),
    ),
    Row(
        "dpo_use_liger_kernel",
        "dpo_use_liger_kernel dpo_loss_type.0=ipo",
        "Liger's loss cannot do IPO",
        "remove dpo_use_liger_kernel, or choose another dpo_loss_type",
        before=(0, 21),
    ),
    Row(
        "warmup_ratio",
        "rl=simpo warmup_ratio",
        "warmup_ratio does not work with `rl: simpo`",
        "set warmup_steps instead",
    ),
    Row(
        "activation_offloading",
        "rl=ebft ebft.mode=strided activation_offloading=true attn_implementation=flex_attention",
        "strided EBFT with flex attention does not work with activation_offloading",
        "remove activation_offloading",
    ),
    Row(
        "context_parallel_size",
        "trl.use_vllm trl.vllm_mode=colocate context_parallel_size>1",
        "vLLM inside the training process does not work with sequences split over GPUs",
        "set trl.vllm_mode to server",
        since=(0, 21),
    ),
    Row(
        "trl.vllm_lora_sync",
        "trl.use_vllm trl.vllm_mode=colocate trl.vllm_lora_sync",
        "adapters are sent to a vLLM server only, and `vllm_mode: colocate` has none",
        "remove vllm_lora_sync, or set `vllm_mode: server`",
        since=(0, 21),
    ),
    *(
        Row(
            f"trl.{key}",
            f"trl.use_vllm trl.vllm_mode=colocate trl.{key} adapter",
            f"with an adapter, {key} works with a vLLM server only",
            f"remove {key}, or set `vllm_mode: server`",
            since=(0, 21),
        )
        for key in ("async_prefetch", "use_data_producer")
    ),
)


def _weights(subject: Subject) -> Iterator[Finding]:
    losses, weights = subject.get("dpo_loss_type"), subject.get("dpo_loss_weights")
    both = isinstance(losses, list) and isinstance(weights, list)
    if both and subject.get("rl") == "dpo" and len(losses) != len(weights):
        yield error(
            "dpo_loss_weights",
            f"there are {len(losses)} losses in dpo_loss_type, but {len(weights)} weights",
            "give each loss one weight",
        )


def _quantized(subject: Subject) -> Iterator[Finding]:
    """FSDP2 with preference training and a quantized base model."""
    if subject.get("rl") not in ("dpo", "kto", "orpo", "ipo") or fsdp_version(subject) != 2:
        return
    for key in ("load_in_8bit", "load_in_4bit"):
        if subject.get(key) and (subject.axolotl >= (0, 21) or subject.get("fsdp_version") == 2):
            yield error(
                key,
                f"FSDP2 does not work with `rl: {subject.get('rl')}` on a quantized base model",
                f"use deepspeed instead of fsdp_config, or remove {key}",
            )


def _reentrant(subject: Subject) -> Iterator[Finding]:
    place = "gradient_checkpointing_kwargs.use_reentrant"
    asked = subject.get("rl") and subject.get("gradient_checkpointing") and subject.get(place)
    small = subject.get("load_in_4bit") and subject.get("adapter") == "qlora"
    if asked and small and len(subject.gpus or ()) > 1:
        yield error(
            place,
            "preference training of a QLoRA adapter on several GPUs does not work with "
            "reentrant gradient checkpointing",
            "set gradient_checkpointing_kwargs.use_reentrant to false",
        )


def _groups(subject: Subject) -> Iterator[Finding]:
    """GRPO compares the answers to one prompt, so a batch must hold whole groups of them."""
    place = "trl.num_generations"
    group = subject.number(place)
    if subject.get("rl") != "grpo" or group is None:
        return
    if group < 2:
        yield error(
            place,
            "GRPO learns from comparing answers to the same prompt: it needs 2 or more of them",
            "set num_generations to 2 or more, for example 8",
        )
        return
    batch = _batch(subject)
    if batch is None:
        return
    words, size = batch
    gpus = len(subject.gpus or ())
    if size % group:
        why = f"GRPO needs whole groups of num_generations ({group:g}) answers: {words}, {size:g},"
        yield error(place, f"{why} is no multiple of it", "make it a multiple of num_generations")
    elif gpus > 1 and size < group * gpus:
        why = f"GRPO needs a group of num_generations ({group:g}) answers on each of {gpus} GPUs"
        yield error(place, f"{why}, but {words} is {size:g}", "raise gradient_accumulation_steps")


def _batch(subject: Subject) -> tuple[str, float] | None:
    """The number of answers in one step, and what makes it; None = nobody knows."""
    given = subject.number("trl.generation_batch_size")
    if given is not None:
        return "generation_batch_size", given
    rows = subject.number("micro_batch_size") or 1
    steps = subject.number("gradient_accumulation_steps") or 1
    if subject.axolotl < (0, 21):
        return "micro_batch_size × gradient_accumulation_steps", rows * steps
    if subject.gpus is None:
        return None
    words = "micro_batch_size × gradient_accumulation_steps × GPUs"
    return words, rows * steps * max(1, len(subject.gpus))


def _two_betas(subject: Subject) -> Iterator[Finding]:
    beta, inner = subject.get("beta"), subject.get("trl.beta")
    if beta and inner and beta != inner:
        yield error("trl.beta", "beta and trl.beta say different things", "remove one of them")


RULES: tuple[Rule, ...] = (
    refuses(_BEFORE),
    refuses(_AFTER, parsed=True),
    _weights,
    _quantized,
    _reentrant,
    _groups,
    _two_betas,
)
"""What axolotl refuses about preference training."""
