"""Where a value sits in plain data: `datasets.0.path`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Place = tuple[str, ...]
"""Where a value sits, list indexes as text: `("datasets", "0", "type")`."""

_LONGEST_NUMBER = 250
"""Digits. Python's `int` refuses thousands of them, and its `float` more than 308."""


def steps(place: str) -> Place:
    """A place that is written with dots, step by step."""
    return tuple(place.split("."))


def is_index(text: str) -> bool:
    """Whether a text is a whole number such as a list's index: `str.isdigit` takes `²` too."""
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER


def value_at(data: Any, place: str, default: Any = None) -> Any:
    """The value at a dotted place, or `default` where there is none."""
    for part in steps(place):
        if isinstance(data, Mapping) and part in data:
            data = data[part]
        elif isinstance(data, list) and is_index(part) and int(part) < len(data):
            data = data[int(part)]
        else:
            return default
    return data
