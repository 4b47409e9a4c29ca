"""Write many realistic rows of JSONL: python -m tests.tools.make_rows OUT BYTES chat|alpaca."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import orjson

_TEXT = (
    "the of a to and in is for that on with as are be this by from it an or which can at not more "
    "model data table order customer answer question week price city river bridge letter number "
    "because although measured naïve café Zürich 東京 “quoted” it's 12.5 2024-05-01 don't"
)
_SENTENCES = 4000


def rows(kind: str) -> Iterator[dict[str, Any]]:
    """Rows of about 500 bytes without end, no two alike, the same each time."""
    chance, words = random.Random(7), _TEXT.split()
    said = [
        " ".join(chance.choices(words, k=chance.randint(8, 22))).capitalize() + "."
        for _ in range(_SENTENCES)
    ]
    make = _KINDS[kind]
    for number in count():
        yield make(number, chance.choices(said, k=5))


def write(path: Path, size: int, kind: str) -> int:
    """Write rows until there are `size` bytes of them; how many they are."""
    made, written = rows(kind), 0
    with path.open("wb") as file:
        for number in count():
            if written >= size:
                return number
            written += file.write(orjson.dumps(next(made), option=orjson.OPT_APPEND_NEWLINE))
    raise AssertionError


def _chat(number: int, said: list[str]) -> dict[str, Any]:
    return {
        "messages": [
            {"role": "system", "content": "Answer in one sentence."},
            {"role": "user", "content": f"Question {number}: {said[0]}"},
            {"role": "assistant", "content": said[1]},
            {"role": "user", "content": said[2]},
            {"role": "assistant", "content": said[3]},
        ]
    }


def _alpaca(number: int, said: list[str]) -> dict[str, Any]:
    return {
        "instruction": f"Task {number}: {said[0]}",
        "input": said[1],
        "output": " ".join(said[2:]),
    }


_KINDS: dict[str, Callable[[int, list[str]], dict[str, Any]]] = {"chat": _chat, "alpaca": _alpaca}


def main() -> None:
    """Write the file that is asked for."""
    out, size, kind = sys.argv[1:]
    print(f"{write(Path(out), int(size), kind):,} rows in {out}")


if __name__ == "__main__":
    main()
