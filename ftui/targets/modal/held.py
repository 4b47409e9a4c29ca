"""Modal's command line for as long as ftui is there: `python -m … deploy …`.

ftui holds the write end of its standard input. When that pipe ends, because ftui was killed in
whatever way, this ends at once: what it would still have put in place, no guard would see.
"""

from __future__ import annotations

import os
import runpy
import signal
import threading


def main() -> None:
    """Be `python -m modal`, with an empty standard input."""
    held = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    threading.Thread(target=_end_with, args=(held,), daemon=True).start()
    runpy.run_module("modal", run_name="__main__", alter_sys=True)


def _end_with(held: int) -> None:
    while os.read(held, 1024):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
