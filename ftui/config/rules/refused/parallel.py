"""What axolotl refuses about training on several GPUs: DeepSpeed, split sequences and matrices."""

from __future__ import annotations

from collections.abc import Iterator

from ftui.config.rules.refused.attention import attention
from ftui.config.rules.refused.plugins import listed
from ftui.config.rules.rule import Finding, Rule, Subject, error
from ftui.config.rules.table import Row, put, refuses

_TWO_WAYS = "two ways to spread one model over several GPUs"
_SPLIT_ADAM = ("paged_adamw_8bit", "adamw_8bit", "adamw_bnb_8bit")

_BEFORE = (
    Row(
        "deepspeed",
        "deepspeed fsdp",
        f"deepspeed and fsdp exclude each other: {_TWO_WAYS}",
        "remove one of deepspeed and fsdp",
        before=(0, 21),
    ),
    Row(
        "deepspeed",
        "deepspeed fsdp_config",
        f"deepspeed and fsdp_config exclude each other: {_TWO_WAYS}",
        "remove one of deepspeed and fsdp_config",
        since=(0, 21),
    ),
    Row(
        "deepcompile",
        "deepcompile !deepspeed",
        "deepcompile is a part of DeepSpeed, which is not used",
        "set deepspeed, or remove deepcompile",
    ),
    Row(
        "fsdp_config.cpu_ram_efficient_loading",
        "model_quantization_config=Mxfp4Config fsdp_config.cpu_ram_efficient_loading=true",
        "a model in MXFP4 cannot be loaded on the first GPU's process alone",
        "set `cpu_ram_efficient_loading: false`",
        edits=put("fsdp_config.cpu_ram_efficient_loading", False),
    ),
    Row(
        "ple_cpu_offload",
        "ple_cpu_offload deepspeed",
        "ple_cpu_offload does not work with DeepSpeed",
        "remove one of ple_cpu_offload and deepspeed",
    ),
    Row(
        "ple_cpu_offload",
        "ple_cpu_offload fsdp_config?",
        "ple_cpu_offload does not work with FSDP",
        "remove one of ple_cpu_offload and fsdp_config",
    ),
    Row(
        "fp8_config",
        "fp8_config? !fp8",
        "fp8_config says how to compute in 8 bits, but fp8 is off",
        "set `fp8: true`, or remove fp8_config",
    ),
    Row(
        "fp8_enable_fsdp_float8_all_gather",
        "fp8_enable_fsdp_float8_all_gather fp8_config.recipe? fp8_config.recipe!=tensorwise",
        "sending the weights in 8 bits works with `recipe: tensorwise` only",
        "remove fp8_enable_fsdp_float8_all_gather, or set fp8_config.recipe to tensorwise",
    ),
    Row(
        "fp8_enable_fsdp_float8_all_gather",
        "fp8_enable_fsdp_float8_all_gather !fsdp_config",
        "fp8_enable_fsdp_float8_all_gather is about FSDP, which is not used",
        "set fsdp_config, or remove fp8_enable_fsdp_float8_all_gather",
    ),
)
_AFTER = (
    Row(
        "fp32_norms",
        "fp32_norms !fsdp_config?",
        "fp32_norms is about FSDP, which is not used",
        "set fsdp_config, or remove fp32_norms",
    ),
    Row(
        "expert_parallel_size",
        "tensor_parallel_size>1 expert_parallel_size>1",
        "tensor_parallel_size and expert_parallel_size exclude each other",
        "split the experts with expert_parallel_size and the rest with dp_shard_size",
        since=(0, 21),
    ),
    Row(
        "sample_packing",
        "context_parallel_size>1 use_glm_dsa_kernels sample_packing",
        "context_parallel_size with use_glm_dsa_kernels does not work with packing",
        "remove sample_packing",
        since=(0, 21),
    ),
)


def _context(subject: Subject) -> Iterator[Finding]:
    """One sequence over several GPUs."""
    place = "context_parallel_size"
    if not subject.get(place):
        place = "sequence_parallel_degree"
    name = attention(subject)
    own = subject.on("use_glm_dsa_kernels") and listed(subject, "KernelsPlugin")
    if (subject.number(place) or 0) <= 1 or own:
        return
    if subject.axolotl >= (0, 21):
        if name == "eager":
            yield error(
                place,
                "context_parallel_size does not work with `attn_implementation: eager`",
                "set `attn_implementation: sdpa` or flash_attention_2",
            )
        if subject.on("deepspeed") and subject.on("rl"):
            yield error(
                place,
                "context_parallel_size with DeepSpeed does not work with preference training (rl)",
                "use fsdp_config instead of deepspeed",
            )
    elif (name or "").partition(":")[0].partition("@")[0].strip() != "flash_attention_2":
        yield error(
            place,
            "context_parallel_size (sequences split over GPUs) works with flash_attention_2 only",
            "set `attn_implementation: flash_attention_2`",
        )
    elif subject.on("sample_packing") and (subject.number("micro_batch_size") or 1) > 1:
        yield error(
            "micro_batch_size",
            "splitting packed sequences over GPUs works with one sequence per step only",
            "set `micro_batch_size: 1`",
        )


def _embeddings(subject: Subject) -> Iterator[Finding]:
    """Embeddings kept in the memory of the CPU; only bitsandbytes' models let them stay there."""
    place = "ple_cpu_offload"
    bits = {"qlora": "load_in_4bit", "lora": "load_in_8bit"}.get(subject.text("adapter"))
    fits = bits is not None and subject.get(bits)
    if subject.get(place) and not fits:
        yield error(
            place,
            "ple_cpu_offload works with an adapter on a quantized base model only",
            "set `adapter: qlora` with load_in_4bit or `adapter: lora` with load_in_8bit, "
            "or remove ple_cpu_offload",
        )


def _tensors(subject: Subject) -> Iterator[Finding]:
    """One matrix over several GPUs."""
    if (subject.number("tensor_parallel_size") or 0) <= 1 or subject.axolotl < (0, 21):
        return
    if subject.text("optimizer") in _SPLIT_ADAM:
        yield error(
            "optimizer",
            f"tensor_parallel_size does not work with the optimizer {subject.get('optimizer')}",
            "set `optimizer: adamw_torch_8bit`",
        )


def _deepspeed_file(subject: Subject) -> Iterator[Finding]:
    """axolotl adds to DeepSpeed's own config where it splits tensors, so it must be a file."""
    split = (subject.number("tensor_parallel_size") or 0) > 1
    key = "tensor_parallel_size" if split else "deepcompile"
    if isinstance(subject.get("deepspeed"), dict) and (split or subject.get("deepcompile")):
        message = f"axolotl adds {key} to DeepSpeed's own config, so that must be a file"
        yield error("deepspeed", message, "write it to a JSON file, and set deepspeed to its path")


RULES: tuple[Rule, ...] = (
    refuses(_BEFORE),
    refuses(_AFTER, parsed=True),
    _context,
    _embeddings,
    _tensors,
    _deepspeed_file,
)
"""What axolotl refuses about training on several GPUs."""
