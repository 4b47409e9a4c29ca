"""What axolotl refuses about LoRA adapters and the quantized base models under them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ftui.config.rules.rule import Finding, Rule, Subject, error
from ftui.config.rules.table import Row, drop, put, refuses

_FUSED = "lora_mlp_kernel, lora_qkv_kernel and lora_o_kernel (faster LoRA code)"
_KERNELS = ("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel")
_BASE = "the base model is already quantized by model_quantization_config"

_BEFORE = (
    Row(
        "load_in_8bit",
        "!adapter !inference load_in_8bit",
        "a base model in 8 bits cannot be trained itself, only an adapter (LoRA) on top of it",
        "set `adapter: lora`, or remove load_in_8bit to train the whole model",
    ),
    Row(
        "load_in_4bit",
        "!adapter !inference load_in_4bit",
        "a base model in 4 bits cannot be trained itself, only an adapter (QLoRA) on top of it",
        "set `adapter: qlora`, or remove load_in_4bit to train the whole model",
    ),
    Row(
        "load_in_8bit",
        "model_quantization_config load_in_8bit",
        f"{_BASE}: it cannot be loaded in 8 bits too",
        "remove load_in_8bit",
        edits=drop("load_in_8bit"),
    ),
    Row(
        "load_in_4bit",
        "model_quantization_config load_in_4bit",
        f"{_BASE}: it cannot be loaded in 4 bits too",
        "remove load_in_4bit",
        edits=drop("load_in_4bit"),
    ),
    Row(
        "loraplus_lr_ratio",
        "lr_groups loraplus_lr_ratio",
        "lr_groups and loraplus_lr_ratio exclude each other: "
        "both give parts of the model their own learning rate",
        "remove one of lr_groups and loraplus_lr_ratio",
    ),
    Row(
        "unfrozen_parameters",
        "adapter peft_layers_to_transform unfrozen_parameters",
        "unfrozen_parameters and peft_layers_to_transform both say which layers an adapter trains",
        "remove one of unfrozen_parameters and peft_layers_to_transform",
    ),
    Row(
        "peft_layers_pattern",
        "peft_layers_pattern !peft_layers_to_transform",
        "peft_layers_pattern needs peft_layers_to_transform: the numbers of the layers",
        "set peft_layers_to_transform, or remove peft_layers_pattern",
    ),
    Row(
        "unfrozen_parameters",
        "unfrozen_parameters gradient_checkpointing_kwargs.use_reentrant=true",
        "training a part of the model (unfrozen_parameters) does not work with "
        "reentrant gradient checkpointing",
        "set gradient_checkpointing_kwargs.use_reentrant to false",
        edits=put("gradient_checkpointing_kwargs.use_reentrant", False),
    ),
    Row(
        "qat",
        "qat peft",
        "training for a quantized model (qat) does not work with peft",
        "remove one of qat and peft",
    ),
    Row(
        "load_in_8bit",
        "qat load_in_8bit",
        "training for a quantized model (qat) starts from the full model: not from one in 8 bits",
        "remove one of qat and load_in_8bit",
    ),
    Row(
        "load_in_4bit",
        "qat load_in_4bit",
        "training for a quantized model (qat) starts from the full model: not from one in 4 bits",
        "remove one of qat and load_in_4bit",
    ),
    Row(
        "qat.activation_dtype",
        "qat.weight_dtype=ternary qat.activation_dtype? qat.activation_dtype!=int8",
        "ternary weights work with `activation_dtype: int8` only",
        "set `activation_dtype: int8`",
        edits=put("qat.activation_dtype", "int8"),
    ),
    Row(
        "lora_target_linear",
        "quantize_moe_experts lora_target_linear",
        "quantized experts (quantize_moe_experts) are no linear layers that "
        "lora_target_linear could find",
        "remove lora_target_linear, and name the experts in lora_target_parameters",
    ),
    Row(
        "quantize_moe_experts",
        "quantize_moe_experts adapter!=lora|qlora",
        "quantized experts cannot be trained themselves, only an adapter on top of them",
        "set `adapter: lora` or `adapter: qlora`, or remove quantize_moe_experts",
    ),
    Row(
        "quantize_moe_experts",
        "quantize_moe_experts !load_in_4bit !load_in_8bit",
        "quantize_moe_experts needs to know in how many bits",
        "set load_in_4bit or load_in_8bit",
    ),
    Row(
        "revision_of_model",
        "gptq revision_of_model",
        "a GPTQ model cannot be taken at another revision than its newest",
        "download that revision yourself, name its folder as base_model and remove "
        "revision_of_model",
    ),
    Row(
        "lora_fp32_gradients",
        "lora_fp32_gradients adapter!=lora|qlora|multilora",
        "lora_fp32_gradients is about an adapter, but none is trained",
        "set `adapter: lora`, or remove lora_fp32_gradients",
        since=(0, 21),
    ),
)
_AFTER = (
    Row(
        "load_in_8bit",
        "adapter=qlora !merge_lora load_in_8bit",
        "`adapter: qlora` trains on a base model in 4 bits, not in 8",
        "set `load_in_4bit: true` instead of load_in_8bit, or `adapter: lora`",
    ),
    Row(
        "gptq",
        "adapter=qlora gptq",
        "`adapter: qlora` does not work on a GPTQ model",
        "set `adapter: lora`, or remove gptq",
    ),
    Row(
        "adapter",
        "adapter=qlora !merge_lora !load_in_4bit",
        "QLoRA trains on a base model in 4 bits, but load_in_4bit is not on",
        "set `load_in_4bit: true`, or `adapter: lora`",
    ),
    Row(
        "merge_lora",
        "adapter=qlora merge_lora load_in_8bit",
        "a QLoRA adapter cannot be merged into a base model in 8 bits (load_in_8bit)",
        "remove load_in_8bit",
    ),
    Row(
        "merge_lora",
        "adapter=qlora merge_lora load_in_4bit",
        "a QLoRA adapter cannot be merged into a base model in 4 bits (load_in_4bit)",
        "remove load_in_4bit",
    ),
    Row(
        "flash_attn_fuse_mlp",
        "adapter=lora|qlora flash_attn_fuse_mlp",
        "fused layers have no place for an adapter",
        "remove flash_attn_fuse_mlp",
        edits=drop("flash_attn_fuse_mlp"),
    ),
    Row(
        "use_onebitllms",
        "adapter=lora|qlora use_onebitllms",
        "a model of 1.58 bits (use_onebitllms) is trained as a whole: not with an adapter",
        "remove one of adapter and use_onebitllms",
    ),
    Row(
        "bnb_config_kwargs.blocksize",
        "load_in_4bit nf4_backend!=torchao bnb_config_kwargs.blocksize? "
        "bnb_config_kwargs.blocksize!=64",
        "a base model in 4 bits comes in blocks of 64",
        "remove blocksize",
        since=(0, 21),
    ),
)

_BUILT_IN = ("lora", "qlora", "llama-adapter")
_FROM_PLUGINS = {
    "mixlora": "axolotl.integrations.mixlora.MixLoraPlugin",
    "mora": "axolotl.integrations.mora.MoraPlugin",
}


def _unknown(subject: Subject) -> Iterator[Finding]:
    """An adapter that is neither built in nor, as far as we can know, from a plugin."""
    adapter = subject.text("adapter")
    owner = _FROM_PLUGINS.get(adapter)
    ours = all(name.startswith("axolotl.") for name in subject.plugins)
    if not adapter or adapter in _BUILT_IN or (not owner and not ours):
        return
    if owner is None or not any(
        name.endswith(owner.rpartition(".")[2]) for name in subject.plugins
    ):
        hint = f"list `plugins: [{owner}]`" if owner else "set `adapter: lora` or `adapter: qlora`"
        yield error("adapter", f"axolotl has no adapter {adapter!r} without a plugin for it", hint)


def _kernels(subject: Subject) -> Iterator[Finding]:
    """The fused kernels, once one is asked for by name."""
    key = next((key for key in _KERNELS if subject.get(key)), None)
    if key is None:
        return
    if subject.get("adapter") == "lora" and subject.get("load_in_8bit"):
        yield error(
            key,
            f"{_FUSED} do not work on a base model in 8 bits (load_in_8bit)",
            f"set {key} to false, or use QLoRA: 4 bits",
        )
    if subject.get("trust_remote_code") and not _own_kernels(subject):
        yield error(
            key,
            f"{_FUSED} do not work on a model that brings its own code (trust_remote_code)",
            f"set {key} to false, or remove trust_remote_code",
        )


def _own_kernels(subject: Subject) -> bool:
    """Whether axolotl 0.21 brings such kernels for this very model."""
    return subject.axolotl >= (0, 21) and subject.has("model_config_type")


def _targets(subject: Subject) -> Iterator[Finding]:
    """Expert weights as targets. PEFT wraps them in a way that does less."""
    if not subject.on("lora_target_parameters"):
        return
    if subject.number("lora_dropout"):
        yield error(
            "lora_dropout",
            "lora_target_parameters works without dropout only",
            "set `lora_dropout: 0`",
            *put("lora_dropout", 0),
        )
    start = subject.get("peft_init_lora_weights")
    special = start not in (None, True, False, "gaussian") or subject.get("peft.loftq_config")
    if subject.axolotl >= (0, 21) and special:
        yield error(
            "peft_init_lora_weights" if subject.has("peft_init_lora_weights") else "peft",
            "lora_target_parameters works with the usual start of the adapter only: "
            "the others need weights that fused experts do not have",
            "remove it, or use gaussian",
        )


def _patterns(subject: Subject) -> Iterator[Finding]:
    names = subject.get("lora_target_modules")
    for index, name in enumerate(names if isinstance(names, list) else ()):
        try:
            re.compile(name if isinstance(name, str) else "")
        except re.error as problem:
            place = f"lora_target_modules.{index}"
            message = f"this is no regular expression: {problem.msg}"
            yield error(place, message, "write the modules' names as they are")


RULES: tuple[Rule, ...] = (
    refuses(_BEFORE),
    refuses(_AFTER, parsed=True),
    _unknown,
    _kernels,
    _targets,
    _patterns,
)
"""What axolotl refuses about adapters and quantized base models."""
