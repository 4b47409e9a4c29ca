"""What axolotl refuses about FSDP, which spreads one model over several GPUs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftui.config.rules.rule import Finding, Rule, Subject, error
from ftui.config.rules.table import put


def fsdp_version(subject: Subject) -> int | None:
    """The version of FSDP that will run; None where FSDP is not used."""
    if not subject.get("fsdp_config") and not subject.get("fsdp"):
        return None
    for place in ("fsdp_version", "fsdp_config.fsdp_version", "fsdp_config.version"):
        if subject.get(place):
            return 2 if subject.number(place) == 2 else 1
    return 2 if subject.axolotl >= (0, 21) else 1


def fsdp(subject: Subject, key: str) -> Any:
    """A value of fsdp_config, with or without the old prefix of its key."""
    return subject.get(f"fsdp_config.{key}", subject.get(f"fsdp_config.fsdp_{key}"))


def _fsdp_place(subject: Subject, key: str) -> str:
    prefixed = f"fsdp_config.fsdp_{key}"
    return prefixed if subject.has(prefixed) else f"fsdp_config.{key}"


def _wrap(subject: Subject) -> Iterator[Finding]:
    by_size = fsdp(subject, "auto_wrap_policy") == "SIZE_BASED_WRAP"
    if by_size and fsdp(subject, "min_num_params") is None:
        yield error(
            _fsdp_place(subject, "auto_wrap_policy"),
            "splitting the model by size (SIZE_BASED_WRAP) needs to know the size: min_num_params",
            "set fsdp_config.min_num_params, for example to 100000000",
        )


def _needs_fsdp2(subject: Subject) -> Iterator[Finding]:
    """What works with the second version of FSDP only; axolotl 0.21 has no other."""
    version = fsdp_version(subject)
    if version in (None, 2) or subject.axolotl >= (0, 21):
        return
    optimizer = subject.text("optimizer")
    only = optimizer in ("muon", "polora", "q_galore_adamw8bit") or optimizer.startswith("flash_")
    wanted: Mapping[str, Any] = {
        "optimizer": only and f"the optimizer {optimizer} works",
        "fp32_norms": subject.on("fp32_norms") and "fp32_norms works",
        "fp8_enable_fsdp_float8_all_gather": subject.get("fp8_enable_fsdp_float8_all_gather")
        and "sending the weights in 8 bits works",
    }
    for place, words in wanted.items():
        if words:
            yield error(place, f"{words} with FSDP2 only", "set `fsdp_version: 2`")


def _old_fsdp(subject: Subject) -> Iterator[Finding]:
    """What the first version of FSDP cannot do."""
    if fsdp_version(subject) in (None, 2) or subject.axolotl >= (0, 21):
        return
    hint = "set `fsdp_version: 2`"
    if "8bit" in subject.text("optimizer") and fsdp(subject, "offload_params"):
        yield error(
            "optimizer", "FSDP1 with offload_params does not work with an optimizer in 8 bits", hint
        )
    kernels = ("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel", "lora_embedding_kernel")
    asked = next((key for key in kernels if subject.get(key)), None)
    if asked and subject.get("fsdp_config") and len(subject.gpus or ()) > 1:
        yield error(asked, "the faster LoRA code (lora_*_kernel) does not work with FSDP1", hint)


def _fsdp2(subject: Subject) -> Iterator[Finding]:
    """What the second version of FSDP cannot do."""
    if fsdp_version(subject) != 2 or not subject.get("fsdp_config"):
        return
    optimizer = subject.get("optimizer")
    if optimizer in ("adamw_8bit", "adamw_bnb_8bit"):
        yield error(
            "optimizer",
            f"FSDP2 does not work with the optimizer {optimizer}",
            "set `optimizer: adamw_torch_8bit`",
            *put("optimizer", "adamw_torch_8bit"),
        )
    sharded = subject.get("qlora_sharded_model_loading")
    staged = sharded or (sharded is None and subject.text("adapter") == "qlora")
    loading = fsdp(subject, "cpu_ram_efficient_loading")
    if loading and subject.on("load_in_4bit") and not (staged and subject.axolotl >= (0, 21)):
        yield error(
            _fsdp_place(subject, "cpu_ram_efficient_loading"),
            "FSDP2 cannot load a base model in 4 bits on the first GPU's process alone: "
            "all would wait for ever",
            "set `cpu_ram_efficient_loading: false`",
        )


def _pinned(subject: Subject) -> Iterator[Finding]:
    place = "fsdp_config.cpu_offload_pin_memory"
    if subject.get(place) is not False:
        return
    if fsdp_version(subject) != 2:
        yield error(place, "FSDP1 always pins the memory it offloads to", "set `fsdp_version: 2`")
    elif not subject.get("fsdp_config.offload_params"):
        yield error(
            place,
            "cpu_offload_pin_memory is about offload_params, which is off",
            "set `offload_params: true`, or remove cpu_offload_pin_memory",
        )


def _falcon(subject: Subject) -> Iterator[Finding]:
    key = "fsdp" if subject.axolotl < (0, 21) else "fsdp_config"
    if "falcon" in subject.text("base_model").lower() and subject.get(key):
        yield error(
            key,
            "FSDP does not work with Falcon models, and base_model names one",
            f"remove {key}; use deepspeed",
        )


RULES: tuple[Rule, ...] = (_wrap, _needs_fsdp2, _old_fsdp, _fsdp2, _pinned, _falcon)
"""What axolotl refuses about FSDP."""
