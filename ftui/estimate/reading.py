"""From an axolotl config to the training that its memory sees.

As axolotl 0.19 and 0.21 act on it, read in their source and partly measured: which numbers are
32-bit (loaders/model.py), which kernels turn themselves on (utils/schemas), what FSDP2 (axolotl's
own monkeypatch/accelerate/fsdp2.py leaves weights as they were loaded), FSDP1 (accelerate's
accelerator.py widens the trained ones) and DeepSpeed (ZeRO, arXiv 1910.02054) hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ftui.estimate.architecture import CannotSay
from ftui.estimate.lora import adapted_layers
from ftui.estimate.optimizers import optimizer
from ftui.estimate.training import (
    HALF,
    WIDE,
    Adapter,
    Checkpointing,
    Habits,
    Loss,
    Optimizer,
    Sharding,
    Training,
)
from ftui.plan.models import BaseModel

Settings = Mapping[str, Any]
_ONE_ANSWER = ("kto",)
"""Preference trainings whose rows have one answer; of the others both go through at once."""
_PREFERENCE = ("dpo", "ipo", "gdpo", "kto", "orpo", "simpo")
"""Preference trainings; the others have the model write answers meanwhile."""
_LARGEST = 10**8
"""No length, rank or number of rows is as large as this."""
_NO_REFERENCE = ("orpo", "simpo")
"""Preference trainings that compare with no other model. With an adapter none has one: the base
model without it is the reference."""
_PAD_TO = 64
"""axolotl fills batches up to a multiple of this many tokens."""
_HALF_KEYS = ("bf16", "fp16", "bfloat16", "float16")
_KERNELS = ("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel", "lora_embedding_kernel")
_ATTENTION_SWITCHES = {
    "xformers_attention": "xformers",
    "sage_attention": "sage",
    "flex_attention": "flex_attention",
    "flash_attention": "flash_attention_2",
    "sdp_attention": "sdpa",
    "eager_attention": "eager",
}
"""Old switches that axolotl still reads, and the `attn_implementation` that each stands for."""


@dataclass(frozen=True)
class Reading:
    """A training, and what had to be assumed about it, in words."""

    training: Training
    assumptions: tuple[str, ...] = ()


def read_training(
    settings: Settings, model: BaseModel, gpus: int = 1, longest: int | None = None
) -> Reading:
    """The training of a config on so many GPUs; none counts as one.

    `longest` is the length of the longest row in tokens, where the data were counted; else every
    batch is as long as sequence_len. Raises CannotSay for a mixture of experts or a hybrid, and
    for an adapter and a kind of training that cannot be counted, and for sizes that are none.
    """
    _refuse_others(model)
    _refuse_unknown_training(settings)
    gpus = max(gpus, 1)
    sharding = _sharding(settings)
    deepspeed = bool(settings.get("deepspeed"))
    fsdp = sharding is not Sharding.NONE and not deepspeed
    full = not settings.get("adapter")
    rows, length = _rows(settings), _length(settings, longest, gpus)
    fsdp1 = fsdp and str(settings.get("fsdp_version")) != "2"
    wide_weights = full and (fsdp1 or not _is_half(settings))
    wide = _embeddings_are_wide(settings, fsdp=fsdp) or wide_weights
    training = Training(
        model=model,
        tokens=rows * length,
        keys=rows * length if settings.get("sample_packing") else length,
        weight_bits=32 if wide_weights else _bits(settings),
        four_bit_overhead=_four_bit_overhead(settings),
        embedding_width=WIDE if wide else HALF,
        hidden_width=WIDE if wide and not fsdp else HALF,
        adapter=None if full else _adapter(settings, model),
        saved_modules=0.0 if full else _saved_modules(settings, model),
        checkpointing=_checkpointing(settings),
        loss=_loss(settings),
        has_reference=full and bool(settings.get("rl")) and settings["rl"] not in _NO_REFERENCE,
        eager_attention=_attention(settings) == "eager",
        repeated_keys=_repeats_keys(settings, rows),
        optimizer=optimizer(settings),
        accumulation=whole(settings, "gradient_accumulation_steps", 1),
        gpus=gpus,
        sharding=sharding if gpus > 1 else Sharding.NONE,
        offloaded=_offloads(settings),
        deepspeed=deepspeed and full,
        eval_tokens=_eval_tokens(settings, length),
        habits=_habits(settings),
    )
    return Reading(training, tuple(_assumptions(settings, longest)))


def _refuse_others(model: BaseModel) -> None:
    weights = model.parameters * HALF / 2**30
    why = f"its weights alone are {weights:.0f} GiB in 16 bits; the rest was never compared"
    if model.experts:
        kind = f"a mixture of {model.experts.count} experts"
        raise CannotSay(f"ftui cannot say what {model.title} needs: it is {kind}", why=why)
    if model.linear_attention:
        kind = "a hybrid of full and linear attention"
        raise CannotSay(f"ftui cannot say what {model.title} needs: it is {kind}", why=why)


def _refuse_unknown_training(settings: Settings) -> None:
    kind = settings.get("rl")
    if kind and kind not in _PREFERENCE:
        raise CannotSay(
            f"ftui cannot say what rl: {kind} needs",
            why="the model writes answers while it trains, and that was never looked into",
        )


def whole(settings: Settings, key: str, default: int) -> int:
    """A setting that is a whole number above zero, or what it is without. Raises CannotSay."""
    value = settings.get(key)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < _LARGEST:
        raise CannotSay(
            f"ftui cannot say what it needs: {key} is {value!r}",
            why=f"it has to be a whole number from 1 to {_LARGEST - 1:,}",
        )
    return value


def _rows(settings: Settings) -> int:
    """Rows that go through the model at once on one GPU."""
    answers = 2 if settings.get("rl") and settings["rl"] not in _ONE_ANSWER else 1
    return answers * whole(settings, "micro_batch_size", 1)


def _length(settings: Settings, longest: int | None, gpus: int) -> int:
    """Tokens of a row as it goes through: packed, filled up, or as long as the longest one."""
    most = whole(settings, "sequence_len", 512)
    packed = settings.get("sample_packing") or settings.get("pad_to_sequence_len")
    length = (
        most if packed or longest is None else min(most, -(-max(longest, 1) // _PAD_TO) * _PAD_TO)
    )
    return -(-length // min(whole(settings, "context_parallel_size", 1), gpus))


def _eval_tokens(settings: Settings, length: int) -> int:
    """Tokens of a batch in an evaluation that is larger than one in training."""
    if not (settings.get("val_set_size") or settings.get("test_datasets")):
        return 0
    trained = whole(settings, "micro_batch_size", 1)
    rows = whole(settings, "eval_batch_size", trained)
    evaluated = whole(settings, "eval_sequence_len", length)
    return rows * evaluated if rows * evaluated > trained * length else 0


def _is_half(settings: Settings) -> bool:
    return any(settings.get(key) for key in _HALF_KEYS)


def _bits(settings: Settings) -> int:
    if settings.get("load_in_4bit"):
        return 4
    if settings.get("load_in_8bit"):
        return 8
    return 16 if _is_half(settings) else 32


def _four_bit_overhead(settings: Settings) -> float:
    kwargs = settings.get("bnb_config_kwargs")
    double = kwargs.get("bnb_4bit_use_double_quant", True) if isinstance(kwargs, Mapping) else True
    return 1 / 64 + 4 / (64 * 256) if double else 4 / 64


def _attention(settings: Settings) -> str:
    """The attention that runs; transformers takes sdpa where nothing is said."""
    switched = (name for key, name in _ATTENTION_SWITCHES.items() if settings.get(key))
    return str(settings.get("attn_implementation") or next(switched, "sdpa"))


def _embeddings_are_wide(settings: Settings, *, fsdp: bool) -> bool:
    """axolotl widens those of a full fine-tune, but for attention and a loss that need 16 bits.

    Adapters: they are made 32-bit and 16-bit again. FSDP: they are never touched.
    """
    if settings.get("adapter"):
        return not _is_half(settings)
    as_loaded = fsdp or bool(settings.get("cut_cross_entropy"))
    return not as_loaded and _attention(settings) in ("sdpa", "eager")


def _adapter(settings: Settings, model: BaseModel) -> Adapter:
    rank, layers = whole(settings, "lora_r", 8), adapted_layers(settings, model)
    if settings.get("adapter") not in ("lora", "qlora") or not layers:
        raise CannotSay(
            f"ftui cannot count the weights of this adapter ({settings.get('adapter')})",
            why="it knows LoRA and QLoRA with lora_r on linear layers of the decoder",
            hint="set lora_r and lora_target_linear: true, or name linear layers",
        )
    dropout = bool(settings.get("lora_dropout"))
    return Adapter(rank, tuple(layers), dropout=dropout, kernels=_has_kernels(settings, model))


def _has_kernels(settings: Settings, model: BaseModel) -> bool:
    """Whether axolotl's fused LoRA code runs; it turns itself on, but for these.

    The switch of the MLP's stands for all; one that is set, to anything, keeps the others off.
    """
    if any(settings.get(key) is not None for key in _KERNELS):
        return bool(settings.get("lora_mlp_kernel"))
    return (
        model.lora_kernels
        and model.mlp_matrices == 3
        and not settings.get("rl")
        and not settings.get("load_in_8bit")
        and not settings.get("trust_remote_code")
    )


def _saved_modules(settings: Settings, model: BaseModel) -> float:
    named = settings.get("lora_modules_to_save")
    names = named if isinstance(named, list) else []
    whole = [name for name in names if str(name) in ("embed_tokens", "lm_head")]
    return float(len(whole)) * model.vocabulary * model.hidden


def _checkpointing(settings: Settings) -> Checkpointing:
    wanted = settings.get("gradient_checkpointing")
    offloads = str(wanted).startswith("offload") or settings.get("activation_offloading")
    if not wanted and not offloads:
        return Checkpointing.NONE
    return Checkpointing.OFFLOADED if offloads else Checkpointing.LAYERS


def plugins(settings: Settings) -> str:
    """The plugins that a config lists, as one text: keys of one that is not there do nothing."""
    named = settings.get("plugins")
    return " ".join(map(str, named)).lower() if isinstance(named, list) else ""


def _loss(settings: Settings) -> Loss:
    there = plugins(settings)
    if "cutcrossentropy" in there and settings.get("cut_cross_entropy", True):
        return Loss.FUSED
    if "liger" in there and settings.get("liger_fused_linear_cross_entropy"):
        return Loss.FUSED
    # Liger's loss alone saves a sixth: the logits are made 32-bit before it.
    return Loss.CHUNKED if settings.get("chunked_cross_entropy") else Loss.STOCK


def _liger(settings: Settings, part: str) -> bool:
    return "liger" in plugins(settings) and bool(settings.get(f"liger_{part}"))


def _habits(settings: Settings) -> Habits:
    compiled = settings.get("torch_compile") is True
    return Habits(
        narrow_norms=compiled or _liger(settings, "rms_norm"),
        narrow_mlp=compiled or _liger(settings, "glu_activation"),
    )


def _repeats_keys(settings: Settings, rows: int) -> bool:
    """transformers' sdpa copies keys and values where there is a mask: packed or padded rows."""
    return _attention(settings) == "sdpa" and (rows > 1 or bool(settings.get("sample_packing")))


def _sharding(settings: Settings) -> Sharding:
    if settings.get("deepspeed"):
        return _zero(settings["deepspeed"])
    config = settings.get("fsdp_config")
    if not config and not settings.get("fsdp"):
        return Sharding.NONE
    kept = isinstance(config, Mapping) and config.get("reshard_after_forward") is False
    return Sharding.GRADIENTS if kept else Sharding.WEIGHTS


def _zero(deepspeed: Any) -> Sharding:
    """The stage of ZeRO, from the config or from the name of its file."""
    levels = (Sharding.NONE, Sharding.OPTIMIZER, Sharding.GRADIENTS, Sharding.WEIGHTS)
    zero = deepspeed.get("zero_optimization") if isinstance(deepspeed, Mapping) else None
    if isinstance(zero, Mapping) and zero.get("stage") in range(len(levels)):
        return levels[zero["stage"]]
    found = re.search(r"zero[_-]?([0-3])", str(deepspeed).lower())
    return levels[int(found[1])] if found else Sharding.WEIGHTS


def _offloads(settings: Settings) -> bool:
    config = settings.get("fsdp_config")
    if isinstance(config, Mapping) and config.get("offload_params"):
        return True
    return "offload" in str(settings.get("deepspeed") or "")


def _assumptions(settings: Settings, longest: int | None) -> Iterator[str]:
    packed = settings.get("sample_packing") or settings.get("pad_to_sequence_len")
    if not packed and longest is None:
        yield "every batch is as long as sequence_len; with shorter rows it needs less"
    if settings.get("rl"):
        yield "preference training was never compared with a measurement"
    if settings.get("peft_use_dora"):
        yield "DoRA keeps more for each adapted layer than LoRA; that is not counted"
    name = str(settings.get("optimizer") or "")
    if optimizer(settings) == Optimizer() and name and not name.startswith("adamw_torch"):
        yield f"{name} is counted as AdamW: two numbers for each trained one"
    if optimizer(settings).paged:
        yield "the optimizer's states may move to system memory and are not counted"
    if _checkpointing(settings) is Checkpointing.OFFLOADED:
        yield "activations wait in system memory, which must have room for them"
    if settings.get("tensor_parallel_size") not in (None, 1):
        yield "tensor parallelism is not counted: with it, each GPU needs less"
    if _offloads(settings):
        yield "what is offloaded needs system memory instead"
