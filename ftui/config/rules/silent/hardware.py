"""What the GPUs of the target, or a CPU, cannot do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ftui.config.edit import Drop, Put
from ftui.config.rules.refused.attention import attention
from ftui.config.rules.rule import Finding, Rule, Subject, error, warning
from ftui.config.rules.silent.names import names
from ftui.config.rules.silent.timing import evaluates_on
from ftui.plan.hardware import weakest

_AMPERE = 80
_HOPPER = 90
_KERNELS = ("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel", "lora_embedding_kernel")
_CPU_ATTENTION = "on a CPU only sdpa and eager work"
_SAGE = (80, 86, 89, 90, 120)
"""The compute capabilities that axolotl takes for SageAttention."""


def _weakest(subject: Subject) -> int:
    return weakest(subject.gpus or ())


def _gpu(subject: Subject) -> str:
    """The name of the weakest GPU, with its compute capability."""
    for gpu in subject.gpus or ():
        if gpu.compute_capability == f"sm_{_weakest(subject)}":
            return f"{gpu.name} ({gpu.compute_capability})"
    return "this GPU"


def _on_a_cpu(subject: Subject) -> bool:
    return subject.gpus == ()


def _older_than(subject: Subject, capability: int) -> bool:
    return 0 < _weakest(subject) < capability


@dataclass(frozen=True)
class _Precision:
    """A number format, the first compute capability that has it, and what to do without."""

    key: str
    since: int
    on_old_gpus: str
    on_a_cpu: str = "take it out"


_PRECISIONS = (
    _Precision("bf16", _AMPERE, "set `bf16: false` and `fp16: true`", "set `bf16: false`"),
    _Precision("bfloat16", _AMPERE, "set `float16: true` in its place"),
    _Precision("tf32", _AMPERE, "take it out"),
    _Precision("fp8", _HOPPER, "take it out"),
)


def _number_formats(subject: Subject) -> Iterator[Finding]:
    for precision in _PRECISIONS:
        key = precision.key
        if not subject.on(key) or subject.get(key) == "auto":
            continue
        if _on_a_cpu(subject):
            mend = Put((key,), False) if key == "bf16" else Drop((key,))
            yield error(key, f"{key} needs a GPU: on a CPU the run fails", precision.on_a_cpu, mend)
        elif _older_than(subject, precision.since):
            message = f"{_gpu(subject)} has no {key}: that begins with sm_{precision.since}"
            yield error(key, message, precision.on_old_gpus)


def _automatic_format(subject: Subject) -> Iterator[Finding]:
    """Where nothing is said, axolotl takes bf16 if torch has it, even imitated, else fp16."""
    if subject.get("bf16", "auto") != "auto" or any(
        subject.on(key) for key in ("fp16", "float16", "bfloat16")
    ):
        return
    if _on_a_cpu(subject):
        message = (
            "on a CPU axolotl takes fp16 in silence: less exact than the 32 bits it is made for"
        )
        yield warning("bf16", message, "set `bf16: false`", Put(("bf16",), False))
    elif _older_than(subject, _AMPERE):
        message = f"{_gpu(subject)} has no bf16: torch imitates it, slowly"
        yield warning("bf16", message, "set `bf16: false` and `fp16: true`")


def _half_on_a_cpu(subject: Subject) -> Iterator[Finding]:
    if _on_a_cpu(subject):
        for key in ("fp16", "float16"):
            if subject.on(key):
                message = "fp16 is for GPUs: on a CPU it is less exact than 32 bits, and no faster"
                yield warning(key, message, "take it out, and set `bf16: false`")


@dataclass(frozen=True)
class _Attention:
    """An attention implementation and the first compute capability that it runs on."""

    since: int
    words: str


_ATTENTIONS: Mapping[str, _Attention] = {
    "flash_attention_2": _Attention(_AMPERE, "FlashAttention 2 begins with Ampere, sm_80"),
    "flash_attention_3": _Attention(_AMPERE, "FlashAttention 3 begins with Ampere, sm_80"),
    "flash_attention_4": _Attention(_HOPPER, "FlashAttention 4 begins with Hopper, sm_90"),
    "fp8": _Attention(_HOPPER, "attention in fp8 begins with Hopper, sm_90"),
    "flex_attention": _Attention(0, ""),
    "xformers": _Attention(0, ""),
    "sage": _Attention(0, ""),
    "flash_attention_torch": _Attention(0, ""),
}


def _attentions(subject: Subject) -> Iterator[Finding]:
    name = attention(subject) or ""
    key = "attn_implementation" if subject.has("attn_implementation") else _old_key(subject)
    needs = _ATTENTIONS.get(name)
    hub = "/" in name and "flash" in name
    if _on_a_cpu(subject) and (needs or hub):
        yield error(key, f"{name} needs a GPU: {_CPU_ATTENTION}", "set `attn_implementation: sdpa`")
    elif needs and _older_than(subject, needs.since):
        message = f"{_gpu(subject)} is too old for it: {needs.words}"
        yield error(key, message, "set `attn_implementation: sdpa`")
    elif name == "sage" and _weakest(subject) and _weakest(subject) not in _SAGE:
        known = ", ".join(f"sm_{each}" for each in _SAGE)
        message = f"axolotl takes SageAttention on {known} only, not on {_gpu(subject)}"
        yield error(key, message, "set `attn_implementation: sdpa`")


def _old_key(subject: Subject) -> str:
    keys = (key for key in subject.config if str(key).endswith("_attention") and subject.on(key))
    return next(keys, "attn_implementation")


def _lora_kernels(subject: Subject) -> Iterator[Finding]:
    """axolotl turns its kernels on by itself for LoRA when none of the four is mentioned."""
    if not _on_a_cpu(subject):
        return
    for key in _KERNELS:
        if subject.on(key):
            message = "this faster LoRA code needs a GPU: on a CPU the run fails"
            yield error(key, message, "set it to false", Put((key,), False))
    eight_bits = subject.text("adapter") == "lora" and subject.on("load_in_8bit")
    spared = ("rl", "trust_remote_code", "nvfp4_merge_aware")
    if (
        subject.text("adapter") in ("lora", "qlora")
        and not any(subject.has(key) for key in _KERNELS)
        and not any(subject.on(key) for key in spared)
        and not eight_bits
    ):
        message = "axolotl turns its faster LoRA code on by itself, which needs a GPU"
        off = tuple(Put((key,), False) for key in _KERNELS)
        yield error("adapter", message, f"set {', '.join(_KERNELS)} to false", *off)


def _four_bits_on_a_cpu(subject: Subject) -> Iterator[Finding]:
    """bitsandbytes 0.50 repacks 4-bit weights for the first evaluation and never back."""
    if _on_a_cpu(subject) and subject.on("load_in_4bit") and evaluates_on(subject):
        message = (
            "on many CPUs an evaluation of 4-bit weights breaks the training after it "
            "(bitsandbytes repacks the weights and does not turn back)"
        )
        key = "val_set_size" if subject.number("val_set_size") else "test_datasets"
        yield warning(key, message, "set `val_set_size: 0`, or train `adapter: lora`")


def _packing(subject: Subject) -> Iterator[Finding]:
    """Packed rows must not see each other; not every attention can keep them apart."""
    if not subject.on("sample_packing") or subject.has("rl") or subject.has("diffusion_lm"):
        return
    name = attention(subject)
    base = (name or "").partition(":")[0].partition("@")[0].strip()
    if not name:
        message = "without attn_implementation the rows packed into one sequence see each other"
        yield warning(
            "sample_packing", message, "add `attn_implementation: sdpa` or flash_attention_2"
        )
    elif base not in names(subject)["packing_attention"]:
        message = f"axolotl cannot keep the rows of a packed sequence apart with {name}"
        yield warning("sample_packing", message, "such as `attn_implementation: flash_attention_2`")


def _packing_with_sdpa(subject: Subject) -> Iterator[Finding]:
    bf16 = subject.on("bfloat16") or (subject.get("bf16", "auto") and subject.gpus)
    if (
        subject.on("sample_packing")
        and attention(subject) == "sdpa"
        and bf16
        and _older_than(subject, _HOPPER)
    ):
        message = (
            f"axolotl warns that packing with sdpa in bf16 may give a loss of 0 on {_gpu(subject)}"
        )
        yield warning("sample_packing", message, "use flash_attention_2, or watch the first losses")


_MOST_GPUS = 1_000_000
_SIZES = ("tensor_parallel_size", "context_parallel_size", "dp_shard_size", "dp_replicate_size")


def _number_of_gpus(subject: Subject) -> Iterator[Finding]:
    if subject.gpus is None:
        return
    count, product = len(subject.gpus), 1
    used: list[str] = []
    for key in (*_SIZES, "expert_parallel_size"):
        size = subject.number(key)
        if size and 1 < size < _MOST_GPUS:
            product, used = product * int(size), [*used, key]
    if used and (product > count or count % product):
        words = " × ".join(used)
        have = f"there {'is' if count == 1 else 'are'} {count or 'none'}"
        message = f"{words} = {product} GPUs, and {have}"
        yield error(used[0], message, "their product must divide the number of GPUs")


def _split_over_one(subject: Subject) -> Iterator[Finding]:
    if subject.gpus is None or len(subject.gpus) > 1:
        return
    where = "a single GPU" if subject.gpus else "a CPU"
    for key in ("fsdp_config", "fsdp", "deepspeed"):
        if subject.on(key):
            message = f"there is nothing to split on {where}: it costs time and saves little"
            yield warning(key, message, "take it out, unless it moves weights to system memory")
            return


RULES: tuple[Rule, ...] = (
    _number_formats,
    _automatic_format,
    _half_on_a_cpu,
    _attentions,
    _lora_kernels,
    _four_bits_on_a_cpu,
    _packing,
    _packing_with_sdpa,
    _number_of_gpus,
    _split_over_one,
)
"""What this module has to say."""
