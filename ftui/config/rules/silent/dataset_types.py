"""The `type` of a dataset: which of axolotl's prompt strategies reads its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftui.config.rules.rule import Finding, Rule, Subject, error, warning
from ftui.config.rules.silent.names import names, suggestion
from ftui.plan.nearest import nearest

_KIND_OF_RL: Mapping[str, str] = {
    "dpo": "dpo",
    "ipo": "dpo",
    "simpo": "dpo",
    "grpo": "dpo",  # axolotl looks for GRPO's types where DPO's are
    "gdpo": "dpo",
    "kto": "kto",
    "orpo": "orpo",
    "ebft": "ebft",
}
_WORDS: Mapping[str, str] = {
    "sft": "supervised fine-tuning",
    "reward": "reward_model: true",
    "process_reward": "process_reward_model: true",
    "dpo": "preference training with DPO",
    "kto": "preference training with KTO",
    "orpo": "preference training with ORPO",
    "ebft": "rl: ebft",
}
_OWN_FORMAT = ("sft", "dpo", "kto")
"""The kinds that take a mapping (`field_instruction: …`) in place of a name."""


def kind(subject: Subject) -> str:
    """The kind of training, which decides what types there are. Nothing for an unknown `rl`."""
    if subject.has("rl"):
        return _KIND_OF_RL.get(subject.text("rl"), "")
    if subject.on("reward_model"):
        return "reward"
    return "process_reward" if subject.on("process_reward_model") else "sft"


def _types(subject: Subject) -> Iterator[Finding]:
    wanted = kind(subject)
    if not wanted:
        return
    for key in ("datasets", "test_datasets"):
        for at, entry in subject.entries(key):
            yield from _judged(subject, f"{at}.type", entry.get("type"), wanted)


def _judged(subject: Subject, place: str, value: Any, wanted: str) -> Iterator[Finding]:
    known: Mapping[str, list[str]] = names(subject)["dataset_types"]
    if isinstance(value, Mapping):
        if wanted not in _OWN_FORMAT:
            message = f"{_WORDS[wanted]} takes no format of your own here"
            yield error(place, message, f"there is {', '.join(known[wanted])}")
        return
    if not isinstance(value, str) or not value or value in known[wanted]:
        return
    if value.startswith("sharegpt") or (value.endswith(".load") and value[:-5] in known[wanted]):
        return
    others = [other for other in known if value in known[other]]
    if others:
        yield _wrong_kind(place, value, others[0], wanted, known[wanted])
    elif _may_be_own(value, wanted, known):
        module, _, function = value.rpartition(".")
        where = f"{function} in {module}.py" if wanted in _OF_FUNCTIONS else f"load in {value}"
        near = nearest(value, known[wanted])
        hint = f"did you mean {near}?" if near else "it must be importable from where you train"
        message = f"axolotl has no type {value!r}: it will look for a function of yours, {where}"
        yield warning(place, message, hint)
    else:
        message = f"{value!r} is not a type of dataset that axolotl has for {_WORDS[wanted]}"
        yield error(place, message, suggestion(value.replace(":load", ".load"), known[wanted]))


_OF_FUNCTIONS = ("dpo", "kto", "orpo", "ebft")
"""The kinds whose types name a function: `chatml.intel`."""


def _wrong_kind(place: str, value: str, its: str, wanted: str, known: list[str]) -> Finding:
    message = f"{value!r} is a type for {_WORDS[its]}, and this is {_WORDS[wanted]}"
    head = value.partition(".")[0]
    same = [name for name in known if name.partition(".")[0] == head]
    other = suggestion(value, same or known)
    wants = f"`rl: {its}`" if its in _OF_FUNCTIONS else "no `rl`"
    return error(place, message, "; ".join(filter(None, (other, f"this type goes with {wants}"))))


def _may_be_own(value: str, wanted: str, known: Mapping[str, list[str]]) -> bool:
    """Whether axolotl would look for a module of the person's own.

    `module.function` for preference data; `package.module` with a function `load` for supervised
    fine-tuning, where a last part `load…` is looked for among axolotl's own modules only.
    """
    head, dot, last = value.rpartition(".")
    ours = {
        name.partition(".")[0].partition(":")[0] for of_kind in known.values() for name in of_kind
    }
    if not dot or not head or value.partition(".")[0] in ours:
        return False
    return wanted in _OF_FUNCTIONS or (wanted == "sft" and not last.startswith("load"))


def _without_type(subject: Subject) -> Iterator[Finding]:
    """Rows that are tokenized already need no type; all others end the run with an error.

    A type that is there and empty is taken for meant.
    """
    if kind(subject) not in ("sft", "reward", "process_reward"):
        return
    if subject.on("skip_prepare_dataset"):
        return
    for at, entry in subject.entries("datasets"):
        if "type" not in entry:
            message = "has no type: it says how to read the rows, unless they are token ids already"
            yield warning(at, message, "such as `type: chat_template` or `type: alpaca`")


RULES: tuple[Rule, ...] = (_types, _without_type)
"""What this module has to say."""
