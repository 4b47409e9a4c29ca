"""JSON as datasets read it, and in words what is wrong with text that is none.

Measured with datasets 4.8: in JSONL it takes NaN and Infinity, turns an integer beyond 64 bits
into a float, and refuses a number too large for a float and half a surrogate pair.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Sequence
from typing import Any

import orjson

from ftui.data.row import Unfit, show

_NEAR = 30
_CUT = "It may be cut off. In JSONL each row is one whole object on one line (`jq -c . FILE`)."
_DUMPS = "Write rows with a JSON library (in Python json.dumps), not as text put together by hand."
_CONTROL = {"\t": "a tab", "\n": "a line break", "\r": "a carriage return", "\0": "a NUL byte"}

_STARTS = (
    ("'", "single quotes, where JSON has double quotes", _DUMPS),
    (("True", "False", "None"), "a word of Python (JSON has true, false and null)", _DUMPS),
    (("//", "/*", "#"), "a comment, which JSON does not have", "Remove the comments."),
    ("undefined", "undefined, which JSON does not have", "Write null, or leave the key out."),
    (("+", "."), "a number that JSON does not know", "A number begins with a digit or a minus."),
    ("\x00", "a NUL byte", "The file was damaged when it was written: write it again."),
)


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise Unfit(f"the number {show(text)} is too large")
    return value


def _fits(text: str) -> bool:
    return len(text) <= 20 and -(2**63) <= int(text) < 2**64


def _int(text: str) -> int | float:
    return int(text) if _fits(text) else _float(text)


def _exact_int(text: str) -> int:
    if _fits(text):
        return int(text)
    raise Unfit(f"the integer {show(text)} is too large: 64 bits do not hold it")


OF_A_LINE = json.JSONDecoder(parse_float=_float, parse_int=_int)
"""Decodes what stands on a line. Raises Unfit for numbers that are too large."""

OF_AN_ARRAY = json.JSONDecoder(parse_float=_float, parse_int=_exact_int)
"""Decodes an item of an array, where datasets refuses integers beyond 64 bits too."""


def may_be_twice(texts: Sequence[bytes], values: Sequence[dict[str, Any]]) -> bool:
    """Whether a key may be there twice in an object of these rows: the text has more keys.

    Never False where one is; True also for text with blanks before a colon, and the like.
    """
    written = sum(text.count(b'":') for text in texts)
    try:
        return written != orjson.dumps(values).count(b'":')
    except TypeError:  # nested deeper than orjson writes
        return True


def twice(text: bytes) -> str | None:
    """The first key that is there twice in an object of this JSON; None where none is."""
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            keys = [key for key, _ in pairs]
            found.extend(key for key in values if keys.count(key) > 1)
        return values

    with contextlib.suppress(RecursionError, ValueError):
        json.loads(text, object_pairs_hook=look)
    return found[0] if found else None


def why_not(error: json.JSONDecodeError) -> tuple[str, str]:
    """What is wrong, with its column and the text there, and what to do about it."""
    reason, hint = _reason(error)
    rest = error.doc[error.pos : error.pos + _NEAR]
    near = show(rest) or (f"the character U+{ord(rest[0]):04X}" if rest else "")
    return f"{reason} at column {error.colno}" + (f", near {near}" if near else ""), hint


def ends_early(error: json.JSONDecodeError) -> bool:
    """Whether the text is good as far as it goes."""
    cut = error.msg.startswith(("Unterminated string", "Invalid \\u", "Invalid \\escape"))
    return cut or error.pos >= len(error.doc) - len("-Infinity")


def _reason(error: json.JSONDecodeError) -> tuple[str, str]:
    rest = error.doc[error.pos : error.pos + _NEAR]
    if error.msg.startswith("Unterminated string"):
        return "a text has no closing quote; it begins", _CUT
    if error.msg.startswith("Invalid control character"):
        name = _CONTROL.get(rest[0], f"the control character 0x{ord(rest[0]):02x}")
        return f"{name} inside a text", f"Inside a text it is written \\t, \\n or \\u00…. {_DUMPS}"
    if not rest.strip(" \t\r\n"):
        return "it ends too early", _CUT
    if error.msg.startswith("Extra data"):
        return _extra(rest)
    if error.msg.startswith("Invalid \\"):
        return "a backslash that means nothing in JSON", f"Write \\\\ for a backslash. {_DUMPS}"
    if error.msg.startswith("Illegal trailing comma") or rest[0] in "}]":
        return (
            "a comma or a colon with nothing after it",
            "Remove the comma, or add what is missing.",
        )
    for starts, reason, hint in _STARTS:
        if rest.startswith(starts):
            return reason, hint
    return _expected(error, rest)


def _extra(rest: str) -> tuple[str, str]:
    if rest.startswith("{"):
        return "a second object on the same line", "Put each object on a line of its own."
    return "something follows the end of the JSON", "Remove it: a row is one object, and no more."


def _expected(error: json.JSONDecodeError, rest: str) -> tuple[str, str]:
    if "property name" in error.msg:
        return "a key that is not in double quotes", _DUMPS
    if "':'" in error.msg:
        return "no colon after a key", _DUMPS
    if "','" in error.msg and error.doc[error.pos - 1] == "0" and rest[0] in "0123456789xX":
        return "a number that JSON does not know (it begins with 0)", _DUMPS
    if "','" in error.msg:
        return "no comma between two values", _DUMPS
    return "something that is no JSON value", _DUMPS
