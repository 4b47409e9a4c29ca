"""gzip and zstd, unpacked as they are read, with what is wrong with them said in words."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator

from ftui.data.row import Broken

_PIECE = 1 << 11
"""Bytes unpacked at a time. Four bytes of zstd may stand for 128 KiB, so that this makes 64 MiB."""
_BLOCK = 1 << 17
_GZIP = b"\x1f\x8b"
_ZSTD = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")  # a frame, or one to be skipped
_SUFFIXES = {".gz": "gzip", ".zst": "zstd"}
_CUT_OFF = "Copy or download the file again."


def unpacked(file: io.FileIO, name: str) -> io.RawIOBase:
    """The file, or what is packed in it: its first bytes tell.

    Raises Broken when its name promises what it is not: axolotl then trusts the name.
    """
    start = file.read(4) or b""
    file.seek(0)
    found = "gzip" if start.startswith(_GZIP) else "zstd" if _ZSTD.match(start) else ""
    suffix = next((end for end in _SUFFIXES if name.lower().endswith(end)), "")
    if suffix and start and found != _SUFFIXES[suffix]:
        raise Broken(
            f"the name ends in {suffix}, but the file is {found or 'not compressed'}",
            f"Rename it so that its name does not end in {suffix}.",
        )
    if not found:
        return file
    return _Blocks(file, _gunzip(file) if found == "gzip" else _unzstd(file))


class _Blocks(io.RawIOBase):
    """A stream of blocks as a file. What fails is raised after all that came before was read."""

    def __init__(self, file: io.FileIO, blocks: Iterator[bytes]) -> None:
        self._file = file
        self._blocks = blocks
        self._rest = memoryview(b"")
        self._failure: Broken | None = None

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer as far as the blocks go."""
        filled = 0
        while filled < len(buffer) and self._fetch(filled):
            count = min(len(buffer) - filled, len(self._rest))
            buffer[filled : filled + count] = self._rest[:count]
            self._rest = self._rest[count:]
            filled += count
        return filled

    def _fetch(self, filled: int) -> bool:
        """Whether there is more. Raises Broken, but not before `filled` bytes were handed over."""
        if self._rest:
            return True
        if self._failure is None:
            try:
                self._rest = memoryview(next(filter(None, self._blocks), b""))
            except Broken as error:
                self._failure = error
        if self._failure is not None and not filled:
            raise self._failure
        return bool(self._rest)

    def close(self) -> None:
        """Close the packed file too."""
        self._file.close()
        super().close()


def _gunzip(file: io.FileIO) -> Iterator[bytes]:
    """The members of a gzip file one after the other; zeros after them are padding."""
    piece = file.read(_PIECE)
    while piece:
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            if not piece:
                raise Broken("the gzip data is cut off", _CUT_OFF)
            try:
                yield member.decompress(piece, _BLOCK)
            except zlib.error as error:
                why = str(error).rpartition(": ")[2]
                raise Broken(f"the gzip data is damaged ({why})", _CUT_OFF) from error
            if not member.eof:
                piece = member.unconsumed_tail or file.read(_PIECE)
        piece = member.unused_data.lstrip(b"\0")
        while len(piece) < 2 and (more := file.read(_PIECE)):
            piece = (piece + more).lstrip(b"\0")
        if piece and not piece.startswith(_GZIP):
            raise Broken(
                "something that is not gzip follows the gzip data",
                "Unpack it with `gzip -dc FILE > NEW`, and look at its end.",
            )


def _unzstd(file: io.FileIO) -> Iterator[bytes]:
    """The frames of a zstd file one after the other."""
    import zstandard

    piece = file.read(_PIECE)
    while piece:
        frame = zstandard.ZstdDecompressor().decompressobj()
        while not frame.eof:
            if not piece:
                raise Broken("the zstd data is cut off", _CUT_OFF)
            try:
                yield frame.decompress(piece)
            except zstandard.ZstdError as error:
                raise _zstd_failure(error) from error
            piece = frame.unused_data if frame.eof else file.read(_PIECE)
        piece = piece or file.read(_PIECE)


def _zstd_failure(error: Exception) -> Broken:
    why = str(error).removeprefix("zstd decompress").removeprefix("or error: ")
    why = why.removeprefix(" error: ")
    if "memory" in why:
        return Broken(
            "this zstd file needs more than 128 MiB to be unpacked",
            "It was packed with --long: unpack it with `zstd -d --long=31 FILE`.",
        )
    return Broken(f"the zstd data is damaged ({why})", _CUT_OFF)
