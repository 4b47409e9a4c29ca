"""The lines that a person edited in one text, edited in the same way in another."""

from __future__ import annotations

from difflib import SequenceMatcher

_MOST = 2000
"""Lines. Many that are alike take minutes to compare; a published config has under 500."""


def carried(before: str, after: str, other: str) -> str | None:
    """`other`, with what changed from `before` to `after`.

    None where a line that changed is not in `other`, and for very long texts.
    """
    old, new, lines = before.split("\n"), after.split("\n"), other.split("\n")
    if max(len(old), len(new), len(lines)) > _MOST:
        return None
    at = _places(old, lines)
    changes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    for kind, start, end, first, last in reversed(changes):
        if kind == "equal":
            continue
        begin = at.get(start, at.get(start - 1, -2) + 1 if start == end else -1)
        if begin < 0 or any(at.get(start + i) != begin + i for i in range(end - start)):
            return None
        lines[begin : begin + end - start] = new[first:last]
    return "\n".join(lines)


def _places(lines: list[str], others: list[str]) -> dict[int, int]:
    """By the number of each line that both texts have: its number in the other."""
    blocks = SequenceMatcher(None, lines, others, autojunk=False).get_matching_blocks()
    return {block.a + i: block.b + i for block in blocks for i in range(block.size)}
