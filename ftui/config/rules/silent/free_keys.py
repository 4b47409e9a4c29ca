"""Mappings in which axolotl's schema takes any key, though only few mean something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftui.config.edit import Rename
from ftui.config.rules.rule import Finding, Rule, Subject, error
from ftui.plan.nearest import nearest
from ftui.plan.places import Place, steps

_KNOWN: Mapping[str, tuple[str, ...]] = {
    # https://docs.pytorch.org/docs/stable/checkpoint.html
    "gradient_checkpointing_kwargs": (
        *("use_reentrant", "context_fn", "preserve_rng_state"),
        *("determinism_check", "debug", "early_stop"),
    ),
}
_COMMON: Mapping[str, tuple[str, ...]] = {
    # transformers' Mxfp4Config, BitsAndBytesConfig: the model decides which of them is made.
    "model_quantization_config_kwargs": (
        *("dequantize", "modules_to_not_convert", "bnb_4bit_compute_dtype"),
        *("bnb_4bit_quant_type", "bnb_4bit_use_double_quant", "llm_int8_threshold"),
    ),
}
_SWITCHES = (
    "gradient_checkpointing_kwargs.use_reentrant",
    "model_quantization_config_kwargs.dequantize",
)
_TURN = ("role", "content")
"""What every chat template reads of a turn; a template may read more (tool_calls, name, …)."""
HOMES: Mapping[str, str] = {
    **{key: home for home, keys in {**_KNOWN, **_COMMON}.items() for key in keys},
    **dict.fromkeys(_TURN, "datasets, under message_property_mappings"),
}
"""Where each of these keys belongs, in words; the schema names none of them."""


def _keys(subject: Subject) -> Iterator[Finding]:
    for table, strict in ((_KNOWN, True), (_COMMON, False)):
        for place, known in table.items():
            given = subject.get(place)
            for key in given if isinstance(given, Mapping) else ():
                meant = nearest(str(key), known)
                if key not in known and (strict or meant):
                    message = f"nobody reads {key!r} here"
                    yield error((place, str(key)), message, *_meant((place, str(key)), meant))


def _switches(subject: Subject) -> Iterator[Finding]:
    for place in _SWITCHES:
        value = subject.get(place)
        if value is not None and not isinstance(value, bool):
            yield error(place, f"should be true or false, not {value!r}")


def _turns(subject: Subject) -> Iterator[Finding]:
    """A misspelt `role` is a property that no template reads; the real one keeps its default."""
    for where, entry in subject.entries("datasets"):
        given = entry.get("message_property_mappings")
        mapping: Mapping[Any, Any] = given if isinstance(given, Mapping) else {}
        missing = [key for key in _TURN if key not in mapping]
        for key in mapping:
            meant = nearest(str(key), missing) if key not in _TURN else ""
            if meant:
                place = (*steps(where), "message_property_mappings", str(key))
                message = f"no chat template reads {key!r} of a turn"
                yield error(place, message, *_meant(place, meant))


def _meant(place: Place, near: str) -> Any:
    """The hint and the edit for a key that was probably meant; nothing when none is near."""
    return (f"did you mean {near}?", Rename(place, near)) if near else ()


RULES: tuple[Rule, ...] = (_keys, _switches, _turns)
"""What this module has to say."""
