"""Keys of a dataset that its type, or the kind of training, does not read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftui.config import schema
from ftui.config.rules.rule import Finding, Rule, Subject, error, warning
from ftui.config.rules.silent.dataset_types import kind

_OF_CONVERSATIONS = (
    "field_messages",
    "message_property_mappings",
    "message_field_role",
    "message_field_content",
    "message_field_training",
    "message_field_training_detail",
    "roles",
    "roles_to_train",
    "train_on_eos",
    "train_on_eot",
    "drop_system_message",
    "field_tools",
    "field_thinking",
    "template_thinking_key",
    "split_thinking",
    "chat_template",
    "chat_template_jinja",
)
_NO_CONVERSATIONS = (
    "alpaca",
    "completion",
    "input_output",
    "pretrain",
    "context_qa",
    "explainchoice",
    "concisechoice",
    "summarizetldr",
    "jeopardy",
    "oasst",
    "gpteacher",
    "reflection",
    "metharme",
    "alpaca_chat",
    "alpaca_instruct",
    "alpaca_w_system",
    "orcamini",
    "creative_acr",
)
"""Types of supervised fine-tuning whose rows are no lists of messages."""
_FORMATS = {".parquet": "parquet", ".arrow": "arrow", ".csv": "csv", ".txt": "text"}
_HARMLESS: Mapping[str, Any] = {
    "trust_remote_code": False,
    "step_separator": "\n",
    "train_on_last_step_only": False,
}
"""Values that are the same as nothing."""


def _type_of(entry: Mapping[Any, Any]) -> str:
    """The first part of a type's name: `alpaca` of `alpaca:chat`; nothing for a mapping."""
    value = entry.get("type")
    return value.partition(".")[0].partition(":")[0] if isinstance(value, str) else ""


def _no_conversations(subject: Subject) -> Iterator[Finding]:
    if kind(subject) != "sft":
        return
    for key in ("datasets", "test_datasets"):
        for at, entry in subject.entries(key):
            name = _type_of(entry)
            if name not in _NO_CONVERSATIONS and not isinstance(entry.get("type"), Mapping):
                continue
            shown = f"`type: {entry['type']}`" if name else "a type of your own"
            for dead in _OF_CONVERSATIONS:
                if entry.get(dead):
                    message = f"has no effect with {shown}: those rows are no lists of messages"
                    yield warning(f"{at}.{dead}", message, "`type: chat_template` reads it")


def _field_of_completion(subject: Subject) -> Iterator[Finding]:
    for at, entry in subject.entries("datasets"):
        name = _type_of(entry)
        known = name in _NO_CONVERSATIONS or name == "chat_template"
        if entry.get("field") and known and name != "completion":
            message = "is read by `type: completion` only"
            yield warning(f"{at}.field", message, "take it out")


def _dropped(subject: Subject) -> Iterator[Finding]:
    """axolotl reads a dataset into a model of its kind and drops what that does not have."""
    model = schema.dataset_model(subject.get("rl"))
    elsewhere = schema.dataset_keys(subject.version) - schema.dataset_keys(subject.version, model)
    for at, entry in subject.entries("datasets"):
        if entry.get("type") == "_synthetic":
            continue
        for key, value in entry.items():
            if key in elsewhere and _says_something(key, value, entry):
                words = f"`rl: {subject.get('rl')}`" if model != "SFTDataset" else "this training"
                message = f"axolotl drops this key with {words}: it has no effect"
                yield error(f"{at}.{key}", message, _INSTEAD.get(key, "take it out"))


_INSTEAD: Mapping[str, str] = {
    "message_property_mappings": "rename the columns of the data to role and content",
    "message_field_content": "rename the column of the data to content",
    "message_field_role": "rename the column of the data to role",
    "name": "put the rows into a file of their own",
    "chat_template": "set it at the top level",
    "chat_template_jinja": "set it at the top level",
    "shards": "choose rows with split: `train[:10%]`",
}


def _says_something(key: str, value: Any, entry: Mapping[Any, Any]) -> bool:
    """Whether a value differs from what holds without it: `{role: role}` says nothing."""
    if isinstance(value, Mapping):
        return any(to not in (source, [source]) for source, to in value.items())
    if key == "ds_type":
        return bool(value) and value != _format_by_name(str(entry.get("path")))
    return value is not None and value != _HARMLESS.get(key)


def _format_by_name(path: str) -> str:
    """The format that axolotl takes a file for when nothing is said."""
    found = (word for ending, word in _FORMATS.items() if ending in path)
    return next(found, "json")


def _template_for_no_conversation(subject: Subject) -> Iterator[Finding]:
    if not subject.has("chat_template") or kind(subject) != "sft":
        return
    entries = [entry for _, entry in subject.entries("datasets")]
    # `alpaca:phi` and the like write rows much as a chat template does.
    styled = any(":" in str(entry.get("type")) for entry in entries)
    if entries and not styled and all(_type_of(each) in _NO_CONVERSATIONS for each in entries):
        message = (
            "is only written into the tokenizer: no dataset here is read as conversations, "
            "so the model does not learn it"
        )
        yield warning("chat_template", message, "`type: chat_template` teaches it")


RULES: tuple[Rule, ...] = (
    _no_conversations,
    _field_of_completion,
    _dropped,
    _template_for_no_conversation,
)
"""What this module has to say."""
