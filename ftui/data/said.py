"""What was said in a row of a dataset, whatever its type: turns, preferences, ratings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ftui.data.formats import Format
from ftui.data.parts import unfolded

Values = Mapping[str, Any]


class Turn(NamedTuple):
    """Who said it (system, user, assistant, tool, or a name nobody knows), and what."""

    role: str
    text: str


@dataclass(frozen=True)
class Said:
    """What was said in a row. `context` goes with the first question."""

    turns: tuple[Turn, ...]
    context: str = ""


@dataclass(frozen=True)
class Preferred:
    """What was asked, and two answers to it."""

    asked: tuple[Turn, ...]
    chosen: str
    rejected: str


@dataclass(frozen=True)
class Rated:
    """What was asked, an answer to it, and whether that is a good one."""

    asked: tuple[Turn, ...]
    answer: str
    good: bool


class CannotHold(Exception):
    """A row that the other type has no place for; the words say why."""


_BY_COLUMN: Mapping[str, str] = {
    **dict.fromkeys(("system", "system_prompt"), "system"),
    **dict.fromkeys(("instruction", "INSTRUCTION", "question", "prompt", "message_1"), "user"),
    **dict.fromkeys(("input", "context", "article", "category"), "context"),
}


def read(values: Values, format: Format) -> Said | Preferred | Rated:
    """What was said in a row that fits its format. Raises CannotHold."""
    if format.is_chat:
        said = _turns(unfolded(values[format.turns]), *format.turn_keys, _meant(format))
        system = values.get("system")
        if isinstance(system, str) and said[0].role != "system":
            said = (Turn("system", system), *said)
        return Said(said)
    if format.training == "kto":
        return _rated(values, format)
    if format.training in ("dpo", "orpo"):
        return _preferred(values, format)
    return _columns(values, format)


def _meant(format: Format) -> Callable[[str], str]:
    """The standard name of a role, as axolotl maps it."""
    listed: Mapping[str, list[str]] = format.keys.get(
        "roles", {"user": ["human"], "assistant": ["gpt"]}
    )
    names = {name: role for role, said in listed.items() for name in said}
    return lambda name: names.get(name, name)


def _turns(
    value: Any, role: str, content: str, meant: Callable[[str], str] = lambda name: name
) -> tuple[Turn, ...]:
    turns = []
    for turn in value:
        if type(turn.get(content)) is not str or turn.keys() - {role, content, "train", "weight"}:
            raise CannotHold("a turn has more than a role and a text")
        turns.append(Turn(meant(turn[role]), turn[content]))
    return tuple(turns)


def _columns(values: Values, format: Format) -> Said:
    """A row with a column for what is asked and one for the answer."""
    kind = format.keys.get("type")
    named = _BY_COLUMN
    if isinstance(kind, Mapping):
        named = {kind["field_instruction"]: "user", kind.get("field_input", ""): "context"}
    found = {"system": "", "user": "", "context": "", "assistant": ""}
    for column, _, learnt, _ in format.parts:
        found["assistant" if learnt else named[column]] = values.get(column) or ""
    asked, context = found["user"] or found["context"], found["context"]
    answered = (Turn("user", asked), Turn("assistant", found["assistant"]))
    system = (Turn("system", found["system"]),) if found["system"] else ()
    return Said((*system, *answered), context if found["user"] else "")


def _asked(values: Values, format: Format) -> tuple[Turn, ...]:
    """The turns before the answer: a system prompt, and what one column asks."""
    turns: list[Turn] = []
    for column, _, learnt, _ in format.parts:
        value = values.get(column)
        if learnt or column in ("rejected", "label") or value is None:
            continue
        if type(value) is list:
            turns += _turns(value, "role", "content")
        elif column == "system":
            turns.insert(0, Turn("system", value))
        else:
            turns.append(Turn("user", value))
    return tuple(turns)


def _rated(values: Values, format: Format) -> Rated:
    asked, answer = _asked(values, format), values["completion"]
    if type(answer) is list:
        *before, last = _turns(answer, "role", "content")
        asked, answer = (*asked, *before), last.text
    return Rated(asked, answer, values["label"])


def _preferred(values: Values, format: Format) -> Preferred:
    asked = _asked(values, format)
    before, chosen = _answer(values["chosen"])
    also, rejected = _answer(values["rejected"])
    if format.name.endswith(("argilla", "argilla_chat")):
        asked = before
        if also != before:
            raise CannotHold("the two conversations differ before the last answer")
    return Preferred(asked, chosen, rejected)


def _answer(value: Any) -> tuple[tuple[Turn, ...], str]:
    """An answer, and what stands before it."""
    if type(value) is str:
        return (), value
    turns = _turns(value if type(value) is list else [value], "role", "content")
    return turns[:-1], turns[-1].text
