"""Files of a run that cannot be read or written, in words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ftui.errors import TargetUnavailable
from ftui.runs.model import Run

_HINTS = {
    "No space left on device": "make room: old runs and ~/.cache/huggingface are the largest",
    "Permission denied": "see whose it is: ls -l",
    "Read-only file system": "mount it for writing, or set FTUI_HOME to another folder",
}


@contextlib.contextmanager
def told(run: Run) -> Iterator[None]:
    """Raises TargetUnavailable where the system denies something about the run's files."""
    try:
        yield
    except BrokenPipeError:  # not a file of the run: who reads along has left
        raise
    except OSError as error:
        strerror = error.strerror or str(error)
        raise TargetUnavailable(
            "a file of the run cannot be used",
            where=str(error.filename or run.folder),
            why=strerror.lower(),
            hint=_HINTS.get(strerror, ""),
        ) from error
