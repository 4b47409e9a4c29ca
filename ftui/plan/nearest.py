"""The word that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

_NEAR = 0.65
_SAME_BEGINNING = 0.1
_SAME_PLACES = 0.05


def nearest(word: str, choices: Collection[str]) -> str:
    """The choice most like `word`, or "" when none is like it.

    Keys are names in parts (`lora_r`, `fsdp_config`): one that begins with the same part is
    preferred, so that `lora_rank` is taken for `lora_r` and not for `local_rank`.
    """
    plain = word.lower().replace("-", "_")
    matcher = difflib.SequenceMatcher(b=plain)
    best, best_score = "", _NEAR
    for choice in choices:
        if choice.lower() == plain:
            return choice
        matcher.set_seq1(choice)
        if matcher.real_quick_ratio() + _SAME_BEGINNING + _SAME_PLACES <= best_score:
            continue
        score = matcher.ratio() + _SAME_PLACES * _same_places(choice, plain)
        if choice.partition("_")[0] == plain.partition("_")[0]:
            score += _SAME_BEGINNING
        if score > best_score:
            best, best_score = choice, score
    return best or _short(plain, choices)


def _short(word: str, choices: Iterable[str]) -> str:
    """The one choice that is a letter away from a word too short for a share of its letters."""
    same = [choice for choice in choices if len(choice) == len(word) < 4]
    near = [choice for choice in same if distance(word, choice) == 1]
    return near[0] if len(near) == 1 else ""


def _same_places(one: str, other: str) -> float:
    """The share of places at which both have the same letter: decides between short words."""
    same = sum(a == b for a, b in zip(one, other, strict=False))
    return same / max(len(one), len(other), 1)


def distance(one: str, other: str) -> int:
    """How many letters to change, insert, leave out or swap with their neighbour.

    Optimal string alignment (Damerau 1964, https://doi.org/10.1145/363958.363994).
    """
    rows = [list(range(len(other) + 1))]
    for i, a in enumerate(one, start=1):
        row = [i]
        for j, b in enumerate(other, start=1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (a != b))
            if i > 1 and j > 1 and (a, one[i - 2]) == (other[j - 2], b):
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]
