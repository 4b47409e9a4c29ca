"""Rows of JSONL: one JSON object a line. What is wrong on one line does not stop the others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import orjson

from ftui.data.json_text import OF_A_LINE, may_be_twice, twice, why_not
from ftui.data.row import (
    GROUP,
    HINT,
    LARGEST_ROW,
    NO_OBJECT,
    Fault,
    Group,
    Row,
    Unfit,
    gathered,
    mark_of,
    show,
)
from ftui.data.source import Source

_BLANK = b" \t\r\n"
_EXACT = 1 << 22
"""Bytes in which every row is searched for a key that comes twice. That takes nearly as long as to
read it: of what follows, one row in some dozens of KiB is looked at."""
_EVERY = 8
_OVER_LINES = "this line is not JSON alone: its object goes on over the lines that follow"
_ONE_LINE = "Put each object on one line: `jq -c . FILE > NEW.jsonl`."
_BOM = b"\xef\xbb\xbf"
_SPREAD = re.compile(rb"\s*\{[ \t]*\r?\n")
_UTF8 = "Save the file as UTF-8, e.g. `iconv -f LATIN1 -t UTF-8 FILE > NEW` if it is Latin-1."
_JOINED = "Files were joined that each began with one; it is invisible in an editor: remove it."


def groups(source: Source) -> Iterator[Group]:
    """Every row in order, and the faults between them."""
    if source.head.startswith(_BOM):
        source.reader.read(len(_BOM))
    if _SPREAD.match(source.head.removeprefix(_BOM)):
        line = 1 + source.head[: source.head.index(b"{")].count(b"\n")
        return iter((Group((), [], [], [Fault(line, "", _OVER_LINES, _ONE_LINE)]),))
    return _groups(source)


def _groups(source: Source) -> Iterator[Group]:
    """Clean lines are read by C alone, many at a time; a fault among them costs a second look."""
    reader, line, done = source.by_line(), 1, 0
    stripped = _has_blanks(source.head)
    while lines := reader.readlines(GROUP):
        if not lines[-1].endswith(b"\n"):
            lines.pop()  # cut off by a failure, which is told below
        size = sum(map(len, lines))
        if stripped:
            lines = [*map(bytes.strip, lines)]
        try:
            rows = [*map(orjson.loads, lines)]
        except ValueError:
            rows = []
        looked_at = len(lines) if done < _EXACT else done // GROUP % _EVERY == 0
        done += size
        if (
            rows
            and set(map(type, rows)) == {dict}
            and not may_be_twice(lines[:looked_at], rows[:looked_at])
        ):
            yield Group(range(line, line + len(lines)), rows, [*map(hash, lines)], [], size)
        else:
            yield from gathered(_one_by_one(line, lines))
        line += len(lines)
    if source.failure is not None:
        yield Group((), [], [], [source.failure.fault(line)])


def _has_blanks(head: bytes) -> bool:
    """Whether blanks stand around the first line, so that equal rows may differ by them."""
    first = head.removeprefix(_BOM).partition(b"\n")[0]
    return first != first.strip(_BLANK)


def _one_by_one(line: int, lines: list[bytes]) -> Iterator[tuple[int, Row | Fault]]:
    for number, raw in enumerate(lines, start=line):
        item = _look(number, raw)
        if item is not None:
            yield len(raw), item


def _look(line: int, raw: bytes) -> Row | Fault | None:
    if len(raw) > LARGEST_ROW:
        message = f"this line is longer than {LARGEST_ROW >> 20} MiB"
        return Fault(line, "", message, "No model reads a row that long: split or remove it.")
    try:
        values = orjson.loads(raw)
    except ValueError:
        return _look_again(line, raw)
    if type(values) is not dict:
        return _no_object(line, raw)
    key = twice(raw) if may_be_twice([raw], [values]) else None
    return Row(line, values, hash(raw)) if key is None else _key_twice(line, key)


def _key_twice(line: int, key: str) -> Fault:
    message = f"the key {show(key)} is there twice in one object"
    hint = "Keep one of the two: axolotl's reader stops at it, others take the last."
    return Fault(line, show(key), message, hint)


def _no_object(line: int, raw: bytes) -> Fault:
    return Fault(line, "", f"this row is not a JSON object: {show(raw)}", NO_OBJECT)


def _look_again(line: int, raw: bytes) -> Row | Fault | None:
    """A line that orjson refuses: blank, or a row with NaN in it, or a fault."""
    raw = raw.strip(_BLANK)
    if not raw:
        return None
    try:
        text = raw.decode()
        values: Any = OF_A_LINE.decode(text)
        if not isinstance(values, dict):
            return _no_object(line, raw)
        mark_of(values)
        return Row(line, values, hash(raw))
    except UnicodeDecodeError as error:
        return Fault(line, "", f"this line is not UTF-8 text: {_bad_byte(error)}", _UTF8)
    except json.JSONDecodeError as error:
        return _not_json(line, text, error)
    except Unfit as error:
        return Fault(line, "", f"this row cannot be read: {error}", "Correct or remove this row.")
    except RecursionError:
        message = "this line is not JSON that can be read: it is nested too deep"
        return Fault(line, "", message, "Remove this row, or store its values less deep.")


def _bad_byte(error: UnicodeDecodeError) -> str:
    return f"byte 0x{error.object[error.start]:02x} at column {error.start + 1}"


def _not_json(line: int, text: str, error: json.JSONDecodeError) -> Fault:
    if text.startswith("\ufeff"):
        return Fault(line, "", "a byte order mark stands before this row", _JOINED)
    if not text.strip("\0"):
        hint = "The file was damaged when it was written: cut them off, or write it again."
        return Fault(line, "", "this line holds nothing but NUL bytes", hint)
    if "\r" in text:
        hint = "Write line ends as \\n: `tr '\\r' '\\n' < FILE > NEW`."
        return Fault(line, "", "this line holds carriage returns, which end no line here", hint)
    if error.pos == 0 and text[1:].lstrip().startswith("{"):
        message = f"the character U+{ord(text[0]):04X} stands before this row"
        return Fault(line, "", message, "Remove it; an editor may not show it.")
    if error.pos == 0 and text[0] != "'":
        return Fault(line, "", f"this line is not JSON: {show(text)}", HINT)
    reason, hint = why_not(error)
    return Fault(line, "", f"this line is not JSON: {reason}", hint)
