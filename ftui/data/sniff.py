"""What a file holds, told from its first bytes; from its name only where those leave it open."""

from __future__ import annotations

import re
from pathlib import PurePath

from ftui.data.layout import Layout
from ftui.data.row import Broken

_PACKED = (".gz", ".zst")
_NAMES = {
    ".csv": Layout.CSV,
    ".tsv": Layout.TSV,
    ".parquet": Layout.PARQUET,
    ".arrow": Layout.ARROW,
    ".feather": Layout.ARROW,
}
_JSON_START = re.compile(rb"(?:\[\s*(?:[\[{\"\]]|$)|\{\s*(?:[\"'}]|$))")
_BINARY = (
    (b"PAR1", Layout.PARQUET),
    (b"ARROW1\0\0", Layout.ARROW),
    (b"\xff\xff\xff\xff", Layout.ARROW),  # the stream format, without the magic of a file
)
_UNPACK = "Unpack it first."
_PAGE = (b"<!doctype", b"<html", b"<?xml")
_FOREIGN = (
    (b"PK\x03\x04", "a zip archive or a spreadsheet", "Unpack it, or save the sheet as CSV."),
    (b"\xd0\xcf\x11\xe0", "an Office document", "Save the sheet as CSV."),
    (b"BZh91AY&SY", "packed with bzip2", _UNPACK),
    (b"\xfd7zXZ\0", "packed with xz", _UNPACK),
    (b"7z\xbc\xaf", "a 7z archive", _UNPACK),
    (b"Rar!", "a RAR archive", _UNPACK),
    (b"\x04\x22\x4d\x18", "packed with lz4", _UNPACK),
    (b"SQLite format 3\0", "an SQLite database", "Export the table as CSV."),
    (b"\x89HDF", "an HDF5 file", "Convert it to Parquet or JSONL."),
    (b"FEA1", "a Feather file of version 1", "Write it as Parquet."),
    (b"%PDF-", "a PDF", "Copy its text into rows of JSONL."),
    (b"\x80\x04\x95", "a Python pickle", "Write its rows as JSONL."),
    (b"\x80\x05\x95", "a Python pickle", "Write its rows as JSONL."),
    (b"\x93NUMPY", "a NumPy array", "Write its rows as JSONL."),
    (b"\x89PNG", "a picture", "Name a file of rows."),
    (b"\xff\xd8\xff", "a picture", "Name a file of rows."),
    (b"\x7fELF", "a program", "Name a file of rows."),
    (b"version https://git-lfs", "a pointer of Git LFS, not the data", "Run `git lfs pull`."),
)


def sniff(head: bytes, name: str) -> Layout:
    """The layout of a file that begins with `head`, unpacked.

    Raises Broken for what no rows can be read from: an archive, a picture, UTF-16.
    """
    for magic, layout in _BINARY:
        if head.startswith(magic):
            return layout
    for magic, what, hint in _FOREIGN:
        if head.startswith(magic):
            raise Broken(f"this is {what}", hint)
    _check_encoding(head)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start[:16].lower().startswith(_PAGE):
        raise Broken(
            "this is a web page or XML", "Download the file itself, not the page about it."
        )
    named = layout_of_name(name)
    if start[:1] in (b"[", b"{") and (named is None or _JSON_START.match(start)):
        return Layout.JSON if start.startswith(b"[") else Layout.JSONL
    if named in (Layout.PARQUET, Layout.ARROW):
        raise Broken(f"this is no {named} file, though its name says so", "Write it again.")
    return named or Layout.JSONL


def layout_of_name(name: str) -> Layout | None:
    """The layout that a name promises; None where it leaves that open."""
    return _NAMES.get(suffix_of(name))


def suffix_of(name: str) -> str:
    """The last suffix in small letters, but for .gz and .zst: `.csv` of `ROWS.CSV.GZ`."""
    path = PurePath(name.lower())
    return path.with_suffix("").suffix if path.suffix in _PACKED else path.suffix


def _check_encoding(head: bytes) -> None:
    for bits, marks in ((32, (b"\xff\xfe\0\0", b"\0\0\xfe\xff")), (16, (b"\xff\xfe", b"\xfe\xff"))):
        if head.startswith(marks):
            raise _not_utf8(bits)
    pairs = head[:64]
    if len(pairs) > 3 and (not any(pairs[1::2]) or not any(pairs[::2])) and any(pairs):
        raise _not_utf8(16)


def _not_utf8(bits: int) -> Broken:
    return Broken(
        f"this is UTF-{bits} text, not UTF-8",
        f"Save the file as UTF-8: `iconv -f UTF-{bits} -t UTF-8 FILE > NEW`.",
    )
