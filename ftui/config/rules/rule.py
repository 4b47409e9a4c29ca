"""What a rule is: one thing that can be wrong with a config, and what it may look at to say so."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ftui.config import schema
from ftui.plan.hardware import Gpu
from ftui.plan.places import Place, steps, value_at

if TYPE_CHECKING:
    from ftui.config.edit import Edit


@dataclass(frozen=True)
class Finding:
    """A problem at a place in the config, and the edits that mend it where there is one way only.

    An error is what axolotl refuses, ignores in silence, or takes and then fails or trains wrong
    with; a warning is what runs, but hardly as it was meant.
    """

    severity: Literal["error", "warning"]
    place: Place
    message: str
    hint: str = ""
    edits: tuple[Edit, ...] = ()
    unknown_key: bool = False
    """Whether it says no more than that the schema does not have this key."""


def error(place: str | Place, message: str, hint: str = "", *edits: Edit) -> Finding:
    """An error at `place`, which may be written with dots: `datasets.0.type`."""
    return Finding("error", _place(place), message, hint, edits)


def warning(place: str | Place, message: str, hint: str = "", *edits: Edit) -> Finding:
    """A warning at `place`, which may be written with dots."""
    return Finding("warning", _place(place), message, hint, edits)


def _place(place: str | Place) -> Place:
    return steps(place) if isinstance(place, str) else place


@dataclass(frozen=True)
class Subject:
    """A config, and what is known of the axolotl and the machine that will run it."""

    config: Mapping[Any, Any]
    version: str = schema.NEWEST
    """That of the axolotl which it is judged by, one of schema.VERSIONS."""
    gpus: tuple[Gpu, ...] | None = None
    """The GPUs that will train; empty = a CPU trains; None = nobody knows, so say nothing."""
    folder: Path | None = None
    """Where relative paths in the config begin; None = nobody knows, so look for no file."""

    @cached_property
    def axolotl(self) -> tuple[int, int]:
        """Major and minor version."""
        major, minor, *_ = self.version.split(".")
        return int(major), int(minor)

    @property
    def known_keys(self) -> Mapping[str, Any]:
        """The top-level keys that its axolotl knows without plugins, each with its schema."""
        keys: Mapping[str, Any] = schema.load(self.version)["properties"]
        return keys

    def get(self, place: str, default: Any = None) -> Any:
        """The value at a dotted place such as `datasets.0.type`, or `default`."""
        return value_at(self.config, place, default)

    def has(self, place: str) -> bool:
        """Whether there is something other than nothing at a dotted place."""
        return self.get(place) is not None

    def on(self, place: str) -> bool:
        """Whether the value counts as true once axolotl has read it: `"no"` and `"0"` don't."""
        value = self.get(place)
        if isinstance(value, str):
            return value.strip().lower() not in ("", "false", "no", "off", "f", "n", "0")
        return bool(value)

    def text(self, place: str) -> str:
        """The value at a place where it is text, else nothing."""
        value = self.get(place)
        return value if isinstance(value, str) else ""

    def number(self, place: str) -> float | None:
        """The number at a place, read as axolotl reads it (`"3"` is 3); None where there is none.

        A value of the wrong type is the schema's to tell, so it is None here.
        """
        value = self.get(place)
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            return None
        try:
            number = float(value)
        except (ValueError, OverflowError):
            return None
        return None if math.isnan(number) else number

    def entries(self, key: str) -> Iterator[tuple[str, Mapping[Any, Any]]]:
        """Each mapping in a list such as `datasets`, with its dotted place."""
        listed = self.config.get(key)
        for index, entry in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(entry, Mapping):
                yield f"{key}.{index}", entry

    @property
    def plugins(self) -> tuple[str, ...]:
        """The plugins that are listed, as they are written."""
        listed = self.config.get("plugins")
        return (
            tuple(item for item in listed if isinstance(item, str))
            if isinstance(listed, list)
            else ()
        )


Rule = Callable[[Subject], Iterator[Finding]]
"""Says what is wrong; silent about a value whose type is wrong: that is the schema's to tell."""
