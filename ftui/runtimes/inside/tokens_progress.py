"""Runs inside the train runtime: says how far the work on a dataset is, a line now and then."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import datasets.arrow_dataset  # type: ignore[import-not-found]
import datasets.builder  # type: ignore[import-not-found]

PAUSE = 0.5
"""Seconds between two lines."""
READING, TOKENIZING, COUNTING = "reading", "tokenizing", "counting"
# How the bars of axolotl and TRL begin; rows that a strategy tokenizes are told one by one.
_NAMES = {"Generating": READING, "Tokenizing": TOKENIZING, "Mapping RL": TOKENIZING}
_TOLD_ELSEWHERE = "Tokenizing Prompts"

Tell = Callable[[dict[str, Any]], None]


class Progress:
    """The phase at hand and how many of its rows are done; total 0 = nobody knows."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._said = 0.0
        self._phase, self._done, self._total = "", 0, 0

    def phase(self, name: str, total: int = 0) -> None:
        """Begin a phase."""
        self._phase, self._done, self._total = name, 0, total
        self._say()

    def step(self, rows: int = 1) -> None:
        """So many more rows are done."""
        self._done += rows
        if time.monotonic() - self._said > PAUSE:
            self._say()

    def _say(self) -> None:
        self._said = time.monotonic()
        self._tell({"phase": self._phase, "done": self._done, "total": self._total})

    @contextlib.contextmanager
    def instead_of_bars(self) -> Iterator[None]:
        """Tell what the datasets library would draw as bars."""
        modules = (datasets.arrow_dataset, datasets.builder)
        drawn = [module.hf_tqdm for module in modules]
        for module in modules:
            module.hf_tqdm = self._bar
        try:
            yield
        finally:
            for module, bar in zip(modules, drawn, strict=True):
                module.hf_tqdm = bar

    def _bar(self, *_: Any, desc: str = "", total: int | None = None, **__: Any) -> Bar:
        if (desc or "").startswith(_TOLD_ELSEWHERE):
            return Bar(None)
        begun = (name for start, name in _NAMES.items() if (desc or "").startswith(start))
        self.phase(next(begun, COUNTING), total or 0)
        return Bar(self)


class Bar:
    """As much of tqdm as the datasets library uses."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    def __enter__(self) -> Bar:
        """Nothing is drawn."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left behind."""

    def update(self, rows: int = 1) -> None:
        """So many more rows are done."""
        if self._progress is not None:
            self._progress.step(rows)

    def close(self) -> None:
        """Nothing is left open."""

    def set_postfix(self, *_: Any, **__: Any) -> None:
        """Not of interest."""

    def set_description(self, *_: Any, **__: Any) -> None:
        """Not of interest."""
