"""JSON, read as the dataclasses that declare its shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from itertools import repeat
from types import UnionType
from typing import Any, NewType, get_args, get_origin, get_type_hints


class Malformed(ValueError):
    """An answer of another shape than the one that is agreed."""


def of_kind(kind: Any, raw: Any) -> Any:
    """A value of a declared type, out of JSON. Raises Malformed.

    A dataclass is an object, whose fields may have another name there (metadata `name`); a whole
    number is a count, unless its type is one of its own (NewType).
    """
    if is_dataclass(kind):
        return _object(kind, raw)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return None if raw is None else of_kind(inner[0], raw)
    if origin is tuple:
        each = _checked(raw, list)
        kinds = repeat(inner[0]) if inner[1] is ... else inner
        if inner[1] is not ... and len(each) != len(inner):
            raise Malformed(f"{raw!r} has not {len(inner)} values")
        return tuple(of_kind(one, value) for one, value in zip(kinds, each, strict=False))
    if origin is Mapping:
        pairs = _checked(raw, dict).items()
        return {_key(inner[0], key): of_kind(inner[1], value) for key, value in pairs}
    if isinstance(kind, NewType):
        return _checked(raw, kind.__supertype__)
    if kind is int and _checked(raw, int) < 0:
        raise Malformed(f"{raw!r} is no count")
    return float(_checked(raw, (int, float))) if kind is float else _checked(raw, kind)


def _object(kind: Any, raw: Any) -> Any:
    known = _checked(raw, dict)
    kinds = get_type_hints(kind)
    values = {}
    for one in fields(kind):
        name = one.metadata.get("name", one.name)
        if name in known:
            values[one.name] = of_kind(kinds[one.name], known[name])
        elif one.default is MISSING:
            raise Malformed(f"there is no {name} in {sorted(known)}")
    return kind(**values)


def _key(kind: Any, raw: str) -> Any:
    try:
        return kind(raw)
    except ValueError as error:
        raise Malformed(f"{raw!r} is of the wrong type") from error


def _checked(raw: Any, kind: Any) -> Any:
    if not isinstance(raw, kind) or (isinstance(raw, bool) and kind is not bool):
        raise Malformed(f"{raw!r} is of the wrong type")
    return raw
