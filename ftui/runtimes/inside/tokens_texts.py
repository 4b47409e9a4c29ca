"""Runs inside the train runtime: the text of every token of a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_HALF = "\N{REPLACEMENT CHARACTER}"
"""What a tokenizer makes of bytes that are no whole character."""
_MOST = 16
"""Tokens that may wait for the end of a character: a text may hold that sign itself, many times."""


def texts(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """The text of every token; joined they are the text of the row.

    A character of several tokens is the text of the last of them, the others have none. Each
    text is what a token adds to those before it: alone, some tokenizers drop its leading space.
    """
    found: list[str] = []
    behind = read = 0
    for place in range(len(ids)):
        before = _decoded(tokenizer, ids[behind:read])
        text = _decoded(tokenizer, ids[behind : place + 1])
        waiting = text.endswith(_HALF) and place - read < _MOST
        whole = not waiting or place == len(ids) - 1
        found.append(text[len(before) :] if whole else "")
        if whole:
            behind, read = read, place + 1
    return found


def _decoded(tokenizer: Any, ids: Sequence[int]) -> str:
    if not ids:
        return ""
    return str(tokenizer.decode(list(ids), skip_special_tokens=False))


def piece(tokenizer: Any, ids: Sequence[int], labels: Sequence[int], ends: Any) -> dict[str, Any]:
    """One text of tokens as it travels."""
    return {
        "ids": [int(one) for one in ids],
        "labels": [int(one) for one in labels],
        "texts": texts(tokenizer, ids),
        "ends": [place for place, one in enumerate(ids) if one in ends],
    }
