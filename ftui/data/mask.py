"""A row as the model sees it: which tokens are learnt, which are only read, where a turn ends.

As lines with a sign before each, so that it can be told without colour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from ftui.data.tokens import IGNORED, Part
from ftui.text import printable

LEARNT = "┃"
READ = "·"
END = "■"
"""Stands after a token that ends a turn or the text."""
NEWLINE = "↵"
"""Stands where a token holds the end of a line, so that spaces before it can be seen."""


class MaskLine(NamedTuple):
    """One line of a row's text: the tokens in it are all learnt, or all only read."""

    learnt: bool
    tokens: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole line."""
        return "".join(self.tokens)

    @property
    def sign(self) -> str:
        """What stands before the line."""
        return LEARNT if self.learnt else READ


def more_words(part: Part) -> str:
    """`… and 12,000 more tokens, 3 of them learnt`; nothing where all of a text is shown."""
    if not part.more:
        return ""
    learnt = f", {part.more_learnt:,} of them learnt" if part.more_learnt else ""
    return f"… and {part.more:,} more {'token' if part.more == 1 else 'tokens'}{learnt}"


def mask_lines(
    texts: Sequence[str], labels: Sequence[int], ends: Sequence[int]
) -> Iterator[MaskLine]:
    """The lines of a row. `labels` are IGNORED for a token that is only read; `ends` are the
    numbers of the tokens that end a turn.

    Text from a dataset is shown without its control codes.
    """
    last = frozenset(ends)
    marked = [
        (label != IGNORED, printable(text) + (END if number in last else ""))
        for number, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]
    for learnt, run in groupby(marked, key=lambda token: token[0]):
        line: list[str] = []
        for _, text in run:
            *whole, rest = text.split("\n")
            for end in whole:
                yield MaskLine(learnt, (*line, f"{end}{NEWLINE}"))
                line = []
            line += [rest] if rest else []
        if line:
            yield MaskLine(learnt, tuple(line))
