"""Write the rows of a dataset in another of axolotl's types, and say what that changes.

A row is read into what was said in it, and written again from that. Columns that its type does not
read are kept as they are: axolotl passes over them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ftui.data.formats import Format
from ftui.data.said import CannotHold, Preferred, Rated, Said, Turn, Values, read

_NOT_CONVERTED = ("input_output", "tokenized", "reflection", "explainchoice", "completion")
"""Types whose rows are no questions with answers."""


def convertible(format: Format) -> bool:
    """Whether rows of this type can be written in another."""
    return format.name not in _NOT_CONVERTED and format.training in ("sft", "dpo", "orpo", "kto")


def targets(format: Format) -> tuple[str, ...]:
    """The names of the types that rows of a format can be written in."""
    if not convertible(format):
        return ()
    return tuple(name for name, target in TARGETS.items() if _fits(format, target))


def _fits(format: Format, target: Target) -> bool:
    return (format.training == "sft") == (target.training == "sft")


def _chat(said: Said) -> dict[str, Any]:
    return {"messages": _listed(_joined(said))}


def _joined(said: Said) -> tuple[Turn, ...]:
    """The turns, the context written under the first question."""
    turns = list(said.turns)
    if said.context:
        first = next(index for index, turn in enumerate(turns) if turn.role == "user")
        turns[first] = Turn("user", f"{turns[first].text}\n\n{said.context}")
    return tuple(turns)


def _listed(turns: tuple[Turn, ...]) -> list[dict[str, str]]:
    return [{"role": turn.role, "content": turn.text} for turn in turns]


def _alpaca(said: Said) -> dict[str, Any]:
    if said.turns[0].role == "system":
        raise CannotHold("it has a system prompt: alpaca_w_system holds one")
    return _one_answer(said.turns, said.context)


def _alpaca_with_system(said: Said) -> dict[str, Any]:
    first, *rest = said.turns
    if first.role != "system":
        return {"system": "", **_one_answer(said.turns, said.context)}
    return {"system": first.text, **_one_answer(tuple(rest), said.context)}


def _one_answer(turns: tuple[Turn, ...], context: str) -> dict[str, Any]:
    if [turn.role for turn in turns] != ["user", "assistant"]:
        raise CannotHold("it is not one question with one answer")
    asked, answer = turns
    return {"instruction": asked.text, "input": context, "output": answer.text}


def _pairs(pair: Preferred | Rated) -> dict[str, Any]:
    if isinstance(pair, Rated):
        raise CannotHold("it has one answer, not a chosen and a rejected one")
    return {
        "messages": _listed(pair.asked),
        "chosen": {"role": "assistant", "content": pair.chosen},
        "rejected": {"role": "assistant", "content": pair.rejected},
    }


def _conversations(pair: Preferred | Rated) -> dict[str, Any]:
    if isinstance(pair, Rated):
        raise CannotHold("it has one answer, not a chosen and a rejected one")
    asked = _listed(pair.asked)
    return {
        name: [*asked, {"role": "assistant", "content": text}]
        for name, text in (("chosen", pair.chosen), ("rejected", pair.rejected))
    }


def _rows_of_kto(pair: Preferred | Rated) -> list[dict[str, Any]]:
    rated = (
        (pair,)
        if isinstance(pair, Rated)
        else (Rated(pair.asked, pair.chosen, True), Rated(pair.asked, pair.rejected, False))
    )
    rows = []
    for each in rated:
        asked = each.asked
        system = asked[0].text if asked and asked[0].role == "system" else ""
        if len(asked) != 1 + bool(system) or asked[-1].role != "user":
            raise CannotHold("it is not one question with one answer")
        rows.append(
            {
                "system": system,
                "prompt": asked[-1].text,
                "completion": each.answer,
                "label": each.good,
            }
        )
    return rows


@dataclass(frozen=True)
class Target:
    """A type to write: its kind of training, and the rows that one row becomes."""

    training: str
    write: Callable[[Any], list[dict[str, Any]]]
    says: str
    """axolotl's `type` of what was written, where it is another than the name asked for."""


TARGETS: Mapping[str, Target] = {
    "chat_template": Target("sft", lambda said: [_chat(said)], "chat_template"),
    "alpaca": Target("sft", lambda said: [_alpaca(said)], "alpaca"),
    "alpaca_w_system": Target("sft", lambda said: [_alpaca_with_system(said)], "alpaca_w_system"),
    "dpo": Target("dpo", lambda pair: [_pairs(pair)], "chat_template.default"),
    "orpo": Target("orpo", lambda pair: [_conversations(pair)], "chat_template.argilla"),
    "kto": Target("kto", _rows_of_kto, "chatml.prompt_pairs"),
}
"""What `--convert` takes."""


def convert(values: Values, format: Format, target: Target) -> Iterator[dict[str, Any]]:
    """The row in the other type, with the columns that its own does not read; one or more rows.

    Raises CannotHold for a row that the other type has no place for.
    """
    read_columns = {part.column for part in format.parts} | (
        {"system"} if format.is_chat else set()
    )
    others = {key: value for key, value in values.items() if key not in read_columns}
    for row in target.write(read(values, format)):
        yield {**row, **{key: value for key, value in others.items() if key not in row}}
