"""Ends one service on dstack, come what may: `python -m ftui.targets.dstack.serve.guard FILE LOCK`.

ftui starts this beside itself and holds the write end of its standard input. When that pipe ends,
because ftui is done or was killed in whatever way, the service in the record FILE is ended on
dstack, verified, and forgotten. LOCK is the record's handle (record.py). Why that failed is
told on standard output, and the record stays, for the next ftui that serves there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path

from ftui.errors import FtuiError
from ftui.runs.let_go import until_let_go
from ftui.targets.dstack.api import Unreachable
from ftui.targets.dstack.serve import end, record
from ftui.targets.remote.patience import patiently


def main(file: str, lock: str) -> int:
    """Wait for the end of standard input, then end the service; 0 when it has ended."""
    until_let_go()
    service = record.read(int(lock))
    try:
        if service is not None:
            words = asyncio.run(patiently(lambda: end.end(service), (Unreachable,)))
            with contextlib.suppress(OSError):  # the run's folder may be gone
                end.note(Path(service.log), words)
            record.forget_endpoint(service)
    except FtuiError as error:
        with contextlib.suppress(OSError):  # whoever would hear it may be gone
            os.write(1, str(error).encode())
        return 1
    Path(file).unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
