"""The plugins that a config lists: axolotl's own, by any of their names, and those of others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ftui.config import schema
from ftui.config.build import EVENTS_PLUGIN

_ROOT = "axolotl."
_INTEGRATIONS = f"{_ROOT}integrations."


def own(name: str, version: str) -> str:
    """What the schema calls one of axolotl's own plugins; nothing where it has no such plugin.

    A plugin may be named by its package or its module, and without the part that all have.
    """
    plain = name.replace(":", ".")
    for full in (plain, _INTEGRATIONS + plain):
        if full in schema.names(version)["plugins"]:
            *package, last = full.split(".")
            return ".".join((*package[:3], last))
    return ""


def is_missing(name: str, version: str) -> bool:
    """Whether a plugin should be one of axolotl's own and is not."""
    return name.startswith(_ROOT) and not own(name, version)


def listed(config: Mapping[Any, Any]) -> list[str]:
    """The plugins that a config lists."""
    names = config.get("plugins")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def others(config: Mapping[Any, Any], version: str) -> Iterator[str]:
    """The listed plugins of which nobody here knows what keys they add."""
    for name in listed(config):
        if name != EVENTS_PLUGIN and not name.startswith(_ROOT) and not own(name, version):
            yield name


def properties(config: Mapping[Any, Any], version: str) -> dict[str, Any]:
    """The keys that the listed plugins add, each with its schema."""
    known: Mapping[str, Mapping[str, Any]] = schema.load(version)["plugins"]
    added: dict[str, Any] = {}
    for name in listed(config):
        added |= known.get(own(name, version), {})
    return added
