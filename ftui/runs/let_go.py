"""For a process that ftui starts beside itself to end something after it, whatever ends ftui.

ftui holds the write end of its standard input. When that pipe ends, because ftui is done or was
killed in whatever way, ftui has let go.
"""

from __future__ import annotations

import os
import signal


def heed_no_signal() -> None:
    """Treat a signal as the end of the pipe: a guard must never end before what it guards."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda *_: os.dup2(os.open(os.devnull, os.O_RDONLY), 0))


def until_let_go() -> None:
    """Wait for the end of standard input."""
    heed_no_signal()
    while os.read(0, 1024):
        pass
