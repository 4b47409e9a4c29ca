"""What axolotl refuses about the experts of one model spread over several GPUs."""

from __future__ import annotations

from collections.abc import Iterator

from ftui.config.rules.refused.plugins import listed
from ftui.config.rules.rule import Finding, Rule, Subject, error


def _experts(subject: Subject) -> Iterator[Finding]:
    """Experts over several GPUs: axolotl 0.21 always has this plugin."""
    if subject.axolotl < (0, 21) and not listed(subject, "ExpertParallelPlugin"):
        return
    for key in ("expert_parallel_size", "expert_parallel_token_capacity"):
        number = subject.number(key)
        if number is not None and number < 1:
            yield error(key, f"should be at least 1, not {number:g}", f"remove {key}")
    if subject.axolotl >= (0, 21) and (subject.number("expert_parallel_size") or 1) > 1:
        yield from _spread_experts(subject)


def _spread_experts(subject: Subject) -> Iterator[Finding]:
    place = "expert_parallel_size"
    if not subject.get("fsdp_config"):
        yield error(place, "spreading experts over GPUs works with FSDP2 only", "set fsdp_config")
        return
    for key in ("state_dict_type", "final_state_dict_type"):
        kind = subject.get(f"fsdp_config.{key}", subject.get(f"fsdp_config.fsdp_{key}"))
        if kind != "FULL_STATE_DICT" and (kind is not None or key == "state_dict_type"):
            yield error(
                f"fsdp_config.{key}",
                "with experts spread over GPUs, only a full checkpoint holds all of them",
                f"set fsdp_config.{key} to FULL_STATE_DICT",
            )
    if subject.text("optimizer") in ("adamw_torch_4bit", "ao_adamw_4bit", "ao_adamw_fp8"):
        yield error(
            "optimizer",
            "with experts spread over GPUs, the state of this optimizer cannot be saved as it is",
            "set `optimizer: adamw_torch_8bit`",
        )
    gradient = subject.get("gradient_checkpointing")
    if gradient and subject.get("gradient_checkpointing_kwargs.use_reentrant"):
        yield error(
            "gradient_checkpointing_kwargs.use_reentrant",
            "experts spread over GPUs do not work with reentrant gradient checkpointing",
            "set it to false",
        )
    if gradient and subject.get("activation_offloading") in (True, "legacy", "disk"):
        yield error(
            "activation_offloading",
            "experts spread over GPUs do not work with this kind of activation_offloading",
            "set `activation_offloading: hidden_states`, or remove it",
        )


RULES: tuple[Rule, ...] = (_experts,)
"""What axolotl refuses about spread experts."""
