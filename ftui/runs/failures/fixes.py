"""What to set differently after a failure: from the settings that were tried to those to try next.

Each function is one way to mend something. It gives None where that way is already gone or leads
nowhere, so that several of them can be tried in turn.
"""

from __future__ import annotations

from typing import Any

from ftui.plan.places import value_at
from ftui.runs.failures.signature import Change, Trial

_SHORTEST = 512
"""Tokens. Below that, most examples of most datasets would be left out."""
_LORA_KERNELS = ("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel", "lora_embedding_kernel")
_ONE_CHECKPOINT = "only the newest checkpoint is kept, not four; make room on the disk as well"
_OLD_ATTENTION = ("flash_attention", "xformers_attention", "sdp_attention", "flex_attention")


def smaller_batches(trial: Trial) -> Change | None:
    """Fewer examples at once, more often: the same batch for each optimizer step."""
    size = _whole(trial, "micro_batch_size", 1)
    if size <= 1:
        return None
    new = next(part for part in range(size // 2, 0, -1) if size % part == 0)
    steps = _whole(trial, "gradient_accumulation_steps", 1) * (size // new)
    settings: dict[str, Any] = {"micro_batch_size": new, "gradient_accumulation_steps": steps}
    if _whole(trial, "eval_batch_size", 0) > new:
        settings["eval_batch_size"] = new
    return Change(settings, "fewer examples at once, and as many as before in each step")


def checkpointed_gradients(trial: Trial) -> Change | None:
    """Compute the activations again instead of keeping them."""
    if trial.settings.get("gradient_checkpointing"):
        return None
    settings: dict[str, Any] = {"gradient_checkpointing": True}
    if trial.gpus > 1:
        settings["gradient_checkpointing_kwargs.use_reentrant"] = False
    return Change(settings, "much less memory for a step that takes about a third longer")


def shorter_examples(trial: Trial) -> Change | None:
    """Memory grows with the longest example."""
    length = _whole(trial, "sequence_len", 0)
    if length // 2 < _SHORTEST:
        return None
    reason = f"half the memory for a step; examples of more than {length // 2} tokens are left out"
    return Change({"sequence_len": length // 2}, reason)


def four_bit_weights(trial: Trial) -> Change | None:
    """QLoRA: the frozen weights take a quarter of the memory."""
    settings = trial.settings
    fixed = ("load_in_8bit", "model_quantization_config", "gptq", "deepspeed", "quantization")
    if settings.get("adapter") != "lora" or any(settings.get(key) for key in fixed):
        return None
    reason = "QLoRA keeps the model that stays as it is in 4 bits: a quarter of the memory"
    return Change({"adapter": "qlora", "load_in_4bit": True}, reason, resumes=False)


def one_data_process(trial: Trial) -> Change | None:
    """Each process that prepares data holds memory of its own."""
    if trial.settings.get("dataset_num_proc") == 1:
        return None
    return Change({"dataset_num_proc": 1}, "one process prepares the data, not one for each core")


def no_loader_workers(trial: Trial) -> Change | None:
    """The training process loads its batches itself: nothing goes through shared memory."""
    if trial.settings.get("dataloader_num_workers") == 0:
        return None
    settings: dict[str, Any] = {"dataloader_num_workers": 0}
    if "dataloader_prefetch_factor" in trial.settings:  # torch refuses it without workers
        settings["dataloader_prefetch_factor"] = None
    return Change(settings, "no processes that hand batches over through shared memory")


def one_reader_of_weights(trial: Trial) -> Change | None:
    """FSDP: one process reads the weights into system memory, not one for each GPU."""
    if not isinstance(trial.settings.get("fsdp_config"), dict):
        return None
    place = "fsdp_config.cpu_ram_efficient_loading"
    if value_at(trial.settings, place):
        return None
    return Change({place: True}, "only one process reads the weights into system memory")


def one_checkpoint(trial: Trial) -> Change | None:
    """Keep the newest checkpoint only."""
    if trial.settings.get("save_total_limit") == 1:
        return None
    return Change({"save_total_limit": 1}, _ONE_CHECKPOINT)


def checkpoints_without_optimizer(trial: Trial) -> Change | None:
    """The optimizer's state is two thirds of a full checkpoint."""
    if trial.settings.get("save_only_model"):
        return None
    reason = "checkpoints without the optimizer's state; a resumed run begins with a new one"
    return Change({"save_only_model": True}, reason)


def wider_numbers(trial: Trial) -> Change | None:
    """fp16 ends at 65504; bf16 has the range of 32-bit numbers."""
    if not trial.settings.get("fp16"):
        return None
    reason = "bf16, where the GPU has it: fp16 cannot hold numbers above 65504"
    return Change({"fp16": None, "bf16": "auto"}, reason, resumes=False)


_USUAL_ADAPTER_RATE, _USUAL_RATE = 2e-4, 2e-5
"""Learning rates of LoRA and of a full fine-tune (axolotl's own examples)."""


def smaller_steps(trial: Trial) -> Change | None:
    """A quarter of the learning rate; of one far from what is usual, what is usual."""
    rate = value_at(trial.settings, "learning_rate")
    usual = _USUAL_ADAPTER_RATE if value_at(trial.settings, "adapter") else _USUAL_RATE
    try:
        given = float(rate)
    except (TypeError, ValueError):
        return None
    if given > 100 * usual:
        return Change({"learning_rate": usual}, f"{usual:g} is usual here", resumes=False)
    new = float(f"{given / 4:.3g}")
    if not new > 0:
        return None
    return Change({"learning_rate": new}, "a quarter of the learning rate", resumes=False)


def attention_without_packages(trial: Trial) -> Change | None:
    """PyTorch's own attention, which needs nothing else and runs on every GPU."""
    settings = trial.settings
    # gpt-oss has attention sinks, which PyTorch's fused attention does not know.
    plain = "eager" if "gpt-oss" in str(settings.get("base_model", "")).lower() else "sdpa"
    if settings.get("attn_implementation") == plain:
        return None
    old = {key: None for key in _OLD_ATTENTION if key in settings}
    reason = "PyTorch's own attention: no extra package, every GPU, somewhat slower"
    return Change({"attn_implementation": plain, **old}, reason)


def numbers_of_the_gpu(trial: Trial) -> Change | None:
    """fp16 for a GPU without bf16; 32-bit numbers for a CPU."""
    if trial.settings.get("bf16") is False:
        return None
    old = {key: None for key in ("bfloat16", "float16", "tf32") if key in trial.settings}
    if trial.gpus:
        reason = "fp16, the 16-bit numbers that every GPU has"
        return Change({"bf16": False, "fp16": True, **old}, reason)
    return Change({"bf16": False, **old}, "32-bit numbers, as on every CPU")


def no_gpu_kernels(trial: Trial) -> Change | None:
    """LoRA without axolotl's fused GPU code, which it turns on by itself."""
    if all(trial.settings.get(key) is False for key in _LORA_KERNELS):
        return None
    return Change(dict.fromkeys(_LORA_KERNELS, False), "LoRA without fused GPU code")


def checkpointing_for_many(trial: Trial) -> Change | None:
    """The newer gradient checkpointing, which DDP and LoRA get along with."""
    place = "gradient_checkpointing_kwargs.use_reentrant"
    if value_at(trial.settings, place) is False:
        return None
    return Change({place: False}, "the newer way of gradient checkpointing, made for this")


def usual_optimizer(trial: Trial) -> Change | None:
    """AdamW as PyTorch has it."""
    if trial.settings.get("optimizer") == "adamw_torch":
        return None
    return Change({"optimizer": "adamw_torch"}, "AdamW as PyTorch has it", resumes=False)


def optimizer_without_bitsandbytes(trial: Trial) -> Change | None:
    """bitsandbytes is there for 4-bit and 8-bit weights, and for some optimizers."""
    weights = ("load_in_4bit", "load_in_8bit")
    marks = ("8bit", "paged", "bnb")
    if any(trial.settings.get(key) for key in weights):
        return None
    if not any(mark in str(trial.settings.get("optimizer")) for mark in marks):
        return None
    return usual_optimizer(trial)


def adapters_on_linear_layers(trial: Trial) -> Change | None:
    """LoRA on whatever linear layers the model has, whatever they are called."""
    if not trial.settings.get("lora_target_modules"):
        return None
    settings = {"lora_target_modules": None, "lora_target_linear": True}
    return Change(settings, "LoRA on every linear layer, whatever its name", resumes=False)


def common_template(trial: Trial) -> Change | None:
    """ChatML, for a model that brings no chat template."""
    own = trial.settings.get("tokenizer_use_mistral_common")  # comes as it is
    if own or trial.settings.get("chat_template") == "chatml":
        return None
    reason = "ChatML, the most common chat template, where the model brings none"
    return Change({"chat_template": "chatml"}, reason, resumes=False)


def long_rows_left_out(trial: Trial) -> Change | None:
    """Leave rows out that are longer than sequence_len, as is usual."""
    if trial.settings.get("excess_length_strategy") != "raise":
        return None
    return Change({"excess_length_strategy": "drop"}, "longer rows are left out")


def fewer_rows_kept_back(trial: Trial) -> Change | None:
    """A twentieth of the rows for the eval loss."""
    if value_at(trial.settings, "val_set_size") == 0.05:
        return None
    return Change({"val_set_size": 0.05}, "a twentieth of the rows is kept back for the eval loss")


def learnt_embeddings(trial: Trial) -> Change | None:
    """New tokens have vectors to be learnt, which LoRA alone leaves as they are."""
    if trial.settings.get("lora_modules_to_save") or not trial.settings.get("adapter"):
        return None
    settings = {"lora_modules_to_save": ["embed_tokens", "lm_head"]}
    return Change(settings, "the vectors of new tokens are learnt, too", resumes=False)


def metrics_on_this_machine(trial: Trial) -> Change | None:
    """Weights & Biases without its server."""
    if trial.settings.get("wandb_mode") in ("offline", "disabled"):
        return None
    return Change({"wandb_mode": "offline"}, "Weights & Biases keeps its files on this machine")


def without_deepspeed(trial: Trial) -> Change | None:
    """One GPU has nobody to share with."""
    if trial.gpus > 1 or "deepspeed" not in trial.settings:
        return None
    return Change({"deepspeed": None}, "with one GPU there is nothing for DeepSpeed to share out")


def from_the_beginning(trial: Trial) -> Change | None:
    """Not from a checkpoint that cannot be read."""
    keys = ("resume_from_checkpoint", "auto_resume_from_checkpoints")
    named = {key: None for key in keys if trial.settings.get(key)}
    return Change(named, "begin anew", resumes=False) if named else None


def _whole(trial: Trial, key: str, default: int) -> int:
    value = trial.settings.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else default
