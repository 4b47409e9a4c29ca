"""The file in which a config is edited by hand, and what was last saved there."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ftui.errors import FtuiError


class Draft:
    """A config in a file that an editor may have open; the folder goes with the app."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._seen = b""

    @property
    def path(self) -> Path | None:
        """Where the file is; None as long as nothing was edited."""
        return Path(self._folder.name, "config.yml") if self._folder else None

    def hold(self, text: str) -> Path:
        """The file, holding `text`. Raises FtuiError when it cannot be written."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="ftui-")
        path = Path(self._folder.name, "config.yml")
        self._seen = text.encode()
        try:
            if not path.exists() or path.read_bytes() != self._seen:
                path.write_bytes(self._seen)
        except OSError as error:
            raise FtuiError("the config cannot be edited", why=error.strerror or "") from error
        return path

    def saved(self) -> str | None:
        """The text that was saved since it was last asked for; None when there is nothing new.

        Raises FtuiError, once for each save, when what was saved cannot be read.
        """
        if self.path is None:
            return None
        try:
            data = self.path.read_bytes()
        except OSError:  # an editor that saves by replacing the file: it is back at the next look
            return None
        if not data or data == self._seen:  # empty: an editor is about to write it
            return None
        self._seen = data
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise FtuiError("what was saved is not UTF-8 text", hint="save it as UTF-8") from error

    def close(self) -> None:
        """Remove the file."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
