"""Which columns of text a person may mean, where their names do not say it: for hints alone."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

_NUMBERS = re.compile(r"(?:.*[\W_])?(?:id|uuid|guid|no|nr|num|number|nummer|key|index|hash)", re.I)
"""Names of columns that tell rows apart."""
_CODE = 16
"""Characters of the longest code of a row, such as T-2024-0017."""
_MOST = 8
"""Among more columns than that a proposal is a guess."""


def tells_rows_apart(rows: Sequence[Mapping[str, Any]], column: str) -> bool:
    """Whether a column of text holds no text but numbers or codes, another one in every row."""
    if _NUMBERS.fullmatch(column):
        return True
    values = [row[column] for row in rows]
    codes = all(len(value) <= _CODE and len(value.split()) < 2 for value in values)
    digits = any(sign.isdigit() for value in values for sign in value)
    return codes and digits and len(set(values)) == len(values)


def likely_columns(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> tuple[str, ...]:
    """Those of the columns of text that hold something to read."""
    return tuple(column for column in columns if not tells_rows_apart(rows, column))


def way_out(rows: Sequence[Mapping[str, Any]], likely: Sequence[str]) -> str:
    """The commands that settle which columns are learnt: a question and an answer."""
    pair = "QUESTION,ANSWER"
    if 2 <= len(likely) <= _MOST:
        size = {column: sum(len(row[column]) for row in rows) for column in likely}
        longest = sorted(likely, key=lambda column: -size[column])[:2]
        pair = shlex.quote(",".join(column for column in likely if column in longest))
    return settling(pair)


def settling(columns: str) -> str:
    """The same for columns that are known, as a shell takes them."""
    return (
        f"Say what is asked and what is answered: ftui data FILE --columns {columns} "
        "--convert chat_template -o NEW.jsonl, and train on NEW.jsonl."
    )
