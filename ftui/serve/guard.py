"""Keeps one vLLM server and never leaves it behind: `python -m ftui.serve.guard RECORD COMMAND…`.

ftui starts this beside itself and holds the write end of its standard input. When that pipe ends,
because ftui is done or was killed in whatever way, or when the server ends by itself, everything
that the server started is gone before this process ends. It returns the server's exit code.

vLLM alone cannot be trusted to stop: SIGTERM is swallowed while it starts and while a client holds
a stream open, and killing its first process leaves the others running (vllm#55510). All of them
stay in its process group, though, so SIGTERM is a courtesy and SIGKILL to the group the rule.
"""

from __future__ import annotations

import getpass
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ftui.runs import process
from ftui.runs.let_go import heed_no_signal
from ftui.serve import records

GRACE_SECONDS = 4.0
"""How long vLLM may take to end by itself; it needs 0.3 to 0.7 s when it does."""
GONE_SECONDS = 10.0
"""How long killed processes may take to be gone; they give back gigabytes first."""
_POLL_SECONDS = 0.1


def main(arguments: list[str]) -> int:
    """Keep the server that the arguments name. Returns its exit code as a shell would."""
    record_file, *command = arguments
    heed_no_signal()
    inductor = Path(tempfile.gettempdir()) / f"torchinductor_{getpass.getuser()}"
    with tempfile.TemporaryDirectory(prefix="ftui-vllm-", ignore_cleanup_errors=True) as scratch:
        # vLLM leaves a file in its temporary folder at each stop, so it gets one of its own; what
        # torch compiles is worth keeping and stays where torch itself would put it.
        environment = {"TORCHINDUCTOR_CACHE_DIR": str(inductor), **os.environ, "TMPDIR": scratch}
        return keep(command, environment, Path(record_file))


def keep(command: list[str], environment: dict[str, str], record_file: Path) -> int:
    """Start the server, wait for its end or that of standard input, leave nothing running."""
    server = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, start_new_session=True, env=environment
    )
    try:
        records.write(record_file, server.pid, Path(environment["TMPDIR"]))
        while not _ended(server.pid) and not _stdin_ended():
            pass
    finally:
        stop(server)
        record_file.unlink(missing_ok=True)
    code = server.returncode
    return code if code >= 0 else 128 - code  # a negative one is the signal that ended it


def stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and its whole process group; returns when they are gone."""
    if not _ended(server.pid):
        server.terminate()
        _wait(lambda: _ended(server.pid), GRACE_SECONDS)
    # The first process is not reaped yet, so the group's number cannot be another's.
    process.signal_group(server.pid, signal.SIGKILL)
    server.wait()
    _wait(lambda: not process.group(server.pid), GONE_SECONDS)


def _ended(pid: int) -> bool:
    """Whether our child has ended; it stays a zombie, so that its pid stays its own."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _stdin_ended() -> bool:
    """Whether ftui closed its end of the pipe or is gone; waits a moment for that."""
    readable, _, _ = select.select([0], [], [], _POLL_SECONDS)
    return bool(readable) and not os.read(0, 1024)


def _wait(done: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        time.sleep(_POLL_SECONDS / 2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
