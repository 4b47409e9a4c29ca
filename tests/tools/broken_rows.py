"""Broken datasets, each with the line and some of the words that it is to be told with."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
from typing import NamedTuple

import zstandard

GOOD = b'{"text": "a"}\n'
HEAD = b"instruction,output\n"


class Case(NamedTuple):
    """A file, the line that is told of it, and words that the message has."""

    name: str
    content: bytes
    line: int
    words: str
    rows: int = 0
    """How many rows are read all the same."""


def lines(name: str, second: bytes, words: str, rows: int = 2) -> Case:
    """JSONL with something else in its second line; the others are read."""
    return Case(f"{name}.jsonl", GOOD + second + b"\n" + GOOD, 2, words, rows)


def array(name: str, items: bytes, line: int, words: str, rows: int) -> Case:
    return Case(f"{name}.json", items, line, words, rows)


def second(value: bytes) -> bytes:
    """An array whose second item, on the second line, holds this value."""
    return b'[{"text": "a"},\n {"text": ' + value + b'},\n {"text": "c"}]'


def table(name: str, content: bytes, line: int, words: str, rows: int) -> Case:
    return Case(name, content, line, words, rows)


def zipped() -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("rows.jsonl", GOOD.decode())
    return memory.getvalue()


def array_of(rows: bytes) -> bytes:
    """The rows of JSONL as one array, an item on each line."""
    return b"[" + b",\n".join(rows.splitlines()) + b"]"


HEX = "".join(json.dumps({"text": f"{n * 7919:x}"}) + "\n" for n in range(5000)).encode()
GZ, ZST = gzip.compress(HEX), zstandard.ZstdCompressor(write_checksum=True).compress(HEX)

LINES = [
    lines("truncated object", b'{"text": "b"', "ends too early"),
    lines("truncated text", b'{"text": "b', "no closing quote"),
    lines("truncated after colon", b'{"text":', "ends too early"),
    lines("truncated after comma", b'{"text": "b",', "ends too early"),
    lines("truncated in a list", b'{"text": ["b", ', "ends too early"),
    lines("truncated in a word", b'{"text": tru', "no JSON value"),
    lines("lonely brace", b"}", "not JSON: }"),
    lines("single quotes", b"{'text': 'b'}", "single quotes"),
    lines("single quoted value", b"{\"text\": 'b'}", "single quotes"),
    lines("trailing comma", b'{"text": "b",}', "comma"),
    lines("trailing comma in a list", b'{"text": ["b",]}', "comma"),
    lines("two commas", b'{"text": "b",, "x": 1}', "double quotes"),
    lines("no comma", b'{"text": "b" "x": 1}', "no comma"),
    lines("no colon", b'{"text" "b"}', "no colon"),
    lines("no value", b'{"text": }', "nothing after it"),
    lines("bare key", b'{text: "b"}', "key that is not in double quotes"),
    lines("number as a key", b'{1: "b"}', "key that is not in double quotes"),
    lines("null as a key", b'{null: "b"}', "key that is not in double quotes"),
    lines("list as a key", b'{["a"]: "b"}', "key that is not in double quotes"),
    lines("True", b'{"text": True}', "word of Python"),
    lines("None", b'{"text": None}', "word of Python"),
    lines("undefined", b'{"text": undefined}', "undefined"),
    lines("comment", b"// rows of May", "not JSON: // rows of May"),
    lines("comment after", b'{"text": "b"} // of May', "follows the end"),
    lines("comment inside", b'{"text": /* of May */ "b"}', "a comment"),
    lines("plus", b'{"text": +1}', "number that JSON does not know"),
    lines("point first", b'{"text": .5}', "number that JSON does not know"),
    lines("leading zero", b'{"text": 007}', "number that JSON does not know"),
    lines("hexadecimal", b'{"text": 0xff}', "number that JSON does not know"),
    lines("number too large", b'{"text": "b", "n": 1e999}', "1e999 is too large"),
    lines("negative too large", b'{"text": "b", "n": -1e999}', "-1e999 is too large"),
    lines("endless digits", b'{"text": "b", "n": ' + b"9" * 5000 + b"}", "too large"),
    lines("list on a line", b'["b"]', 'not a JSON object: ["b"]'),
    lines("object in a list", b'[{"text": "b"}]', "not a JSON object"),
    lines("bare string", b'"b"', "not a JSON object"),
    lines("bare number", b"3", "not a JSON object"),
    lines("bare null", b"null", "not a JSON object: null"),
    lines("bare true", b"true", "not a JSON object"),
    lines("bare NaN", b"NaN", "not a JSON object"),
    lines("plain words", b"hello there", "not JSON: hello there"),
    lines("bad UTF-8", b'{"text": "\xff"}', "not UTF-8 text: byte 0xff at column 11"),
    lines("latin-1", '{"text": "café"}'.encode("latin-1"), "byte 0xe9"),
    lines("UTF-8 cut off", b'{"text": "\xe2\x82', "not UTF-8"),
    lines("overlong UTF-8", b'{"text": "\xc0\xaf"}', "not UTF-8"),
    lines("beyond Unicode", b'{"text": "\xf4\x90\x80\x80"}', "not UTF-8"),
    lines("surrogate in UTF-8", b'{"text": "\xed\xa0\x80"}', "not UTF-8"),
    lines("lone surrogate", b'{"text": "\\ud83d"}', "half of a character"),
    lines("lone low surrogate", b'{"text": "\\udc00 b"}', "half of a character"),
    lines("surrogate in a key", b'{"\\ud83d": "b"}', "half of a character"),
    lines("swapped surrogates", b'{"text": "\\ude00\\ud83d"}', "half of a character"),
    lines("NUL in a text", b'{"text": "a\x00b"}', "NUL byte inside a text"),
    lines("NUL between", b'{"text":\x00"b"}', "a NUL byte"),
    lines("NUL after", GOOD.strip() + b"\x00" * 20, "follows the end"),
    lines("only NUL", b"\x00" * 50, "nothing but NUL bytes"),
    lines("tab in a text", b'{"text": "a\tb"}', "a tab inside a text"),
    lines("bell in a text", b'{"text": "a\x07b"}', "control character 0x07"),
    lines("unknown escape", b'{"text": "\\x41"}', "backslash"),
    lines("Windows path", b'{"text": "C:\\Users"}', "backslash"),
    lines("short escape", b'{"text": "\\u12"}', "backslash"),
    lines("byte order mark in the middle", b"\xef\xbb\xbf" + GOOD.strip(), "byte order mark"),
    lines("no-break space before", b"\xc2\xa0" + GOOD.strip(), "U+00A0 stands before"),
    lines("vertical tab after", GOOD.strip() + b"\x0b", "U+000B"),
    lines("two objects", b'{"text": "b"}{"text": "c"}', "second object"),
    lines("two objects apart", b'{"text": "b"} {"text": "c"}', "second object"),
    lines("comma between rows", b'{"text": "b"},', "follows the end"),
    lines("old Mac line ends", b'{"text": "b"}\r{"text": "c"}\r', "carriage returns"),
    lines("record separator", b"\x1e" + GOOD.strip(), "U+001E stands before"),
    lines("deep nesting", b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too deep"),
    lines("deep objects", b'{"a": ' * 100_000 + b"1" + b"}" * 100_000, "too deep"),
    lines("deep and cut off", b'{"text": ' + b"[" * 100_000, "too deep"),
    lines("5 MB and broken", b'{"text": "' + b"x" * 5_000_000, "no closing quote"),
    lines("5 MB of brackets", b"]" * 5_000_000, "not JSON"),
    lines("CSV among lines", b"b,c,d", "not JSON: b,c,d"),
    lines("YAML", b"text: b", "not JSON: text: b"),
    Case(
        "pretty printed.jsonl", b'{\n  "text": "a"\n}\n{\n  "text": "b"\n}\n', 1, "over the lines"
    ),
    Case("one pretty object.json", b'\n{\n  "text": "a"\n}', 2, "over the lines"),
    Case("rows inside of data.json", b'{"data": [{"text": "a"}], "n": 1}', 1, "under data"),
    Case("rows inside of train.json", b'{"train": [{"text": "a"}]}', 1, "under train"),
    Case("columns.json", b'{"text": {"0": "a", "1": "b"}}', 1, "columns, not its rows"),
    Case("last line cut off.jsonl", GOOD * 2 + b'{"text": "c', 3, "no closing quote", 2),
    Case("CSV named.jsonl", b"text,label\na,b\n", 1, "not JSON: text,label"),
    Case("empty.jsonl", b"", 1, "no rows"),
    Case("empty.json", b"", 1, "no rows"),
    Case("empty.csv", b"", 1, "no rows"),
    Case("only line ends.jsonl", b"\n\r\n\n", 1, "no rows"),
    Case("only blanks.jsonl", b"  \t \n   ", 1, "no rows"),
    Case("only a byte order mark.jsonl", b"\xef\xbb\xbf", 1, "no rows"),
    Case("empty text packed.jsonl.gz", gzip.compress(b""), 1, "no rows"),
    Case("UTF-16 with mark.jsonl", GOOD.decode().encode("utf-16"), 1, "UTF-16"),
    Case("UTF-16 little.jsonl", GOOD.decode().encode("utf-16-le"), 1, "UTF-16"),
    Case("UTF-16 big.jsonl", GOOD.decode().encode("utf-16-be"), 1, "UTF-16"),
    Case("UTF-32.jsonl", GOOD.decode().encode("utf-32"), 1, "UTF-32"),
    Case("UTF-16.csv", HEAD.decode().encode("utf-16"), 1, "UTF-16"),
]

ARRAYS = [
    array("empty array", b"[]", 1, "no rows", 0),
    array("empty pretty array", b"[\n]\n", 1, "no rows", 0),
    array("array without end", b'[{"text": "a"},\n {"text": "b"}', 2, "ends before the ]", 2),
    array("array cut in an item", b'[{"text": "a"},\n {"text": "b', 2, "no closing quote", 1),
    array("array cut after comma", b'[{"text": "a"},\n', 2, "ends too early", 1),
    array("array of brackets", b"[" * 100_000, 1, "too deep", 0),
    array("comma at the end", b'[{"text": "a"},\n]', 2, "comma after the last", 1),
    array("no comma in array", b'[{"text": "a"}\n {"text": "b"}]', 2, "no comma between", 1),
    array("text after array", b'[{"text": "a"}]\nend', 2, "follows the end", 1),
    array("two arrays", b'[{"text": "a"}]\n[{"text": "b"}]', 2, "follows the end", 1),
    array("number in array", b'[{"text": "a"},\n 3, {"text": "c"}]', 2, "not a JSON object: 3", 2),
    array("text in array", b'[{"text": "a"},\n "b"]', 2, "not a JSON object", 1),
    array("null in array", b'[{"text": "a"},\n null]', 2, "not a JSON object: null", 1),
    array("list in array", b'[{"text": "a"},\n [{"text": "b"}]]', 2, "not a JSON object", 1),
    array("list of texts", b'["a",\n "b"]', 1, "not a JSON object", 0),
    array("broken item", second(b"oops"), 2, "no JSON value at column 11", 1),
    array("single quotes in array", second(b"'b'"), 2, "single quotes", 1),
    array("bad UTF-8 in array", second(b'"\xff"'), 2, "not UTF-8", 1),
    array("lone surrogate in array", second(b'"\\ud83d"'), 2, "half of a character", 2),
    array("large integer in array", second(b"9" * 30), 2, "64 bits", 1),
    array("large negative in array", second(b"-" + b"9" * 30), 2, "64 bits", 1),
    array("large float in array", second(b"1e999"), 2, "too large", 1),
    array("raw line break in a text", second(b'"a\nb"'), 2, "a line break inside a text", 1),
    array("deep item", second(b"[" * 5000 + b"]" * 5000), 2, "too deep", 1),
    array("blanks before array", b' \n[{"text": "a"}]', 1, "something invisible", 1),
    array("mark before array", b'\xef\xbb\xbf[{"text": "a"}]', 1, "something invisible", 1),
]

TABLES = [
    table("too many cells.csv", HEAD + b"a,b\na,b,c\na,b\n", 3, "3 cells", 2),
    table("too many cells at once.csv", HEAD + b"a,b,c\n", 2, "3 cells", 0),
    table("too few cells.csv", HEAD + b"a,b\na\na,b\n", 3, "1 cell here, 2 columns", 2),
    table("comma at line ends.csv", HEAD + b"a,b,\n", 2, "3 cells", 0),
    table("quote not closed.csv", HEAD + b'a,"b\nc,d\ne,f\n', 2, "not closed", 2),
    table("quote not closed last.csv", HEAD + b'a,b\na,"b', 3, "not closed", 1),
    table("quote inside quotes.csv", HEAD + b'a,"say "hi" now"\nc,d\n', 2, "closed before", 1),
    table("words after quotes.csv", HEAD + b'a,"b"c\nc,d\n', 2, "closed before", 1),
    table("column twice.csv", b"a,a\n1,2\n", 1, "2 times", 1),
    table("column three times.csv", b"a,b,a,a\n1,2,3,4\n", 1, "3 times", 1),
    table("column without name.csv", b"a,,c\n1,2,3\n", 1, "no name", 1),
    table("index of pandas.csv", b",a,b\n0,1,2\n", 1, "no name", 1),
    table("only names.csv", HEAD, 1, "no rows", 0),
    table("semicolons.csv", b"instruction;output\na;b\n", 1, "separated by ';'", 0),
    table("tabs.csv", b"instruction\toutput\na\tb\n", 1, "separated by '\\t'", 0),
    table("commas.tsv", HEAD + b"a,b\n", 1, "separated by ','", 0),
    table("bad UTF-8.csv", HEAD + b"a,\xff\nc,d\n", 2, "not UTF-8 text: byte 0xff", 1),
    table("NUL.csv", HEAD + b"a,b\x00c\nc,d\n", 2, "NUL byte", 1),
    table("old Mac.csv", b"a,b\r1,2\r", 1, "carriage returns", 0),
    table("ragged.tsv", b"a\tb\n1\n1\t2\n", 2, "1 cell here, 2 columns", 1),
    table("cell over the limit.csv", HEAD + b'a,"' + b"x" * 17_000_000 + b'"\n', 2, "quote", 0),
]

PACKED = [
    Case("gzip cut off.jsonl.gz", GZ[:-30], 0, "gzip data is cut off"),
    Case("gzip without its end.jsonl.gz", GZ[:-8], 0, "gzip data is cut off"),
    Case("gzip cut early.jsonl.gz", GZ[:30], 1, "gzip data is cut off"),
    Case("gzip of one byte.jsonl.gz", GZ[:3], 1, "gzip data is cut off"),
    Case("gzip with more after.jsonl.gz", GZ + b"more", 5001, "follows the gzip data", 5000),
    Case("gzip wrong checksum.jsonl.gz", GZ[:-8] + b"\1\2\3\4" + GZ[-4:], 0, "damaged"),
    Case("gzip damaged.jsonl.gz", GZ[:9000] + b"\xff" * 99 + GZ[9099:], 0, "damaged"),
    Case("gzip of zip.jsonl.gz", gzip.compress(zipped()), 1, "zip archive"),
    Case("gzip array cut off.json.gz", gzip.compress(array_of(HEX))[:-60], 0, "data is cut off"),
    Case("gzip table cut off.csv.gz", gzip.compress(b"a\n" + HEX)[:-40], 0, "cut off"),
    Case("zstd cut off.jsonl.zst", ZST[:-30], 0, "zstd data is cut off"),
    Case("zstd cut early.jsonl.zst", ZST[:9], 1, "zstd data is cut off"),
    Case("zstd with more after.jsonl.zst", ZST + b"more", 5001, "zstd data is", 5000),
    Case("zstd damaged.jsonl.zst", ZST[:200] + b"\xff" * 99 + ZST[299:], 0, "zstd data is"),
    Case("plain text.jsonl.gz", GOOD, 1, "not compressed"),
    Case("plain text.jsonl.zst", GOOD, 1, "not compressed"),
    Case("gzip named.jsonl.zst", GZ, 1, "the file is gzip"),
]

FOREIGN = [
    Case("zip.jsonl", zipped(), 1, "zip archive"),
    Case("spreadsheet.csv", zipped(), 1, "spreadsheet"),
    Case("old spreadsheet.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 1, "Office"),
    Case("bzip2.jsonl", bz2.compress(GOOD), 1, "bzip2"),
    Case("xz.jsonl", lzma.compress(GOOD), 1, "xz"),
    Case("sqlite.json", b"SQLite format 3\0" + b"\0" * 80, 1, "SQLite"),
    Case("picture.jsonl", b"\x89PNG\r\n\x1a\n" + b"\0" * 20, 1, "picture"),
    Case("document.csv", b"%PDF-1.7\n%\xe2\xe3", 1, "PDF"),
    Case("pickle.jsonl", b"\x80\x04\x95\x0b\0\0\0\0\0\0\0", 1, "pickle"),
    Case("numpy.csv", b"\x93NUMPY\x01\0v\0", 1, "NumPy"),
    Case("page.jsonl", b"<!DOCTYPE html>\n<html>", 1, "web page"),
    Case("feed.csv", b'<?xml version="1.0"?>', 1, "XML"),
    Case("pointer.jsonl", b"version https://git-lfs.github.com/spec/v1\n", 1, "Git LFS"),
    Case("text named.parquet", GOOD.replace(b"{", b"x"), 1, "no Parquet file"),
]
CASES = [*LINES, *ARRAYS, *TABLES, *PACKED, *FOREIGN]
