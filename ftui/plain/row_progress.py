"""How far the reading of a dataset is."""

from __future__ import annotations

import sys
import time

_EVERY = 0.5
"""Seconds between looks at the progress."""


class RowProgress:
    """A line on a terminal that says how far it is; nothing where stderr is no terminal."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _EVERY
        self._wide = 0

    def rows(self, count: int) -> None:
        """So many rows are read."""
        now = time.monotonic()
        if now >= self._next and sys.stderr.isatty():
            self._next = now + _EVERY
            self._write(f"reading … {count:,} rows")

    def done(self) -> None:
        """Take the line away."""
        if self._wide:
            self._write("")

    def _write(self, words: str) -> None:
        sys.stderr.write(f"\r{words.ljust(self._wide)}\r")
        sys.stderr.flush()
        self._wide = len(words)
