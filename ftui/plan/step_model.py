"""Which base model to fine-tune."""

from __future__ import annotations

import copy
import re
from typing import Any

from ftui import demo, paths
from ftui.errors import UsageError
from ftui.plan.models import BaseModel, known_models
from ftui.plan.nearest import nearest
from ftui.plan.plan import Plan
from ftui.plan.step import Option, Step, World

_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_ITS_OWN = ("model_quantization_config", "model_quantization_config_kwargs")
"""Settings of a model whose weights are already quantized."""
_FITTED = (
    "chat_template",
    "tokenizer_use_mistral_common",
    "eot_tokens",
    "special_tokens",
    "fsdp_config",
    "attn_implementation",
    *_ITS_OWN,
)
"""Settings that belong to one model and change with it."""
_TARGETS = ("lora_target_linear", "lora_target_modules", "lora_qkv_kernel")
"""The same, of an adapter."""
_LANGUAGE_MODEL = r"model.language_model.layers.*\.(up|down|gate|q|k|v|o)_proj"
"""The linear layers of a model that sees pictures, without those of its image encoder."""


def _options(plan: Plan, world: World) -> list[Option]:
    """The plan's model, the preset's, then the known ones, nearest in size first."""
    chosen = (_current(plan), str(plan.preset.settings.get("base_model", "")))
    size = next((model.parameters for model in world.models if model.id == chosen[1]), 0)
    known = sorted(world.models, key=lambda model: abs(model.parameters - size))
    ids = dict.fromkeys([*chosen, *(model.id for model in known)])
    return [_option(id, _facts(id, world.models)) for id in ids if id]


def _option(id: str, model: BaseModel | None) -> Option:
    if model is None:
        return Option(id, id)
    return Option(
        id,
        model.title,
        f"{model.size} · {model.licence}",
        warning="needs a login at the hub" if model.gated else "",
    )


def _facts(id: str, models: tuple[BaseModel, ...]) -> BaseModel | None:
    return next((model for model in models if model.id == id), None)


def _current(plan: Plan) -> str:
    return str(plan.get("base_model", ""))


def _apply(plan: Plan, answer: str, world: World) -> Plan:
    """The plan with another base model, and with the settings that must fit it."""
    answer = answer.strip()
    if answer == _current(plan):
        return plan
    _check(answer, world.models)
    settings = plan.preset.settings
    if answer == settings.get("base_model"):
        changes = {key: copy.deepcopy(settings.get(key)) for key in _FITTED}
        if plan.get("adapter") and settings.get("adapter"):
            changes |= {key: copy.deepcopy(settings.get(key)) for key in _TARGETS}
        else:
            changes |= _targets(plan, _facts(answer, world.models))
    else:
        changes = _fit(plan, world.models, _facts(answer, world.models))
    if changes["model_quantization_config"] and plan.get("adapter") == "qlora":
        changes |= {"adapter": "lora", "load_in_4bit": None}
    return plan.with_settings(base_model=answer, **changes)


def _check(answer: str, models: tuple[BaseModel, ...]) -> None:
    """Refuse what can be neither a folder, nor something built in, nor a hub id."""
    if answer.startswith(demo.PREFIX):
        demo.resolve(answer)
    elif not _HUB_ID.fullmatch(answer) and paths.existing(answer) is None:
        near = nearest(answer, [model.id for model in models])
        raise UsageError(
            f"{answer!r} is neither a folder on this machine nor a hub id",
            hint=f"Did you mean {near}?" if near else "For example Qwen/Qwen3-0.6B or ./my-model",
        )


def _fit(plan: Plan, models: tuple[BaseModel, ...], model: BaseModel | None) -> dict[str, Any]:
    """What another model changes: its template and tokens, what LoRA and FSDP take hold of."""
    now = _facts(_current(plan), models)
    changes = {**_weights(now, model), **_language(plan, model), **_targets(plan, model)}
    fsdp = plan.get("fsdp_config")
    if fsdp:
        fsdp = {key: fsdp[key] for key in fsdp if key != "transformer_layer_cls_to_wrap"}
        if model and model.mxfp4:
            fsdp["cpu_ram_efficient_loading"] = False
        if model:
            fsdp["transformer_layer_cls_to_wrap"] = model.decoder_layer
        changes["fsdp_config"] = fsdp
    return changes


def _weights(now: BaseModel | None, model: BaseModel | None) -> dict[str, Any]:
    """How its weights are loaded, and with which attention: `now` is the model that goes."""
    changes: dict[str, Any] = dict.fromkeys(_ITS_OWN)
    if model and model.mxfp4:
        changes = dict(zip(_ITS_OWN, ("Mxfp4Config", {"dequantize": True}), strict=True))
    if model and model.attention:
        changes["attn_implementation"] = model.attention
    elif now and now.attention:
        changes["attn_implementation"] = "sdpa"
    return changes


def _language(plan: Plan, model: BaseModel | None) -> dict[str, Any]:
    """Its chat template where there are conversations, and its tokens."""
    keys = ("chat_template", "tokenizer_use_mistral_common", "eot_tokens", "special_tokens")
    changes: dict[str, Any] = dict.fromkeys(keys)
    if model and model.mistral_common:
        return changes | {"tokenizer_use_mistral_common": True}
    if plan.get("chat_template") or plan.get("tokenizer_use_mistral_common"):
        changes["chat_template"] = (model and model.chat_template) or "tokenizer_default"
        if model and model.end_of_turn:
            changes["eot_tokens"] = [model.end_of_turn]
    if model and model.pad_token:
        changes["special_tokens"] = {"pad_token": model.pad_token}
    return changes


def _targets(plan: Plan, model: BaseModel | None) -> dict[str, Any]:
    """Where and how the adapter sits: names of layers are kept, a pattern fits one family only."""
    if not plan.get("adapter"):
        return {}
    changes: dict[str, Any] = {}
    if model:
        changes["lora_qkv_kernel"] = None if model.lora_kernels else False
    if model and model.vision:
        changes |= {"lora_target_linear": None, "lora_target_modules": _LANGUAGE_MODEL}
    elif isinstance(plan.get("lora_target_modules"), str):
        changes |= {"lora_target_linear": True, "lora_target_modules": None}
    return changes


def _explain(plan: Plan, answer: str, world: World) -> str:
    model = _facts(answer, known_models())
    if model is None:
        return "The base model: a hub id (it is downloaded) or a folder on this machine."
    gate = " The hub asks for a login and an agreed licence." if model.gated else ""
    stored = (
        " Its weights already are in 4 bits (MXFP4): it is trained with LoRA, not with QLoRA."
        if model.mxfp4
        else ""
    )
    return (
        f"A base model with {model.size} parameters (weights that can learn), "
        f"licence {model.licence}.{stored}{gate}"
    )


MODEL = Step(
    id="model",
    title="Model",
    question="Which base model?",
    help="The model that learns. Choose one, or type a hub id or the path of a folder.",
    options=_options,
    current=_current,
    apply=_apply,
    summary=lambda plan: _title(_current(plan)),
    explain=_explain,
    accepts_text=True,
)


def _title(id: str) -> str:
    model = _facts(id, known_models())
    return model.title if model else id
