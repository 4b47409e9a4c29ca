"""What axolotl refuses about the rarer ways to train an adapter: ReLoRA and MixLoRA."""

from __future__ import annotations

from collections.abc import Iterator

from ftui.config.rules.rule import Finding, Rule, Subject, error
from ftui.config.rules.table import Row, refuses

_ROWS = (
    Row(
        "jagged_restart_steps",
        "relora !jagged_restart_steps",
        "ReLoRA starts again every so many steps: it needs jagged_restart_steps",
        "set jagged_restart_steps, or remove relora",
    ),
    Row(
        "relora",
        "relora !adapter",
        "ReLoRA is a way to train an adapter, but none is trained",
        "set `adapter: lora`, or remove relora",
    ),
    Row(
        "relora",
        "relora fsdp_config",
        "ReLoRA does not work with FSDP",
        "remove one of relora and fsdp_config",
    ),
    Row(
        "relora",
        "relora fsdp",
        "ReLoRA does not work with FSDP",
        "remove one of relora and fsdp",
        before=(0, 21),
    ),
    Row(
        "relora",
        "relora deepspeed",
        "ReLoRA does not work with DeepSpeed",
        "remove one of relora and deepspeed",
    ),
    Row(
        "lr_scheduler",
        "relora lr_scheduler=one_cycle",
        "ReLoRA does not work with the one_cycle scheduler",
        "choose another lr_scheduler, for example cosine",
    ),
    Row(
        "flash_attn_fuse_mlp",
        "relora flash_attn_fuse_mlp",
        "fused layers have no place for an adapter",
        "remove flash_attn_fuse_mlp",
    ),
    Row(
        "adapter",
        "adapter=mixlora !lora_r",
        "MixLoRA needs the rank of its adapters",
        "set lora_r, for example to 8",
        since=(0, 21),
    ),
    Row(
        "adapter",
        "adapter=mixlora !lora_alpha",
        "MixLoRA needs the weight of its adapters",
        "set lora_alpha, for example to 16",
        since=(0, 21),
    ),
    Row(
        "rl",
        "adapter=mixlora rl?",
        "MixLoRA does not work with preference training (rl)",
        "set `adapter: lora`, or remove rl",
        since=(0, 21),
    ),
    Row(
        "flash_attn_fuse_mlp",
        "adapter=mixlora flash_attn_fuse_mlp",
        "fused layers have no place for an adapter",
        "remove flash_attn_fuse_mlp",
        since=(0, 21),
    ),
)


def _relora_adapter(subject: Subject) -> Iterator[Finding]:
    adapter = subject.text("adapter")
    if subject.on("relora") and adapter in ("llama-adapter", "mixlora", "multilora"):
        yield error(
            "relora",
            f"ReLoRA does not work with `adapter: {adapter}`",
            "set `adapter: lora`, or remove relora",
        )


def _more_experts(subject: Subject) -> Iterator[Finding]:
    routed = subject.number("mixlora_top_k")
    experts = subject.number("mixlora_num_experts")
    if (2 if routed is None else routed) > (8 if experts is None else experts):
        yield error(
            "mixlora_top_k" if routed is not None else "mixlora_num_experts",
            "mixlora_top_k must not be more than mixlora_num_experts: "
            "each token goes to so many of the experts",
            "raise mixlora_num_experts, or lower mixlora_top_k",
        )


RULES: tuple[Rule, ...] = (refuses(_ROWS, parsed=True), _relora_adapter, _more_experts)
"""What axolotl refuses about ReLoRA and MixLoRA."""
