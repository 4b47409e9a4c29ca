"""Where ftui keeps things. Nothing is created on import; callers make what they write.

FTUI_HOME, when set, holds everything; otherwise platformdirs decides.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO

from ftui.errors import ConfigError

VOLUME = Path("/volume")
"""Where a machine that is rented mounts a volume of data which are not on this one."""
LARGEST_CONFIG = 2**20
"""Bytes. The largest published axolotl config has under 10,000."""


def home() -> Path:
    """The folder for runs, runtimes and the unpacked demo."""
    named = os.environ.get("FTUI_HOME")
    if named:
        return Path(named).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("ftui", appauthor=False))


def runs_dir() -> Path:
    """One folder a run."""
    return home() / "runs"


def runtimes_dir() -> Path:
    """One uv-made environment a runtime."""
    return home() / "runtimes"


def servers_dir() -> Path:
    """One record a vLLM server that was started and not yet seen to end."""
    return home() / "servers"


def log_file() -> Path:
    """ftui's own log, named in every unexpected error."""
    return home() / "ftui.log"


def user_presets_dir() -> Path:
    """The person's own presets, which win over built-in ones of the same name."""
    if os.environ.get("FTUI_HOME"):
        return home() / "presets"
    import platformdirs

    return Path(platformdirs.user_config_dir("ftui", appauthor=False)) / "presets"


def builtin_presets_dir() -> Path:
    """The presets that ship with ftui: inside the wheel, or beside the package in a checkout."""
    package = Path(__file__).resolve().parent
    shipped = package / "_presets"
    return shipped if shipped.is_dir() else package.parent / "presets"


def existing(text: str, *beside: Path) -> Path | None:
    """The file or folder that a person names: `~`, absolute, or relative to here or to `beside`.

    An absolute path; None when there is no such thing.
    """
    for base in (Path.cwd(), *beside):
        with contextlib.suppress(OSError, RuntimeError):  # a name too long; the ~ of nobody
            path = base / Path(text).expanduser()
            if path.exists():
                return path
    return None


def read_config(path: Path) -> str:
    """The text of a config file, its byte order mark too. Raises ConfigError: no file, too large.

    Only a regular file is read: a pipe or a device may never end.
    """
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f"this is {_kind(path)}, no file", where=str(path))
        size = path.stat().st_size
        if size > LARGEST_CONFIG:
            why = f"it has {size / 2**20:.1f} MiB; the largest read is {LARGEST_CONFIG >> 20} MiB"
            raise ConfigError("this is too large to be a config", where=str(path), why=why)
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError("this config is not UTF-8 text", where=str(path)) from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            "this config cannot be read", where=str(path), why=why.lower(), hint="check the path"
        ) from error


def _kind(path: Path) -> str:
    return "a folder" if path.is_dir() else "a pipe" if path.is_fifo() else "a device"


def is_on_volume(text: str | Path) -> bool:
    """Whether a path is below VOLUME on the machine that trains, and nothing on this one."""
    return Path(text).is_relative_to(VOLUME) and not os.path.exists(text)  # noqa: PTH110 - no error


def write_back(path: Path, text: str, *, known: str) -> None:
    """Put `text` in place of `known` in a person's config; its mode and a link to it stay.

    Raises ConfigError when the file holds something else by now, or cannot be written; it is
    then as it was.
    """
    if read_config(path) != known:
        raise ConfigError(
            "not written: the file was changed meanwhile",
            where=str(path),
            hint="open it again, or make the change by hand",
        )
    file = path.resolve()
    try:
        write_atomic(file, text, mode=file.stat().st_mode & 0o7777)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ConfigError("the file cannot be written", where=str(path), why=why) from error


def write_atomic(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write `text` to `path` so that a reader sees the old file or the new one, never half.

    Raises OSError (disk full, no permission); the old file is then untouched.
    """
    with _replacing(path, mode) as file:
        file.write(text.encode())


def write_lines(path: Path, lines: Iterable[bytes]) -> int:
    """Write lines, line ends included, in the same way; how many there were.

    Where there are none, nothing is written. Raises OSError as write_atomic does.
    """
    count, rest = 0, iter(lines)
    first = next(rest, None)
    if first is None:
        return 0
    with _replacing(path, 0o644) as file:
        for line in chain((first,), rest):
            file.write(line)
            count += 1
    return count


@contextlib.contextmanager
def _replacing(path: Path, mode: int) -> Iterator[IO[bytes]]:
    """A file that takes the place of the one at `path` once it is whole and on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
