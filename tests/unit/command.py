"""A command of ftui, run in this process as a person would type it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from ftui.cli import _guarded, cli


@dataclass(frozen=True)
class Ended:
    """How it ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """What it said with --json."""
        found: dict[str, Any] = json.loads(self.out)
        return found


def ftui(capfd: pytest.CaptureFixture[str], *arguments: str) -> Ended:
    """Run it."""
    code = _guarded(lambda: cli.main(list(arguments), prog_name="ftui", standalone_mode=False))
    return Ended(code, *capfd.readouterr())
