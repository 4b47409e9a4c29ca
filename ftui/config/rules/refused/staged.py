"""What axolotl 0.21 refuses about a base model in 4 bits that is staged through the CPU.

It stages one with FSDP, QLoRA and `cpu_ram_efficient_loading`, or with `nf4_backend: torchao`.
"""

from __future__ import annotations

from collections.abc import Iterator

from ftui.config.rules.refused.sharding import fsdp, fsdp_version
from ftui.config.rules.rule import Finding, Rule, Subject, error

_PLAIN_START = (None, True, False, "gaussian")
_WHY = "does not work with a base model in 4 bits that FSDP loads through the CPU"
_HINT = "set fsdp_config.cpu_ram_efficient_loading to false"


def staged(subject: Subject) -> bool:
    """Whether the base model will be staged."""
    if subject.axolotl < (0, 21):
        return False
    if subject.text("nf4_backend") == "torchao":
        return True
    sharded = subject.get("qlora_sharded_model_loading")
    small = subject.on("load_in_4bit")
    asked = subject.on("qlora_sharded_model_loading") if sharded is not None else _qlora(subject)
    return asked and small and fsdp_version(subject) == 2 and _loading(subject)


def _qlora(subject: Subject) -> bool:
    return subject.text("adapter") == "qlora"


def _loading(subject: Subject) -> bool:
    return bool(subject.get("fsdp_config")) and bool(fsdp(subject, "cpu_ram_efficient_loading"))


def _staging(subject: Subject) -> Iterator[Finding]:
    if not staged(subject):
        return
    for key in ("peft_use_dora", "lora_modules_to_save"):
        if subject.on(key):
            yield error(key, f"{key} {_WHY}", f"remove {key}, or {_HINT}")
    start = "peft_init_lora_weights"
    if subject.get(start) not in _PLAIN_START:
        yield error(start, f"this start of the adapter {_WHY}", f"use gaussian, or {_HINT}")
    for key in ("tensor_parallel_size", "context_parallel_size", "dp_replicate_size"):
        if (subject.number(key) or 1) > 1:
            yield error(key, f"{key} {_WHY}", f"remove {key}, or {_HINT}")
    kind = "bnb_config_kwargs.bnb_4bit_quant_type"
    if subject.get(kind, "nf4") != "nf4":
        yield error(kind, f"another number format than nf4 {_WHY}", "set it to nf4")


def _torchao(subject: Subject) -> Iterator[Finding]:
    """The other code for 4 bits has conditions of its own."""
    place = "nf4_backend"
    if subject.text(place) != "torchao" or subject.axolotl < (0, 21):
        return
    if not _qlora(subject) or not subject.on("load_in_4bit") or subject.on("load_in_8bit"):
        yield error(
            place,
            "`nf4_backend: torchao` works with `adapter: qlora` on a base model in 4 bits only",
            "set `adapter: qlora` and `load_in_4bit: true`, or remove nf4_backend",
        )
    elif subject.get("fsdp_config") and not _loading(subject):
        yield error(
            place,
            "with FSDP, `nf4_backend: torchao` needs cpu_ram_efficient_loading",
            "set fsdp_config.cpu_ram_efficient_loading to true, or remove nf4_backend",
        )
    elif subject.on("deepspeed"):
        yield error(
            place,
            "`nf4_backend: torchao` does not work with DeepSpeed",
            "remove nf4_backend",
        )


RULES: tuple[Rule, ...] = (_staging, _torchao)
"""What axolotl refuses about staged base models."""
