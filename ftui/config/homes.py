"""Where a key belongs that stands at the top level and should not: pad_token in special_tokens."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from ftui.config import schema as schemas
from ftui.config.rules.silent import free_keys

_Schema = Mapping[str, Any]
_OFTEN = ("datasets", "fsdp_config", "special_tokens", "trl")
"""Mappings whose keys are most often taken for top-level ones, and the other way round."""


@cache
def homes(version: str) -> Mapping[str, str]:
    """By each key that is known inside a mapping, or list of mappings: where that is, in words."""
    loaded = schemas.load(version)
    found = dict(free_keys.HOMES)
    for head in (*_OFTEN, *loaded["properties"]):
        inner = _inside(loaded["properties"].get(head, {}), loaded)
        for key in inner:
            found.setdefault(key, head)
        for second, forms in inner.items() if head in _OFTEN else ():
            for key in _inside({"anyOf": forms}, loaded):
                found.setdefault(key, f"{head}, under {second}")
    return found


def _inside(schema: _Schema, loaded: _Schema) -> Mapping[str, list[_Schema]]:
    """The keys of a mapping, or of the mappings in a list, with the schemas of all their forms."""
    forms = _forms(schema, loaded)
    forms += [form for each in forms for form in _forms(each.get("items", {}), loaded)]
    found: dict[str, list[_Schema]] = {}
    for form in forms:
        for key, each in form.get("properties", {}).items():
            found.setdefault(key, []).append(each)
    return found


def _forms(schema: _Schema, loaded: _Schema) -> list[_Schema]:
    schema = schemas.resolve(schema, loaded)
    branches = [_forms(branch, loaded) for branch in schema.get("anyOf", ())]
    return [form for forms in branches for form in forms] or [schema]
