"""Names that axolotl takes as they are and looks up only once the run has begun."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ftui.config import plugins, schema
from ftui.config.edit import Put
from ftui.config.rules.rule import Finding, Rule, Subject, error, warning
from ftui.plan.nearest import nearest
from ftui.plan.places import steps

_SHOWN = 8
"""Choices of a longer list that a message names."""
_FALLBACK = "tokenizer_default_fallback_"
_FORMATS = (
    "json",
    "csv",
    "parquet",
    "arrow",
    "text",
    *("webdataset", "pandas", "xml", "hdf5", "lance", "eval", "conll", "iceberg", "tsfile"),
    *("imagefolder", "audiofolder", "videofolder", "pdffolder", "niftifolder", "meshfolder"),
)
"""The loaders that the `datasets` library brings along (versions 4 and 5)."""
_COMMON_SLIPS = {"jsonl": "json", "txt": "text", "tsv": "csv", "feather": "arrow"}


def names(subject: Subject) -> Mapping[str, Any]:
    """The names that the subject's axolotl knows; made by ftui/config/schema/make_names.py."""
    return schema.names(subject.version)


@dataclass(frozen=True)
class _Choice:
    """A key that must name one of a list."""

    key: str
    listed: str
    """The list in the file of names."""
    what: str
    ends: str
    """When and how it comes to light."""


_LATE = "the run ends with an error once model and data are loaded"
_CHOICES: tuple[_Choice, ...] = (
    _Choice("optimizer", "optimizers", "an optimizer", _LATE),
    _Choice("lr_scheduler", "schedulers", "a learning rate scheduler", _LATE),
    _Choice("save_strategy", "save_strategies", "a strategy for saving", _LATE),
    _Choice("eval_strategy", "interval_strategies", "a strategy for evaluating", _LATE),
    _Choice("hub_strategy", "hub_strategies", "a strategy for uploading", _LATE),
    _Choice("trl.loss_type", "grpo_losses", "a loss of GRPO", "the first step ends with an error"),
)


def _choices(subject: Subject) -> Iterator[Finding]:
    for choice in _CHOICES:
        known: list[str] = names(subject)[choice.listed]
        value = subject.get(choice.key)
        if value is False and "no" in known:
            message = 'YAML reads `no` without quotation marks as "false"'
            hint = 'write it as "no", with quotation marks'
            yield error(choice.key, message, hint, Put((choice.key,), "no"))
        elif isinstance(value, str) and value and value not in known:
            message = f"{value!r} is not {choice.what} that axolotl has: {choice.ends}"
            yield error(choice.key, message, _meant(value, known))


_USUAL = {"adamw": "adamw_torch"}
"""What a name that begins so most likely means, where none with that beginning is near."""


def _meant(value: str, known: list[str]) -> str:
    near = nearest(value, known)
    for start, usual in _USUAL.items():
        if value.startswith(start) and not near.startswith(start):
            return f"did you mean {usual}?"
    return suggestion(value, known)


def suggestion(word: str, known: Iterable[str]) -> str:
    """The nearest of the known words, else some of them."""
    choices = list(known)
    near = nearest(word, choices)
    if near:
        return f"did you mean {near}?"
    more = ", …" if len(choices) > _SHOWN else ""
    return f"there is {', '.join(choices[:_SHOWN])}{more}"


def _plugins(subject: Subject) -> Iterator[Finding]:
    listed = subject.get("plugins")
    for index, name in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(name, str) and plugins.is_missing(name, subject.version):
            message = f"axolotl has no plugin {name!r}: the run ends at its start"
            hint = suggestion(name, names(subject)["plugins"])
            yield error(f"plugins.{index}", message, hint)


def _dpo_losses(subject: Subject) -> Iterator[Finding]:
    known = names(subject)["dpo_losses"]
    losses = subject.get("dpo_loss_type")
    for index, loss in enumerate(losses if isinstance(losses, list) else ()):
        if isinstance(loss, str) and loss not in known:
            message = f"{loss!r} is not a loss of DPO: the first step ends with an error"
            yield error(("dpo_loss_type", str(index)), message, suggestion(loss, known))


def _data_formats(subject: Subject) -> Iterator[Finding]:
    for at, entry in _all_datasets(subject):
        value = entry.get("ds_type")
        if isinstance(value, str) and value and value not in _FORMATS:
            slip = _COMMON_SLIPS.get(value.lower())
            hint = f"write {slip}" if slip else suggestion(value, _FORMATS)
            place = (*steps(at), "ds_type")
            edits = (Put(place, slip),) if slip else ()
            yield error(place, f"{value!r} is not a file format that is known", hint, *edits)


def _chat_templates(subject: Subject) -> Iterator[Finding]:
    known: list[str] = names(subject)["chat_templates"]
    for at in ("", *(f"{place}." for place, _ in subject.entries("datasets"))):
        key = f"{at}chat_template"
        value = subject.text(key)
        name = value.removeprefix(_FALLBACK)
        # At the top level the schema knows all of them, but not what comes after the prefix.
        if (at or name != value) and value and name not in known:
            yield error(key, f"axolotl has no chat template {name!r}", suggestion(name, known))


def _class_names(subject: Subject) -> Iterator[Finding]:
    for key, example in (
        ("model_type", "AutoModelForCausalLM"),
        ("type_of_model", "AutoModelForCausalLM"),
        ("tokenizer_type", "AutoTokenizer"),
        ("processor_type", "AutoProcessor"),
    ):
        value = subject.text(key)
        if value and not re.fullmatch(r"[A-Z]\w*", value):
            message = f"{value!r} does not look like the name of a class in transformers"
            yield warning(key, message, f"such as {example}; leave it out and axolotl finds it")


def _message_mappings(subject: Subject) -> Iterator[Finding]:
    """`{role: from, content: value}` is easily written the wrong way round."""
    for at, entry in _all_datasets(subject):
        mapping = entry.get("message_property_mappings")
        if not isinstance(mapping, Mapping):
            continue
        turned = {value: key for key, value in mapping.items() if isinstance(value, str)}
        if {"role", "content"} & turned.keys() and not {"role", "content"} & mapping.keys():
            right = ", ".join(f"{left}: {right}" for left, right in turned.items())
            message = "is the wrong way round: the chat template's name comes first"
            place = (*steps(at), "message_property_mappings")
            yield error(place, message, f"write {{{right}}}", Put(place, turned))


def _role_names(subject: Subject) -> Iterator[Finding]:
    for at, entry in _all_datasets(subject):
        roles = entry.get("roles")
        for role in roles if isinstance(roles, Mapping) else ():
            if role in ("human", "gpt", "bot", "model_output"):
                message = f"chat templates know no role {role!r}: the data's names come second"
                hint = "such as {user: [human], assistant: [gpt]}"
                yield warning(f"{at}.roles.{role}", message, hint)


def _all_datasets(subject: Subject) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    for key in ("datasets", "test_datasets"):
        yield from subject.entries(key)


def _layer_names(subject: Subject) -> Iterator[Finding]:
    """PEFT takes a text for a pattern, and the items of a list for names."""
    listed = subject.get("lora_target_modules")
    for index, item in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(item, str) and re.search(r"[*|()\\[\]^$+?]", item):
            message = "this is a pattern, and in a list PEFT looks for a layer of that very name"
            place = f"lora_target_modules.{index}"
            yield error(place, message, "write the pattern as a text, outside of a list")


RULES: tuple[Rule, ...] = (
    _choices,
    _plugins,
    _layer_names,
    _dpo_losses,
    _data_formats,
    _chat_templates,
    _class_names,
    _message_mappings,
    _role_names,
)
"""What this module has to say."""
