"""`type: sharegpt`, gone since axolotl 0.5.1: conversations are read with `type: chat_template`.

https://docs.axolotl.ai/docs/dataset-formats/conversation.html#migrating-from-sharegpt
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftui.config.edit import Drop, Edit, Put
from ftui.config.rules.rule import Finding, Rule, Subject, error
from ftui.plan.places import steps

SHAPES: Mapping[str, tuple[str, str, str]] = {
    "sharegpt": ("conversations", "from", "value"),
    "sharegpt.load": ("conversations", "from", "value"),
    "sharegpt:chat": ("conversations", "from", "value"),
    "sharegpt:load": ("conversations", "from", "value"),
    "sharegpt_simple": ("conversations", "from", "value"),
    "sharegpt_simple.load": ("conversations", "from", "value"),
    "sharegpt.load_role": ("conversations", "role", "value"),
    "sharegpt:load_role": ("conversations", "role", "value"),
    "sharegpt_simple.load_role": ("conversations", "role", "value"),
    "sharegpt.load_ultrachat": ("messages", "role", "content"),
}
"""Each old type: the field of the messages, and in a message those of its role and content."""

TEMPLATES: Mapping[str, str] = {
    "alpaca": "alpaca",
    "chatml": "chatml",
    "gemma": "gemma",
    "llama-3": "llama3",
    "llama3": "llama3",
    "mistral": "mistral_v1",
    "phi-3": "phi_3",
    "phi3": "phi_3",
}
"""FastChat's names of conversations, and the chat templates of axolotl that write the same."""

_OLD_KEYS = ("conversation", "field_human", "field_model", "strict")


def sharegpt(subject: Subject) -> Iterator[Finding]:
    """Datasets in ShareGPT's shape, read the old way."""
    for place, entry in _entries(subject):
        yield _finding(subject, place, entry, entry["type"])


def _entries(subject: Subject) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    for key in ("datasets", "test_datasets"):
        for place, entry in subject.entries(key):
            kind = entry.get("type")
            if isinstance(kind, str) and kind.startswith("sharegpt"):
                yield place, entry


def _finding(subject: Subject, place: str, entry: Mapping[Any, Any], kind: str) -> Finding:
    shape = SHAPES.get(kind)
    fields, role, content = shape or SHAPES["sharegpt"]
    hint = (
        f"write `type: chat_template`, `field_messages: {fields}` and "
        f"`message_property_mappings: {{role: {role}, content: {content}}}`"
    )
    spoken = entry.get("conversation")
    lost = bool(spoken) and TEMPLATES.get(str(spoken)) is None
    if lost:
        hint += f"; and choose a chat_template that writes what conversation {spoken} wrote"
    elif not (subject.has("chat_template") or spoken):
        hint += "; and name a chat_template, else the tokenizer's own is taken"
    message = f"axolotl has no {kind} any more and refuses it"
    if shape is None or lost or entry.get("roles") is not None:
        return error(f"{place}.type", message, hint)
    return error(f"{place}.type", message, hint, *_edits(subject, place, entry, shape))


def _edits(
    subject: Subject, place: str, entry: Mapping[Any, Any], shape: tuple[str, str, str]
) -> Iterator[Edit]:
    """The edits that let an entry read the same conversations."""
    here = steps(place)
    fields, role, content = shape
    yield Put((*here, "type"), "chat_template")
    yield Put((*here, "field_messages"), fields)
    yield Put((*here, "message_property_mappings"), {"role": role, "content": content})
    human, model = entry.get("field_human"), entry.get("field_model")
    if human or model:
        roles = {"user": [human or "human"], "assistant": [model or "gpt"], "system": ["system"]}
        yield Put((*here, "roles"), roles)
    yield from (Drop((*here, key)) for key in _OLD_KEYS if key in entry)
    template = TEMPLATES.get(str(entry.get("conversation")))
    if template and entry.get("chat_template") is None:
        shared = _agreed(subject) and not subject.has("chat_template")
        if shared or template != subject.get("chat_template"):
            yield Put(("chat_template",) if shared else (*here, "chat_template"), template)


def _agreed(subject: Subject) -> bool:
    """Whether all such datasets name the same conversation, so that one template does for all."""
    entries = [entry for _, entry in _entries(subject)]
    return len({str(entry.get("conversation")) for entry in entries}) == 1


RULES: tuple[Rule, ...] = (sharegpt,)
