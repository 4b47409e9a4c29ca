"""Where a value sits in plain data: `datasets.0.path`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def value_at(data: Any, place: str, default: Any = None) -> Any:
    """The value at a dotted place, or `default` where there is none."""
    for part in place.split("."):
        if isinstance(data, Mapping) and part in data:
            data = data[part]
        elif isinstance(data, list) and part.isdigit() and int(part) < len(data):
            data = data[int(part)]
        else:
            return default
    return data
