"""A dataset file, opened: unpacked, its head to look at, and no line longer than a row may be."""

from __future__ import annotations

import difflib
import errno
import io
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ftui import paths
from ftui.data.row import LARGEST_ROW, Broken
from ftui.data.unpack import unpacked
from ftui.errors import DatasetError
from ftui.text import shorten

_BUFFER = 1 << 17
_NEAR = 1 << 12
_OTHER = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class Source:
    """A context manager around the open file. `reader` holds the text, unpacked.

    Entering raises DatasetError for what cannot be opened, Broken for what cannot be unpacked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        """Open it, and read its head."""
        self.reader: io.BufferedReader[Any]
        file = _open(self.path)
        try:
            inner = unpacked(file, self.path.name)
            self.is_packed = inner is not file
            self._guard = _Guard(inner)
            self.reader = io.BufferedReader(self._guard, _BUFFER)
            self.head = self.reader.peek(_BUFFER)
        except OSError as error:
            file.close()
            raise cannot_read(self.path, error) from error
        except Broken:
            file.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.reader.close()

    def by_line(self) -> io.BufferedReader[Any]:
        """The text, to be read by lines: each has its line end, even the last.

        One with more than LARGEST_ROW bytes is cut off there. Where the file cannot be read any
        further the lines end, the last perhaps without a line end, and `failure` says why.
        """
        self._guard.by_line = True
        return self.reader

    @property
    def failure(self) -> Broken | None:
        """What ended the lines before their time."""
        return self._guard.failure


class _Guard(io.RawIOBase):
    """Hands on what it reads, and in between looks that no line becomes larger than memory."""

    def __init__(self, inner: io.RawIOBase) -> None:
        self._inner = inner
        self._rest = b""
        self._length = 0  # bytes since the last line end
        self._begun = False
        self.by_line = False
        self.failure: Broken | None = None

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """The next bytes. Raises Broken, unless it is read by lines."""
        if self._rest:
            count = min(len(self._rest), len(buffer))
            buffer[:count], self._rest = self._rest[:count], self._rest[count:]
            return count
        if self.failure is not None:
            return 0
        try:
            return self._lines(buffer) if self.by_line else self._measured(buffer)
        except Broken as error:
            if not self.by_line:
                raise
            self.failure = error
            return 0

    def _measured(self, buffer: memoryview) -> int:
        count = self._read(buffer)
        self._length = _after_last_line(buffer[:count], self._length)
        return count

    def _lines(self, buffer: memoryview) -> int:
        """The same; and a line end where a line is too long, or the last has none."""
        if self._length > LARGEST_ROW:
            self._skip_line(buffer)
            self._length = _after_last_line(memoryview(self._rest), 0)
        elif (count := self._measured(buffer)) or not self._length:
            return count
        else:
            self._length = 0
        buffer[0] = 10
        return 1

    def _skip_line(self, buffer: memoryview) -> None:
        """Drop the bytes up to the next line end."""
        end = -1
        while end < 0 and (count := self._read(buffer)):
            end = bytes(buffer[:count]).find(b"\n")
        self._rest = bytes(buffer[end + 1 : count]) if end >= 0 else b""

    def _read(self, buffer: memoryview) -> int:
        try:
            count = self._inner.readinto(buffer) or 0
        except OSError as error:
            if not self._begun:
                raise
            why = (error.strerror or str(error)).lower()
            raise Broken(f"the file cannot be read any further: {why}", "Copy it again.") from error
        self._begun = True
        return count

    def close(self) -> None:
        """Close the file below too."""
        self._inner.close()
        super().close()


def _after_last_line(data: memoryview, before: int) -> int:
    """How many bytes follow the last line end, when `before` bytes came before this data."""
    for part in (data[-_NEAR:], data):  # what is copied for the search is mostly little
        at = bytes(part).rfind(b"\n")
        if at >= 0:
            return len(part) - at - 1
    return before + len(data)


def _open(path: Path) -> io.FileIO:
    """The file, unbuffered. Only a regular file is opened: a pipe or a device may never end."""
    try:
        mode = path.stat().st_mode
        other = next((name for is_other, name in _OTHER if is_other(mode)), None)
        if other is not None:
            hint = "Name a dataset file." if other == "a folder" else "Copy its data into a file."
            raise DatasetError(f"is {other}, not a file", where=str(path), hint=hint)
        return io.FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except FileNotFoundError as error:
        raise missing(path) from error
    except (OSError, ValueError) as error:
        raise cannot_read(path, error) from error


def missing(path: Path) -> DatasetError:
    """The error that says: no such file, with the nearest name there is, or a link to none."""
    if paths.is_on_volume(path):
        return DatasetError(
            "it lies on a volume, and nobody can look at it from here",
            where=str(path),
            hint="say what it is: --set datasets.0.path=PATH --set datasets.0.type=TYPE",
        )
    if path.is_symlink():
        return _led_astray(path)
    try:
        names = [item.name for item in path.parent.iterdir()]
    except OSError:
        names = []
    near = difflib.get_close_matches(path.name, names, n=1)
    hint = f"Did you mean {near[0]}?" if near else "Check the path."
    return DatasetError("there is no such file", where=str(path), hint=hint)


def _led_astray(link: Path) -> DatasetError:
    """The error for a link that leads to no file."""
    target = shorten(str(link.readlink()), 200)
    try:
        link.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            why = f"it leads to {target}, and so to itself"
            return DatasetError(
                "is a link without an end", where=str(link), why=why, hint="Link to a file."
            )
    why = f"there is no {target}"
    return DatasetError("is a link to nothing", where=str(link), why=why, hint="Link to a file.")


def cannot_read(path: Path, error: OSError | ValueError) -> DatasetError:
    """The error that says what the system said, e.g. of a name too long for any file."""
    why = getattr(error, "strerror", None) or str(error)
    hint = "Check the path and its permissions."
    return DatasetError("cannot be read", where=shorten(str(path), 200), why=why.lower(), hint=hint)
