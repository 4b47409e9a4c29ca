"""The terminal as Textual drives it, made to notice that it was closed.

A closed terminal mostly sends SIGHUP, but not to a program in another session, as under a service
manager, a container runtime or a browser's terminal. Then Textual's input thread reads nothing
for ever at full speed, its output thread dies of the first write, and thirty writes later the app
waits for it and hears no signal any more (Textual 8.2).
"""

from __future__ import annotations

import asyncio
import select
import threading
from collections.abc import Callable
from typing import IO, Any, cast

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from ftui.errors import ExitCode

_LOOK_SECONDS = 1.0


class Terminal(LinuxDriver):
    """Ends the app in order once its terminal is gone."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        self._gone = threading.Event()
        self._file = cast(Any, _Output(cast(IO[str], self._file), self._gone))
        self._next_look: asyncio.TimerHandle | None = None

    def start_application_mode(self) -> None:
        """Take the terminal over, and look now and then whether it is still there."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._look()

    def stop_application_mode(self) -> None:
        """Give the terminal back."""
        if self._next_look is not None:
            self._next_look.cancel()
        super().stop_application_mode()

    def _look(self) -> None:
        if self._gone.is_set() or _hung_up(self.fileno):
            self._app.exit(ExitCode.INTERRUPTED)
            return
        loop = asyncio.get_running_loop()
        self._next_look = loop.call_later(_LOOK_SECONDS, self._look)


class _Output:
    """A file that is written to, as far as anybody is there to read it."""

    def __init__(self, file: IO[str], gone: threading.Event) -> None:
        self._file = file
        self._gone = gone

    def write(self, text: str) -> None:
        """Write, or note that nobody reads any more."""
        self._try(lambda: self._file.write(text))

    def flush(self) -> None:
        """Flush, likewise."""
        self._try(self._file.flush)

    def fileno(self) -> int:
        """The handle of the file."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """Whether the file is a terminal."""
        return self._file.isatty()

    def _try(self, action: Callable[[], object]) -> None:
        if not self._gone.is_set():
            try:
                action()
            except (OSError, ValueError):  # ValueError: the file is closed
                self._gone.set()


def _hung_up(handle: int) -> bool:
    """Whether the other end of a terminal is closed, where the system tells so."""
    poll = select.poll()
    poll.register(handle, 0)
    return any(events & select.POLLHUP for _, events in poll.poll(0))
