"""What ends a run, in the kinds that a person acts on differently."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Cause(StrEnum):
    """Why a run ended badly. Every cause has a glyph and a word."""

    CRASHED = "crashed"
    KILLED = "killed"
    GPU_MEMORY = "out of GPU memory"
    MEMORY = "out of memory"
    DISK_FULL = "disk full"
    NOT_A_NUMBER = "not a number"
    LOST = "lost contact"

    @property
    def glyph(self) -> str:
        """One character that tells the cause without colour."""
        return _GLYPHS[self]


_GLYPHS: Mapping[Cause, str] = {
    Cause.CRASHED: "✗",
    Cause.KILLED: "†",
    Cause.GPU_MEMORY: "▦",
    Cause.MEMORY: "▤",
    Cause.DISK_FULL: "▥",
    Cause.NOT_A_NUMBER: "∅",
    Cause.LOST: "?",
}
