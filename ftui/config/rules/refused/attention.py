"""What axolotl refuses about attention, and about what is kept of it for the backward pass."""

from __future__ import annotations

from collections.abc import Iterator

from ftui.config.rules.outdated.switches import ATTENTION
from ftui.config.rules.rule import Finding, Rule, Subject, error
from ftui.config.rules.table import Row, put, refuses
from ftui.plan.nearest import nearest

_NAMES = (
    "eager",
    "sdpa",
    "flash_attention_2",
    "flash_attention_3",
    "flash_attention_4",
    "flash_attention_torch",
    "flex_attention",
    "xformers",
    "sage",
    "fp8",
)
_SHORT = {"flash": "flash_attention_2", "flex": "flex_attention", "sdp": "sdpa"}
_PACKING = (*_NAMES[2:9], *(f"kernels-community/{name}" for name in ("flash-attn2", "flash-attn3")))
"""Those that keep packed rows apart by themselves."""

_ROWS = (
    Row(
        "torch_compile_options",
        "torch_compile_options? !torch_compile",
        "these are options of torch.compile, which is off",
        "set `torch_compile: true`, or remove torch_compile_options",
    ),
    Row(
        "activation_offloading",
        "activation_offloading !gradient_checkpointing",
        "activation_offloading moves what gradient checkpointing keeps, and that is off",
        "set `gradient_checkpointing: true`, or remove activation_offloading",
    ),
    Row(
        "activation_offloading",
        "activation_offloading=hidden_states gradient_checkpointing_kwargs.use_reentrant "
        "unfrozen_parameters gradient_checkpointing_kwargs.use_reentrant!=true",
        "training a part of the model (unfrozen_parameters) does not work with "
        "reentrant gradient checkpointing",
        "set gradient_checkpointing_kwargs.use_reentrant to false",
    ),
    Row(
        "selective_checkpointing",
        "selective_checkpointing? selective_checkpointing!=false|False|no|0 "
        "!gradient_checkpointing",
        "selective_checkpointing says what gradient checkpointing keeps, and that is off",
        "set `gradient_checkpointing: true`, or remove selective_checkpointing",
    ),
    Row(
        "selective_checkpointing",
        "selective_checkpointing gradient_checkpointing "
        "gradient_checkpointing_kwargs.use_reentrant",
        "selective_checkpointing does not work with reentrant gradient checkpointing",
        "set gradient_checkpointing_kwargs.use_reentrant to false",
    ),
    Row(
        "activation_offloading",
        "selective_checkpointing gradient_checkpointing activation_offloading "
        "activation_offloading!=hidden_states",
        "selective_checkpointing works with `activation_offloading: hidden_states` only",
        "set `activation_offloading: hidden_states`, or remove it",
    ),
    Row(
        "gradient_checkpointing",
        "selective_checkpointing gradient_checkpointing=offload|offload_disk",
        "selective_checkpointing works with `activation_offloading: hidden_states` only",
        "set `gradient_checkpointing: true`",
        edits=put("gradient_checkpointing", True),
    ),
)


def attention(subject: Subject) -> str | None:
    """The attention that is asked for, by name, as axolotl will read it."""
    named = subject.get("attn_implementation")
    if named or not isinstance(named, str | None):
        return named if isinstance(named, str) else None
    old = next((name for key, name in ATTENTION.items() if subject.get(key)), None)
    return old or ("flash_attention_2" if subject.get("gemma4_hybrid_attn_impl") else None)


def packs(name: str | None) -> bool:
    """Whether an attention keeps packed rows apart by itself."""
    return (name or "").partition(":")[0].partition("@")[0].strip() in (
        *_PACKING,
        "kernels-community/sage-attention",
    )


def _names(subject: Subject) -> Iterator[Finding]:
    name = subject.get("attn_implementation")
    known = (*_NAMES, "varlen") if subject.axolotl >= (0, 21) else _NAMES
    if not isinstance(name, str) or name in known or "/" in name:
        return
    near = _SHORT.get(name) or nearest(name, known)
    choices = ", ".join(known)
    hint = f"did you mean {near}?" if near else "or the name of one on the model hub: owner/name"
    mends = put("attn_implementation", near) if near else ()
    yield error("attn_implementation", f"should be one of {choices}, not {name!r}", hint, *mends)


def _needs_attention(subject: Subject) -> Iterator[Finding]:
    name = attention(subject)
    if subject.on("scaling_softmax") and name != "flex_attention":
        yield error(
            "scaling_softmax",
            "scaling_softmax works with flex attention only",
            "set `attn_implementation: flex_attention`, or remove scaling_softmax",
        )
    if (
        subject.get("gemma4_hybrid_attn_impl")
        and subject.get("attn_implementation")
        and (name != "flash_attention_2")
    ):
        yield error(
            "attn_implementation",
            "gemma4_hybrid_attn_impl works with flash_attention_2 only",
            "set `attn_implementation: flash_attention_2`, or remove gemma4_hybrid_attn_impl",
        )


def _better_transformer(subject: Subject) -> Iterator[Finding]:
    """It wants full precision, and where nobody says so axolotl takes bf16."""
    if not subject.on("flash_optimum"):
        return
    key = "fp16" if subject.on("fp16") else "bf16"
    if subject.on(key) or not subject.has(key):
        yield error(
            "flash_optimum",
            f"BetterTransformer (flash_optimum) does not work with mixed precision ({key})",
            f"remove flash_optimum, or set `{key}: false`",
        )


def _flattening(subject: Subject) -> Iterator[Finding]:
    """Batches without padding. `auto` turns itself off where it does not work."""
    place = "batch_flattening"
    if not subject.on(place) or subject.get(place) == "auto":
        return
    name = attention(subject)
    if not packs(name) and not (name == "varlen" and subject.axolotl >= (0, 21)):
        yield error(
            place,
            "batches without padding need an attention that keeps their rows apart",
            "set `attn_implementation: flash_attention_2`, or remove batch_flattening",
        )
    if subject.on("sample_packing"):
        yield error(
            place,
            "batch_flattening and sample_packing exclude each other: "
            "both put several rows into one sequence",
            "remove batch_flattening",
        )


def _mpt(subject: Subject) -> Iterator[Finding]:
    """axolotl takes every model for an MPT whose name has these letters in it."""
    if "mpt" in subject.text("base_model").lower() and subject.on("gradient_checkpointing"):
        yield error(
            "gradient_checkpointing",
            'axolotl takes a base_model with "mpt" in its name for an MPT model, '
            "and those train without gradient checkpointing only",
            "remove gradient_checkpointing, or name the model's folder differently",
        )


_MATMULS = ("aten::mm", "aten::addmm", "aten::matmul", "aten::bmm")
_KERNELS = ("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel")


def _saved_matmuls(subject: Subject) -> Iterator[Finding]:
    """What changes the results of matrix products in place: an adapter, or its faster code."""
    changes = subject.on("adapter") if subject.axolotl < (0, 21) else _fused(subject)
    if not changes or not subject.on("gradient_checkpointing"):
        return
    why = "an adapter" if subject.axolotl < (0, 21) else "the faster LoRA code (lora_*_kernel)"
    message = f"{why} changes the results of matrix products in place: they cannot be kept"
    saved = subject.get("selective_checkpointing.save")
    for index, name in enumerate(saved if isinstance(saved, list) else ()):
        if isinstance(name, str) and name != "attention" and any(name in op for op in _MATMULS):
            place = f"selective_checkpointing.save.{index}"
            yield error(place, message, "use `save: [attention]`")
    if subject.axolotl >= (0, 21) and subject.on("selective_checkpointing.save_matmul_min_k"):
        hint = "remove it, or set the three kernels to false"
        yield error("selective_checkpointing.save_matmul_min_k", message, hint)


def _fused(subject: Subject) -> bool:
    """Whether the faster LoRA code runs: asked for, or chosen by axolotl where nobody says."""
    given = [key for key in (*_KERNELS, "lora_embedding_kernel") if subject.has(key)]
    adapter = subject.text("adapter")
    if given:
        return bool(adapter) and any(subject.on(key) for key in _KERNELS)
    stopped = ("rl", "nvfp4_merge_aware", "trust_remote_code")
    small = adapter == "lora" and subject.on("load_in_8bit")
    plain = not any(subject.on(key) for key in stopped) and not small
    return adapter in ("lora", "qlora") and plain


RULES: tuple[Rule, ...] = (
    refuses(_ROWS, parsed=True),
    _names,
    _needs_attention,
    _better_transformer,
    _flattening,
    _mpt,
    _saved_matmuls,
)
"""What axolotl refuses about attention and gradient checkpointing."""
