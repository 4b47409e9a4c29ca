"""What a dataset is written in: its scripts, and its language where common words give it away.

A hint, no more: a base model that never saw a language learns it badly from a few thousand rows.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

_ENOUGH = 200_000
"""Characters that are looked at; more say nothing new."""
_LETTERS = 200
"""Fewer letters say nothing."""
_COMMON_WORDS = """
English the of and to in is that for it with are this be
German der die und das nicht ist ein mit auf für sie den von
French le la les des est une que dans pour pas qui sur avec
Spanish el los que una por con para las del como más pero su
Italian il che di non una per con sono della più gli nel come
Portuguese o que não uma para com os mais como por dos mas ao
Dutch de het een van niet dat zijn voor met ook er maar naar
"""
_COMMON = {
    language: frozenset(words)
    for language, *words in map(str.split, _COMMON_WORDS.strip().splitlines())
}
_SCRIPT_OF_ONE: Mapping[str, str] = {
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "HANGUL": "Korean",
    "CJK": "Chinese",
    "CYRILLIC": "Cyrillic",
    "ARABIC": "Arabic",
    "DEVANAGARI": "Devanagari",
    "GREEK": "Greek",
    "HEBREW": "Hebrew",
    "THAI": "Thai",
}
_WORD = re.compile(r"[^\W\d_]+")


def written_in(rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The languages or scripts of the texts in some rows, the commonest first; rare ones left out.

    Nothing where there is too little text to say.
    """
    text = _text(rows)
    scripts = Counter(_script(letter) for letter in text if letter.isalpha())
    letters = sum(scripts.values())
    if letters < _LETTERS:
        return ()
    found = {name: count for name, count in scripts.most_common() if count >= letters / 20}
    if found.get("Japanese"):
        found.pop("Chinese", None)  # its writing has Chinese characters in it
    return tuple(_language(text) if name == "LATIN" else name for name in found)


def _text(rows: Iterable[Mapping[str, Any]]) -> str:
    parts: list[str] = []
    size = 0
    for row in rows:
        for text in _texts(row):
            parts.append(text)
            size += len(text)
            if size >= _ENOUGH:
                return " ".join(parts)
    return " ".join(parts)


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _script(letter: str) -> str:
    if letter.isascii():
        return "LATIN"
    first = unicodedata.name(letter, "LATIN").split(" ")[0].split("-")[0]
    return _SCRIPT_OF_ONE.get(first, "LATIN" if first in ("LATIN", "FULLWIDTH") else first.title())


def _language(text: str) -> str:
    """The language whose common words are most of the words."""
    words = Counter(word.lower() for word in _WORD.findall(text))
    counts = {name: sum(words[word] for word in common) for name, common in _COMMON.items()}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] >= sum(words.values()) / 25 else "Latin letters"
