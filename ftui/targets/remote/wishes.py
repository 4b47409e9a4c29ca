"""What a person asks of a machine (`--machine KEY=VALUE`), as the options of a target."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from ftui.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Options = TypeVar("Options", bound="DataclassInstance")


def kept(kind: type[Options], extra: Mapping[str, Any], key: str) -> Options:
    """The options in run.json's `extra`; what is missing or of the wrong kind is the default."""
    under = extra.get(key)
    raw = under.get("options") if isinstance(under, dict) else None
    usual = kind()
    if not isinstance(raw, dict):
        return usual
    known = {
        one.name: raw[one.name]
        for one in fields(kind)
        if isinstance(raw.get(one.name), type(getattr(usual, one.name)))
    }
    return kind(**known)


def parsed(
    kind: type[Options], wishes: Mapping[str, str], place: str, value: Callable[[str, str], Any]
) -> Options:
    """What a person typed; `value` reads one. Raises UsageError, with the nearest name."""
    known = [one.name for one in fields(kind)]
    for name in wishes:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there is {', '.join(sorted(known))}"
            raise UsageError(f"--machine {name}: {place} knows nothing of that name", hint=hint)
    return kind(**{name: value(name, text) for name, text in wishes.items()})
