"""What a column of a dataset may hold, and what is wrong with a value that it may not hold.

Written for speed: a dataset of gigabytes is looked at row by row, and nearly every row is fine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Misfit(NamedTuple):
    """What is wrong with a value: where inside it (`2.content`, or nothing), and in words."""

    inside: str
    words: str


class Time(str):
    """A date or a time of a dataset that has such values, as text: axolotl sees no text there."""


Holds = Callable[[Any], Misfit | None]
"""Judges a value; None when it may stand there. A column that is not there has the value None."""


def text(value: Any) -> Misfit | None:
    """Text, which may be empty."""
    if type(value) is str:
        return None
    return Misfit("", "is missing" if value is None else f"is {kind(value)}, not text")


def text_or_nothing(value: Any) -> Misfit | None:
    """Text, or no value at all."""
    return None if value is None else text(value)


def flag(value: Any) -> Misfit | None:
    """True or false."""
    if type(value) is bool:
        return None
    return Misfit("", "is missing" if value is None else f"is {kind(value)}, not true or false")


def numbers(value: Any) -> Misfit | None:
    """A list of whole numbers, such as token ids."""
    if type(value) is list and all(type(item) is int for item in value):
        return None
    return Misfit("", "is missing" if value is None else "is not a list of whole numbers")


def texts(value: Any) -> Misfit | None:
    """A list of texts."""
    if type(value) is list and all(type(item) is str for item in value):
        return None
    return Misfit("", "is missing" if value is None else "is not a list of texts")


def anything(value: Any) -> Misfit | None:
    """Any value but none."""
    return Misfit("", "is missing") if value is None else None


def turns(role: str, content: str) -> Holds:
    """A list of turns, each a mapping with a role and a content.

    A content may be text, a list of parts (`{"type": "text", "text": …}`), or nothing in a turn
    that calls tools.
    """

    def judge(value: Any) -> Misfit | None:
        if type(value) is not list or not value:
            return _no_list(value)
        for number, turn in enumerate(value):
            if (
                type(turn) is dict
                and type(turn.get(role)) is str
                and type(turn.get(content)) is str
            ):
                continue
            misfit = _turn(turn, role, content)
            if misfit is not None:
                return Misfit(f"{number}.{misfit.inside}".rstrip("."), misfit.words)
        return None

    return judge


def turns_or_json(role: str, content: str) -> Holds:
    """The same, or the text of such a list as JSON, which axolotl's chat_template reads too."""
    listed = turns(role, content)

    def judge(value: Any) -> Misfit | None:
        if type(value) is not str:
            return listed(value)
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            python = value.lstrip().startswith(("[{'", "({'"))
            written = "is a list as Python writes it, no JSON" if python else "is text, not a list"
            return Misfit("", written)
        return listed(found) if type(found) is list else Misfit("", "is text, not a list")

    return judge


def unfolded(value: Any) -> Any:
    """A list that was written as JSON text, as a list; any other value as it is.

    Raises ValueError or RecursionError for text that is no JSON.
    """
    return json.loads(value) if type(value) is str else value


def turn_or_text(role: str, content: str) -> Holds:
    """One turn, a list of turns, or the text of one: what a chosen answer comes as."""
    listed = turns(role, content)

    def judge(value: Any) -> Misfit | None:
        if type(value) is dict:
            return _turn(value, role, content)
        return listed(value) if type(value) is list else text(value)

    return judge


def segments(value: Any) -> Misfit | None:
    """Pieces of text in their order, each marked as learnt or not: axolotl's input_output."""
    if type(value) is not list or not value:
        return _no_list(value)
    for number, piece in enumerate(value):
        if type(piece) is not dict:
            return Misfit(str(number), f"is {kind(piece)}, not a mapping with label and text")
        for key, holds in (("label", flag), ("text", text)):
            misfit = holds(piece.get(key))
            if misfit is not None:
                return Misfit(f"{number}.{key}", misfit.words)
    return None


def kind(value: Any) -> str:
    """The kind of a JSON value in words: `a number`, `a list`."""
    names: Mapping[type, str] = {
        str: "text",
        Time: "a time",
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "a mapping",
        type(None): "nothing",
    }
    return names.get(type(value), type(value).__name__)


def _no_list(value: Any) -> Misfit:
    if value == []:
        return Misfit("", "is an empty list")
    return Misfit("", "is missing" if value is None else f"is {kind(value)}, not a list")


def _turn(turn: Any, role: str, content: str) -> Misfit | None:
    if type(turn) is not dict:
        return Misfit("", f"is {kind(turn)}, not a turn with {role} and {content}")
    misfit = text(turn.get(role))
    if misfit is not None:
        return Misfit(role, misfit.words)
    said = turn.get(content)
    if type(said) is str or (said is None and turn.get("tool_calls")):
        return None
    if type(said) is list and all(type(part) is dict and "type" in part for part in said):
        return None
    words = "is missing" if said is None else f"is {kind(said)}, not text"
    return Misfit(content, words)
