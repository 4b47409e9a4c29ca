"""What is odd about a row that fits its type: nothing to learn in it, a role nobody knows.

Nearly every row is fine: `odd_rows` finds the few that a closer look is worth, at the speed at
which they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from ftui.data import parts
from ftui.data.formats import Format, Lacking, Part, Wrong
from ftui.data.parts import unfolded


class Reason(Enum):
    """Why nothing is learnt from a row, or why it is worth a word. The value says it in words."""

    BROKEN = "broken"
    UNREADABLE = "not of this type"
    LATE = "unlike the first 10 MB"
    EMPTY = "nothing to learn"
    NO_ANSWER = "no assistant turn"
    DUPLICATE = "duplicate"
    ALIKE = "asked before"
    LAST_TURN = "ends with a question"
    ROLE = "unknown role"
    NO_VALUE = "the word None in place of a value"
    REWRITTEN = "no text, and written as text"
    NO_WORDS = "a call of tools without a text"
    SAME = "chosen and rejected are the same"
    ONE_LABEL = "labelled alike"
    TWICE = "a key twice"


class Oddity(NamedTuple):
    """Something odd about a row, its place in the row, and in words."""

    reason: Reason
    field: str
    words: str


Rows = Sequence[Mapping[str, Any]]
Judge = Callable[[Mapping[str, Any]], list[Oddity]]
"""What is odd about a row that fits its format."""
Odd = Callable[[Rows], Sequence[int]]
"""The numbers of the rows that are not plainly fine."""

_PAIR = ("chosen", "rejected")
_ASSISTANT = frozenset(("assistant", "gpt"))
_KNOWN_ROLES = frozenset(("user", "human", "system", "tool", *_ASSISTANT))
"""What axolotl's chat_template takes without a word (ChatTemplatePrompter.__init__)."""


def judge_of(format: Format) -> Judge:
    """What to look for in the rows of a format: what it does not fit first, if anything."""
    judge = _judge_turns(format) if format.is_chat else _judge_columns(format)

    def look(values: Mapping[str, Any]) -> list[Oddity]:
        misfits = [_misfit(format, values, *each) for each in format.misfits(values)]
        found = [oddity for oddity in misfits if oddity is not None]
        fatal = [oddity for oddity in found if oddity.reason is Reason.UNREADABLE]
        if fatal:
            return fatal[:1]
        empty = any(oddity.reason is Reason.EMPTY for oddity in found)
        return found if empty else [*found, *judge(values)]

    return look


def _misfit(format: Format, values: Mapping[str, Any], part: Part, wrong: Wrong) -> Oddity | None:
    """What comes of a column that does not hold what it should; None = nothing at all."""
    is_there = values.get(part.column) is not None
    if is_there and part.lacking.takes_anything:
        return Oddity(Reason.REWRITTEN, wrong.field, f"{wrong.words}: it is written as text")
    if is_there or part.lacking is Lacking.STOPS:
        return Oddity(Reason.UNREADABLE, wrong.field, wrong.words)
    if part.lacking is Lacking.SAID:
        return Oddity(Reason.NO_VALUE, wrong.field, f"{wrong.words}: the word None is written")
    if part.lacking is Lacking.PASSED_OVER or any(_others_learnt(format, values, part)):
        return None
    return Oddity(Reason.EMPTY, wrong.field, wrong.words)


def _others_learnt(format: Format, values: Mapping[str, Any], part: Part) -> Iterator[bool]:
    """Whether another column has something to learn, where this one is learnt too."""
    for other in format.parts:
        if part.learnt and other.learnt and other is not part:
            yield not _is_empty(values.get(other.column))


def _judge_columns(format: Format) -> Judge:
    learnt, is_same = [part for part in format.parts if part.learnt], _same_of(format)

    def judge(values: Mapping[str, Any]) -> list[Oddity]:
        said = [part for part in learnt if _is_said(part, values.get(part.column))]
        if learnt and not said:
            return [Oddity(Reason.EMPTY, learnt[0].column, "is empty")]
        return [Oddity(Reason.SAME, _PAIR[1], "is what is chosen too")] if is_same(values) else []

    return judge


def _same_of(format: Format) -> Callable[[Mapping[str, Any]], bool]:
    """Whether the answer that is preferred in a row is the other one too."""
    chosen, rejected = _PAIR
    if not {chosen, rejected} <= {part.column for part in format.parts}:
        return lambda values: False
    return lambda values: values.get(chosen) == values.get(rejected) is not None


def _is_said(part: Part, value: Any) -> bool:
    """Whether something stands in a column, be it the word None."""
    return not _is_empty(value) or (value is None and part.lacking is Lacking.SAID)


def _is_empty(value: Any) -> bool:
    return not value or (type(value) is str and value.isspace())


def roles_of(format: Format) -> tuple[frozenset[str], frozenset[str]]:
    """The names of the assistant, and all names that axolotl knows."""
    listed: Mapping[str, list[str]] = format.keys.get("roles", {})
    known = {name for names in listed.values() for name in names}
    return _ASSISTANT | frozenset(listed.get("assistant", ())), _KNOWN_ROLES | known


def _judge_turns(format: Format) -> Judge:
    column, (role, content) = format.turns, format.turn_keys
    assistants, known = roles_of(format)

    def judge(values: Mapping[str, Any]) -> list[Oddity]:
        turns = unfolded(values[column])
        odd = [turn[role] for turn in turns if turn[role] not in known]
        answers = [turn for turn in turns if turn[role] in assistants]
        found = [Oddity(Reason.ROLE, column, f"has a turn of {odd[0]!r}")] if odd else []
        if not answers:
            return [*found, Oddity(Reason.NO_ANSWER, column, "has no turn of the assistant")]
        if all(_is_empty(turn.get(content)) and not turn.get("tool_calls") for turn in answers):
            return [*found, Oddity(Reason.EMPTY, column, "has only empty answers")]
        found += _calls(column, content, turns)
        if turns[-1][role] not in assistants:
            found.append(Oddity(Reason.LAST_TURN, column, "ends with a turn that is not learnt"))
        return found

    return judge


def _calls(column: str, content: str, turns: Sequence[Mapping[str, Any]]) -> Iterator[Oddity]:
    """The first turn that calls tools and says nothing: axolotl takes a `content` of null out."""
    for number, turn in enumerate(turns):
        if turn.get(content) is None:
            place = f"{column}.{number}.{content}"
            yield Oddity(Reason.NO_WORDS, place, "is missing, in a turn that calls tools")
            return


def odd_rows(format: Format) -> Odd:
    """Finds the rows of a format that are worth a closer look."""
    return _odd_turns(format) if format.is_chat else _odd_columns(format)


def _odd_turns(format: Format) -> Odd:
    column, (role, content) = format.turns, format.turn_keys
    assistants, known = roles_of(format)

    def look(rows: Rows) -> list[int]:
        odd: list[int] = []
        for index, row in enumerate(rows):
            name = text = ""
            for turn in row[column]:
                name, text = turn[role], turn[content]
                if type(text) is not str or name not in known:
                    break
            else:
                if name in assistants and text and not text.isspace():
                    continue
            odd.append(index)
        return odd

    return _or_all(look)


def _odd_columns(format: Format) -> Odd:
    looks = [_odd_column(part.column, part.holds, part.learnt) for part in format.parts]
    if {*_PAIR} <= {part.column for part in format.parts}:
        is_same = _same_of(format)
        looks.append(lambda rows: [i for i, row in enumerate(rows) if is_same(row)])

    def look(rows: Rows) -> list[int]:
        return sorted({index for each in looks for index in each(rows)})

    return _or_all(look)


def _odd_column(column: str, holds: parts.Holds, learnt: bool) -> Odd:
    """Finds the rows whose column does not hold what it should, or holds nothing to learn."""
    if holds is parts.text and learnt:
        return lambda rows: [
            index
            for index, row in enumerate(rows)
            if type(text := row[column]) is not str or not text or text.isspace()
        ]
    if holds is parts.text:
        return lambda rows: [i for i, row in enumerate(rows) if type(row[column]) is not str]
    if learnt:
        return lambda rows: [
            i for i, row in enumerate(rows) if holds(row.get(column)) is not None or not row[column]
        ]
    return lambda rows: [i for i, row in enumerate(rows) if holds(row.get(column)) is not None]


def _or_all(look: Odd) -> Odd:
    """A quick look that stumbles over an odd row: then all rows of the batch are worth one."""

    def careful(rows: Rows) -> Sequence[int]:
        try:
            return look(rows)
        except (LookupError, TypeError, AttributeError):
            return range(len(rows))

    return careful
