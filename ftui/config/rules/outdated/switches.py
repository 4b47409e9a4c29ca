"""Old switches and old values: what was `some_attention: true` is a choice of another key today.

Each table row is an old spelling and today's. Sources, read in axolotl 0.19 and 0.21:
`utils/schemas/config.py`, `utils/schemas/validation.py`, `utils/schemas/enums.py`, and the
optimizers that transformers still has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftui.config.edit import Drop, Edit, Put, Rename
from ftui.config.rules.outdated.renamed import say
from ftui.config.rules.rule import Finding, Rule, Subject, error, warning

ATTENTION: Mapping[str, str] = {
    "xformers_attention": "xformers",
    "sage_attention": "sage",
    "flex_attention": "flex_attention",
    "flash_attention": "flash_attention_2",
    "sdp_attention": "sdpa",
    "eager_attention": "eager",
}
"""Switches and the `attn_implementation` each stands for. If several are on, the first counts."""

SWITCHES: Mapping[str, tuple[str, Any]] = {
    "flash_attn_d512": ("large_head_attention", "auto"),
    "gemma4_fp8_nonexpert": ("nonexpert_quantization", "fp8_blockwise"),
    "gemma4_nf4_nonexpert": ("nonexpert_quantization", "nf4"),
    "unsloth_lora_mlp": ("lora_mlp_kernel", True),
    "unsloth_lora_o": ("lora_o_kernel", True),
    "unsloth_lora_qkv": ("lora_qkv_kernel", True),
    "use_flash_attention_2": ("attn_implementation", "flash_attention_2"),
}
"""Other switches, and the key and value that say the same today."""

_STILL_READ = {*ATTENTION, "flash_attn_d512", "gemma4_fp8_nonexpert", "gemma4_nf4_nonexpert"}

VALUES: Mapping[tuple[str, str], tuple[Mapping[str, Any], bool]] = {
    ("attn_implementation", "flash"): ({"attn_implementation": "flash_attention_2"}, False),
    ("attn_implementation", "flex"): ({"attn_implementation": "flex_attention"}, False),
    ("attn_implementation", "sdp"): ({"attn_implementation": "sdpa"}, False),
    ("chat_template", "inst"): ({"chat_template": "mistral_v1"}, False),
    ("dtype", "bfloat16"): ({"bf16": True}, False),
    ("dtype", "float16"): ({"fp16": True}, False),
    ("gradient_checkpointing", "offload"): (
        {"gradient_checkpointing": True, "activation_offloading": True},
        True,
    ),
    ("gradient_checkpointing", "offload_disk"): (
        {"gradient_checkpointing": True, "activation_offloading": "disk"},
        True,
    ),
    ("gradient_checkpointing", "unsloth"): (
        {"gradient_checkpointing": True, "activation_offloading": True},
        False,
    ),
    ("optimizer", "adamw_apex_fused"): ({"optimizer": "adamw_torch_fused"}, False),
    ("optimizer", "adamw_hf"): ({"optimizer": "adamw_torch"}, False),
    ("rl", "ipo"): ({"rl": "dpo", "dpo_loss_type": ["ipo"]}, True),
    ("torch_dtype", "bfloat16"): ({"bf16": True}, False),
    ("torch_dtype", "float16"): ({"fp16": True}, False),
}
"""A key and its old value: what says the same today, and whether axolotl still takes the old."""


def attention(subject: Subject) -> Iterator[Finding]:
    """Attention chosen by a switch instead of `attn_implementation`."""
    given = [key for key in ATTENTION if subject.has(key)]
    on = [key for key in given if subject.on(key)]
    for key in given:
        if key in on[:1]:
            yield from _switch(subject, key, "attn_implementation", ATTENTION[key])
        else:
            why = f"{on[0]} comes first" if key in on else "off is what it is without it"
            message = f"{key} is an old switch of attn_implementation"
            yield warning(key, message, f"{why}: take it out", Drop((key,)))


def other_switches(subject: Subject) -> Iterator[Finding]:
    """Switches that became a value of another key."""
    for key, (new, value) in SWITCHES.items():
        if subject.on(key):
            yield from _switch(subject, key, new, value)
        elif key in subject.config and not (subject.get(key) is None and key in _STILL_READ):
            message = f"{key} is an old switch of {new}"
            tell = warning if key in _STILL_READ else error
            yield tell(key, message, _OUT, Drop((key,)))


def _switch(subject: Subject, key: str, new: str, value: Any) -> Iterator[Finding]:
    """What to say of a switch that is on."""
    message = f"{key} is an old switch of {new}"
    if subject.has(new):
        refused = key in ATTENTION
        hint = f"take it out: {new} is there{', and axolotl refuses both' if refused else ''}"
        tell = warning if key in _STILL_READ and not refused else error
        yield tell(key, message, hint, Drop((key,)))
        return
    tell = warning if key in _STILL_READ else error
    hint = f"write `{say(new, value)}` instead"
    yield tell(key, message, hint, Put((key,), value), Rename((key,), new))


_OUT = "take it out: it says nothing here"


def old_values(subject: Subject) -> Iterator[Finding]:
    """Values that have another spelling today."""
    for (key, value), (today, still_read) in VALUES.items():
        if subject.get(key) == value:
            tell = warning if still_read else error
            words = "` and `".join(say(name, item) for name, item in today.items())
            if today.keys() == {"rl", "dpo_loss_type"}:
                words = "rl: dpo` and `dpo_loss_type: [ipo]"
            message = f"{value} is an old value of {key}"
            yield tell(key, message, f"write `{words}`", *_today(subject, key, today))


def _today(subject: Subject, key: str, today: Mapping[str, Any]) -> tuple[Edit, ...]:
    """The edits that let a config say `today` where `key` stood; none where it says otherwise."""
    others = [name for name in today if name != key]
    if key in today:
        if any(subject.has(name) and subject.get(name) != today[name] for name in others):
            return ()
        return tuple(Put((name,), value) for name, value in today.items())
    (new,) = today
    if subject.has("bf16") or subject.has("fp16"):
        return (Drop((key,)),)
    return (Put((key,), today[new]), Rename((key,), new))


EXPERTS: Mapping[str, str] = {
    "deep_ep": "eager",
    "deep_ep_grouped_mm": "grouped_mm",
    "deep_ep_scattermoe": "scattermoe",
    "deep_ep_sonicmoe": "sonicmoe",
    "torch_ep_eager": "eager",
    "torch_ep_grouped_mm": "grouped_mm",
    "torch_ep_scattermoe": "scattermoe",
    "torch_ep_sonicmoe": "sonicmoe",
}
"""Values of `experts_implementation` until axolotl 0.19, and what runs the experts of each."""


def experts(subject: Subject) -> Iterator[Finding]:
    """`experts_implementation` with the name of a way to spread experts over GPUs in it."""
    key = "experts_implementation"
    local = EXPERTS.get(subject.text(key))
    if local is None or subject.axolotl < (0, 20):
        return
    new, value = (f"use_{local}", True) if local.endswith("moe") else (key, local)
    message = f"{subject.text(key)} is an old value of {key}"
    edits: tuple[Edit, ...] = (Put((key,), value), Rename((key,), new))
    yield warning(key, message, f"write `{say(new, value)}`", *edits)


def warm_up_share(subject: Subject) -> Iterator[Finding]:
    """`warmup_steps: 0.1`, which axolotl's diffusion plugin took for a share of the run."""
    key, share = "warmup_steps", subject.number("warmup_steps")
    if share is None or not 0 < share < 1:
        return
    edits = () if subject.has("warmup_ratio") else (Rename((key,), "warmup_ratio"),)
    message = "warmup_steps counts steps; a share of the run is warmup_ratio"
    hint = f"write `warmup_ratio: {share:g}`" if edits else "remove it: warmup_ratio is there"
    yield error(key, message, hint, *edits)


RULES: tuple[Rule, ...] = (attention, other_switches, old_values, experts, warm_up_share)
