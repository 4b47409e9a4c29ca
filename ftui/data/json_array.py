"""Rows of one JSON array of objects, holding little more of the text than one item and one block.

A broken item is the last: where the next one begins can no longer be told.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from io import BufferedReader
from typing import Any

from ftui.data.json_text import OF_AN_ARRAY, ends_early, may_be_twice, twice, why_not
from ftui.data.row import (
    LARGEST_ROW,
    NO_OBJECT,
    Broken,
    Fault,
    Group,
    Note,
    Row,
    Unfit,
    gathered,
    mark_of,
    show,
)
from ftui.data.source import Source

_BLOCK = 1 << 17
_BLANKS = re.compile(r"[ \t\r\n]*")
_UTF8 = "Save the file as UTF-8."
_BOM = "\ufeff"
_INVISIBLE = "something invisible (blanks, or a byte order mark) stands before the ["
_REMOVE = "Remove it: axolotl's reader takes a file for an array only if [ comes first."


def groups(source: Source) -> Iterator[Group]:
    """Every item in order, and a fault for each that is no row."""
    return gathered(_sized(_Text(source.reader), source.head.startswith(b"[")))


def _sized(text: _Text, is_seen: bool) -> Iterator[tuple[int, Row | Fault | Note]]:
    """Each with its size, about."""
    try:
        if not is_seen:
            yield 0, Fault(1, "", _INVISIBLE, _REMOVE)
        before = text.done
        for item in _items(text):
            yield text.done - before, item
            before = text.done
    except Broken as error:
        yield 0, error.fault(text.line)


def _items(text: _Text) -> Iterator[Row | Fault | Note]:
    text.skip(_BOM)
    text.take()
    after = ","
    if text.peek() == "]":
        after = text.take()
    while after == ",":
        text.peek()
        line = text.line
        values, written = text.value()
        item = _item(line, values)
        if isinstance(item, Row) and (key := _key_twice(values, written)) is not None:
            message = f"the key {show(key)} is there twice in one object: the last value is read"
            yield Note(line, show(key), message, "Keep one of the two.")
        yield item
        after = text.take()
    if after != "]":
        raise _no_end(after)
    if text.peek():
        raise Broken(
            "something follows the end of the array",
            "One file holds one array: join them, or write one object on each line.",
        )


def _item(line: int, values: Any) -> Row | Fault:
    if not isinstance(values, dict):
        return Fault(
            line, "", f"this row is not a JSON object: {show(json.dumps(values))}", NO_OBJECT
        )
    try:
        return Row(line, values, mark_of(values))
    except Unfit as error:
        message = f"this row cannot be read: {error}"
        return Fault(line, "", message, "Correct or remove this row.")


def _key_twice(values: dict[str, Any], written: str) -> str | None:
    """The first key that is there twice in an item; None where none is."""
    text = written.encode("utf-8", "surrogatepass")
    return twice(text) if may_be_twice([text], [values]) else None


def _no_end(after: str) -> Broken:
    if not after:
        return _broken("the file ends before the ]", "The file is cut off: write it again.")
    return _broken(f"no comma between two items, near {show(after)}", "Put a comma between them.")


def _broken(reason: str, hint: str) -> Broken:
    return Broken(f"the JSON array is broken: {reason}", hint)


class _Text:
    """The text from here on, read as it is needed, with the number of the line here."""

    def __init__(self, file: BufferedReader[Any]) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._failure: Broken | None = None
        self._text = ""
        self._at = 0
        self.line = 1
        self.done = 0  # characters

    def skip(self, char: str) -> None:
        """Pass over this character, should it be here."""
        if self._text or self._more():
            self._at += self._text.startswith(char, self._at)

    def peek(self) -> str:
        """The next character that is not blank; nothing at the end."""
        while True:
            blanks = _BLANKS.match(self._text, self._at)
            assert blanks is not None
            self._pass(blanks.end())
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self) -> str:
        """The same, and pass over it."""
        char = self.peek()
        self._at += len(char)
        return char

    def value(self) -> tuple[Any, str]:
        """The JSON value here, and how it is written. Raises Broken."""
        while True:
            try:
                value, end = OF_AN_ARRAY.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not ends_early(error) or not self._more():
                    raise self._not_json(error) from error
            except Unfit as error:
                raise _broken(str(error), "Correct or remove this row.") from error
            except RecursionError as error:
                hint = "Remove this row, or store its values less deep."
                raise _broken("it is nested too deep", hint) from error
            else:
                # A number at the end of what was read may have more digits.
                if end < len(self._text) or isinstance(value, dict | list) or not self._more():
                    written = self._text[self._at : end]
                    self._pass(end)
                    return value, written

    def _not_json(self, error: json.JSONDecodeError) -> Broken:
        if self._text.startswith("]", self._at):
            return _broken("there is a comma after the last item", "Remove the comma.")
        start = error.doc.rfind("\n", 0, error.pos) + 1
        end = error.doc.find("\n", error.pos + 1)
        line = error.doc[start : end if end >= 0 else None]
        reason, hint = why_not(json.JSONDecodeError(error.msg, line, error.pos - start))
        self._pass(error.pos)
        return _broken(reason, hint)

    def _pass(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self.done += end - self._at
        self._at = end

    def _more(self) -> bool:
        """Read on, twice as much as there is; False at the end. Raises Broken."""
        self._text = self._text[self._at :]
        self._at = 0
        if len(self._text) > LARGEST_ROW:
            raise _broken(f"an item has more than {LARGEST_ROW >> 20} MiB", "Split or remove it.")
        wanted = max(_BLOCK, len(self._text))
        blocks = [self._text]
        while wanted > 0 and (block := self._block()):
            blocks.append(block)
            wanted -= len(block)
        if self._failure is not None and len(blocks) == 1:
            self._pass(len(self._text))
            raise self._failure
        self._text = "".join(blocks)
        return len(blocks) > 1

    def _block(self) -> str:
        """The next block of text. What fails is kept until all that came before was used."""
        while self._failure is None:
            try:
                raw = self._file.read1(_BLOCK)
                text = self._decoder.decode(raw, final=not raw)
            except UnicodeDecodeError as error:
                text = error.object[: error.start].decode()
                byte = error.object[error.start]
                self._failure = Broken(f"the file is not UTF-8 text: byte 0x{byte:02x}", _UTF8)
            except Broken as error:
                self._failure = error
                return ""
            if text or not raw:
                return text
        return ""
