"""What is asked in a row, to know the same question again: whatever its capitals and blanks are.

A question asked twice with two answers is a choice in training. In held-out rows it means that
memory is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ftui.data.formats import Format, Part
from ftui.data.judge import roles_of
from ftui.data.parts import unfolded

Asked = Callable[[Mapping[str, Any]], int | None]
"""A hash of what is asked in a row that fits its format; None where nothing is."""
_ANSWERS = ("chosen", "rejected", "completion", "label", "labels")


def asked_in(format: Format) -> Asked:
    """The question of a row: all of its text that is not the answer.

    Of text that is learnt whole, all of it. Rows of tokens have no question.
    """
    assistants, _ = roles_of(format)
    role, content = format.turn_keys
    columns = [part.column for part in format.parts if not _is_answer(format, part)]
    columns = columns or [part.column for part in format.parts if part.learnt]

    def text(value: Any) -> str:
        if type(value) is str:
            return value
        return " ".join([*map(said, value or ())])

    def said(turn: Any) -> str:
        if type(turn) is str:  # one of several choices
            return turn
        return str(turn[content]) if turn[role] not in assistants else ""

    def asked(values: Mapping[str, Any]) -> int | None:
        found = [values.get(column) for column in columns]
        try:
            if format.is_chat:
                found = [*map(unfolded, found)]
            words = " ".join(map(text, found)).casefold().split()
        except (LookupError, RecursionError, TypeError, ValueError):  # no conversation, no text
            return None
        return hash(" ".join(words)) if words else None

    return asked


def _is_answer(format: Format, part: Part) -> bool:
    return part.learnt or (format.training != "sft" and part.column in _ANSWERS)
