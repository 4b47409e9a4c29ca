"""One way to read the rows of a dataset: a `type` of axolotl, and the columns that it reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, NamedTuple

from ftui.data import parts
from ftui.data.parts import Holds, Misfit

Training = Literal["sft", "dpo", "orpo", "kto", "reward", "process_reward"]
"""The kind of training that reads a type. ipo and simpo read what dpo reads."""


class Lacking(Enum):
    """What axolotl 0.19 does with a row that has no value in a column.

    Each type was run with each of its columns empty: tests/e2e/test_values.py.
    """

    STOPS = "axolotl stops"
    PASSED_OVER = "it is written without"
    SAID = "the word None is written"
    NOT_LEARNT = "nothing is learnt"

    @property
    def takes_anything(self) -> bool:
        """Whether a number or a list is written as text in this place; else axolotl stops at it."""
        return self in (Lacking.PASSED_OVER, Lacking.SAID)


class Part(NamedTuple):
    """A column, what it holds, whether its text is what is learnt, and what comes of no value."""

    column: str
    holds: Holds
    learnt: bool = False
    lacking: Lacking = Lacking.STOPS


class Wrong(NamedTuple):
    """What keeps a row from being read: the place in it (`messages.2.role`), and in words."""

    field: str
    words: str


@dataclass(frozen=True)
class Format:
    """One way to read rows: axolotl's `type`, the columns that it reads, and what they hold."""

    name: str
    """axolotl's `type`, as people call it."""
    words: str
    """What every row has, in words."""
    parts: tuple[Part, ...]
    training: Training = "sft"
    entry: Mapping[str, Any] | None = None
    """What axolotl's item of `datasets` says beside path and ds_type; None = `type: name`."""

    @property
    def keys(self) -> dict[str, Any]:
        """The keys of axolotl's item of `datasets`, without the path."""
        return {"type": self.name} if self.entry is None else dict(self.entry)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a row must have, those that may be missing left out."""
        return tuple(part.column for part in self.parts if part.holds(None) is not None)

    @property
    def turns(self) -> str:
        """The column of turns; nothing for rows that are no conversations."""
        return str(self.keys.get("field_messages", "messages")) if self.is_chat else ""

    @property
    def turn_keys(self) -> tuple[str, str]:
        """What a turn's role and content are called."""
        names = self.keys.get("message_property_mappings", {})
        return names.get("role", "role"), names.get("content", "content")

    @property
    def is_chat(self) -> bool:
        """Whether a chat template renders its rows."""
        return self.name == "chat_template"

    def wrong(self, values: Mapping[str, Any]) -> Wrong | None:
        """What keeps a row from being read as this; None when it can be."""
        return next((wrong for _, wrong in self.misfits(values)), None)

    def misfits(self, values: Mapping[str, Any]) -> Iterator[tuple[Part, Wrong]]:
        """Every column that does not hold what it should, and what is wrong with it."""
        for part in self.parts:
            misfit = part.holds(values.get(part.column))
            if misfit is not None:
                yield part, _at(part.column, misfit)


def _at(column: str, misfit: Misfit) -> Wrong:
    place = f"{column}.{misfit.inside}" if misfit.inside else column
    return Wrong(place, misfit.words)


def chat(
    column: str = "messages",
    role: str = "role",
    content: str = "content",
    roles: Mapping[str, Sequence[str]] | None = None,
) -> Format:
    """Conversations, rendered by the chat template of the model.

    `roles` names the roles that axolotl does not know by itself: `{"assistant": ["bot"]}`.
    """
    entry: dict[str, Any] = {"type": "chat_template"}
    if column != "messages":
        entry["field_messages"] = column
    if (role, content) != ("role", "content"):
        entry["message_property_mappings"] = {"role": role, "content": content}
    if roles:
        entry["roles"] = {name: list(said) for name, said in roles.items()}
    words = f"each row has {column}: turns with {role} and {content}"
    held = (Part(column, parts.turns_or_json(role, content), learnt=True),)
    return Format("chat_template", words, held, entry=entry)


def columns_of_your_own(question: str, answer: str, context: str = "") -> Format:
    """Any two columns of text, or three: what is asked, what to answer, and what goes with it."""
    form = "{instruction}\n{input}\n" if context else "{instruction}\n"
    kind: dict[str, Any] = {"field_instruction": question, "field_output": answer}
    if context:
        kind["field_input"] = context
    kind |= {"format": form, "no_input_format": "{instruction}\n"}
    asked = f"{question} and {context}" if context else question
    held = [
        Part(question, parts.text, lacking=Lacking.SAID),
        Part(answer, parts.text, learnt=True, lacking=Lacking.NOT_LEARNT),
    ]
    if context:
        held.insert(1, Part(context, parts.text_or_nothing, lacking=Lacking.PASSED_OVER))
    words = f"each row has {asked}, and {answer} to learn"
    return Format("user_defined", words, tuple(held), entry={"type": kind})
