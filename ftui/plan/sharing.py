"""How several GPUs share the work: DDP, FSDP2, or DeepSpeed's ZeRO, as settings of axolotl.

DDP: every GPU holds everything, the fastest where it fits. FSDP2 and ZeRO-3 divide weights,
gradients and optimizer states; ZeRO-1 and 2 divide less. DeepSpeed has to be installed into the
train runtime.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ftui.errors import UsageError
from ftui.plan.plan import Plan
from ftui.plan.step import Field

_DDP, _FSDP = "DDP", "FSDP2"
_KEYS = ("fsdp", "fsdp_version", "fsdp_config", "deepspeed")
_ANSWERS = "DDP, FSDP2, ZeRO-1, ZeRO-2 or ZeRO-3."


def fsdp2(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that divide a training with FSDP2; its optimizer, where that cannot be divided.

    transformers knows which layers to wrap.
    """
    keys: dict[str, Any] = {
        "fsdp_version": 2,
        "fsdp_config": {
            "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "state_dict_type": "FULL_STATE_DICT",
            "reshard_after_forward": True,
            "offload_params": False,
        },
    }
    optimizer = str(settings.get("optimizer"))
    if optimizer == "adamw_8bit" or "bnb" in optimizer or "paged" in optimizer:
        keys["optimizer"] = "adamw_torch_8bit"  # bitsandbytes' do not work with FSDP2
    return keys


def sharing(plan: Plan) -> str:
    """`DDP`, `FSDP2`, `ZeRO-3`; nothing where nothing is shared."""
    if plan.gpus < 2:
        return ""
    deepspeed = plan.get("deepspeed")
    if deepspeed:
        stage = re.search(r"zero[_-]?([1-3])", str(deepspeed).lower())
        return f"ZeRO-{stage[1]}" if stage else "DeepSpeed"
    return _FSDP if plan.get("fsdp_config") or plan.get("fsdp") else _DDP


def _write(plan: Plan, text: str) -> Plan:
    """Raises UsageError."""
    wanted = re.sub(r"[\s_-]", "", text.lower())
    if wanted == re.sub("-", "", sharing(plan).lower()):
        return plan
    alone = dict.fromkeys(_KEYS)
    if wanted == "ddp":
        return plan.with_settings(**alone)
    if wanted in ("fsdp", "fsdp2"):
        return plan.with_settings(**{**alone, **fsdp2(plan.settings)})
    stage = re.fullmatch(r"(?:deepspeed)?zero([1-3])", wanted)
    if stage:
        file = f"builtin:deepspeed/zero{stage[1]}.json"
        return plan.with_settings(**{**alone, "deepspeed": file})
    raise UsageError("nothing shares the work like that", why=f"not {text!r}", hint=_ANSWERS)


SHARING = Field(
    "sharing",
    "Shared by",
    f"How the GPUs share the work: {_ANSWERS} DDP is the fastest, where each GPU has room.",
    sharing,
    _write,
)
