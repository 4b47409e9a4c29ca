"""How to train: LoRA, QLoRA or every weight, and the numbers that go with it."""

from __future__ import annotations

import dataclasses
from typing import Any

from ftui.errors import UsageError
from ftui.plan.fields import number, whole
from ftui.plan.plan import Plan, Settings
from ftui.plan.step import Field, Option, Step, World

_OPTIONS = (
    Option("lora", "LoRA", "16-bit base, small adapter"),
    Option("qlora", "QLoRA", "4-bit base, small adapter"),
    Option("full", "Full", "every weight"),
)
_MEANING = {
    "lora": "LoRA leaves the base model as it is and trains a small adapter beside it: "
    "little memory, a small file, and nearly as good as training everything.",
    "qlora": "QLoRA is LoRA over a base model loaded in 4 bits: the least memory, "
    "a little slower for each step.",
    "full": "A full fine-tune changes every weight of the model: the most it can learn, "
    "for about eight times the memory, and a lower learning rate is needed.",
}
_ADAPTER_KEYS = ("lora_", "peft_")
_ADAPTER: Settings = {
    "lora_r": 16,
    "lora_alpha": 32,
    "lora_dropout": 0.0,
    "lora_target_linear": True,
    "learning_rate": 2e-4,
}
_FULL_LEARNING_RATE = 2e-5
"""The usual rate where every weight moves; an adapter's would be ten times too high."""


def _current(plan: Plan) -> str:
    return str(plan.get("adapter") or "full")


def _options(plan: Plan, world: World) -> tuple[Option, ...]:
    """All three, but no second quantization of a model that is already quantized."""
    return tuple(
        option for option in _OPTIONS if option.value != "qlora" or not _is_quantized(plan)
    )


def _is_quantized(plan: Plan) -> bool:
    return bool(plan.get("model_quantization_config"))


def _apply(plan: Plan, answer: str, world: World) -> Plan:
    if answer == _current(plan):
        return plan
    if answer not in _MEANING:
        raise UsageError(f"there is no method {answer!r}", hint="Use lora, qlora or full.")
    if answer == "qlora" and _is_quantized(plan):
        raise UsageError(
            "no QLoRA for this base model: its weights already are in 4 bits", hint="Use lora."
        )
    four_bit = True if answer == "qlora" else None
    changed = plan.with_settings(load_in_4bit=four_bit, load_in_8bit=None)
    if answer == "full":
        return changed.with_settings(**_without_adapter(plan))
    if _current(plan) == "full":
        changed = changed.with_settings(**_with_adapter(plan.preset.settings))
    return changed.with_settings(adapter=answer)


def _without_adapter(plan: Plan) -> dict[str, Any]:
    """Nothing of the adapter, and the preset's learning rate or one that suits every weight."""
    preset = plan.preset.settings
    gone = [key for key in plan.settings if key == "adapter" or key.startswith(_ADAPTER_KEYS)]
    rate = _FULL_LEARNING_RATE if preset.get("adapter") else preset.get("learning_rate")
    return {**dict.fromkeys(gone), "learning_rate": rate}


def _with_adapter(preset: Settings) -> dict[str, Any]:
    """The adapter and the learning rate of the preset, or common ones."""
    if not preset.get("adapter"):
        return {**_ADAPTER}
    keys = (*_ADAPTER_KEYS, "learning_rate")
    return {key: value for key, value in preset.items() if key.startswith(keys)}


def _of_adapter(field: Field) -> Field:
    """A field that a plan without adapter has no place for."""

    def write(plan: Plan, text: str) -> Plan:
        if _current(plan) == "full" and text.strip():
            raise UsageError(
                f"{field.label} belongs to an adapter", hint="Choose LoRA or QLoRA first."
            )
        return field.write(plan, text)

    return dataclasses.replace(field, write=write)


METHOD = Step(
    id="method",
    title="Method",
    question="How should it be trained?",
    help="How much of the model changes, and how fast. What stands here is a good start.",
    options=_options,
    current=_current,
    apply=_apply,
    summary=lambda plan: next(
        (option.label for option in _OPTIONS if option.value == _current(plan)), _current(plan)
    ),
    explain=lambda plan, answer, world: _MEANING.get(answer, ""),
    fields=(
        _of_adapter(
            whole("lora_r", "Rank", "How much the adapter can hold: 8 to 64 is usual.", at_least=1)
        ),
        _of_adapter(
            whole("lora_alpha", "Alpha", "How strongly it acts: one or two ranks.", at_least=1)
        ),
        _of_adapter(
            number(
                "lora_dropout",
                "Dropout",
                "Share of the adapter switched off at random, against learning by heart.",
                positive=False,
                below=1.0,
            )
        ),
        whole("sequence_len", "Sequence length", "Longest example, in tokens.", at_least=16),
        number("learning_rate", "Learning rate", "The size of a training step.", positive=True),
        number("num_epochs", "Epochs", "How many times to go through the data.", positive=True),
        whole(
            "micro_batch_size",
            "Micro-batch",
            "Examples at once on each GPU. Half of it when memory runs out.",
            at_least=1,
        ),
    ),
)
