"""How far a long piece of work is: one line on stderr that is written over and taken away."""

from __future__ import annotations

import sys
import time
from typing import Self

_EVERY = 0.5
"""Seconds between looks at the progress."""


class ProgressLine:
    """A line on a terminal that says how far it is; nothing where stderr is no terminal.

    A context manager: the line is gone behind it.
    """

    def __init__(self) -> None:
        self._next = time.monotonic() + _EVERY
        self._wide = 0

    def __enter__(self) -> Self:
        """Nothing is written yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the line away."""
        if self._wide:
            self._write("")

    def rows(self, count: int) -> None:
        """So many rows are read."""
        now = time.monotonic()
        if now >= self._next and sys.stderr.isatty():
            self._next = now + _EVERY
            self._write(f"reading … {count:,} rows")

    def say(self, words: str) -> None:
        """What is being done now."""
        if sys.stderr.isatty():
            self._write(words)

    def _write(self, words: str) -> None:
        sys.stderr.write(f"\r{words.ljust(self._wide)}\r")
        sys.stderr.flush()
        self._wide = len(words)
