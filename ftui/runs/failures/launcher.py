"""Failures between the processes of a run, and what launchers say about their children."""

from __future__ import annotations

from ftui.runs.failures.cause import Cause
from ftui.runs.failures.signature import Signature

_ROOT = r"Root Cause \(first observed failure\):\n(?:.*\n){4}\s*exitcode +: "
"""torchrun's summary, up to the exit code of the process that failed first."""

SIGNATURES = (
    Signature(
        name="nccl-timeout",
        cause=Cause.CRASHED,
        pattern=(
            r"Watchdog caught collective operation timeout: WorkNCCL\(.*?OpType=(?P<kind>\w+).*?"
            r"ran for (?P<ms>\d+) milliseconds before timing out"
        ),
        what="the GPUs waited for each other in vain (NCCL timeout in {kind} after {ms} ms)",
        why="one process stood still: it died, loads slowly, or got more rows than the others",
        hint="look for another process's error above; slow data: a larger ddp_timeout, in seconds",
        echo=True,
    ),
    Signature(
        name="nccl-error",
        cause=Cause.CRASHED,
        pattern=r"DistBackendError: NCCL error in: .*?, (?P<error>[\w ]+) \(run with NCCL_DEBUG",
        what="the GPUs cannot talk to each other (NCCL: {error})",
        why="NCCL moves data between GPUs: over NVLink, PCIe, /dev/shm or the network",
        hint="start again with NCCL_DEBUG=INFO to see why; try NCCL_P2P_DISABLE=1",
        echo=True,
    ),
    Signature(
        name="port-in-use",
        cause=Cause.CRASHED,
        pattern=r"port: (?P<port>\d+), .*EADDRINUSE|errno: 98 - Address already in use",
        what="the port on which the processes meet is taken (EADDRINUSE)",
        why="another training runs on this machine, or an earlier one left a process behind",
        hint="end that one, or start with another port: --main_process_port 0 takes a free one",
    ),
    Signature(
        name="lost-peer",
        cause=Cause.CRASHED,
        pattern=r"Connection (?:closed by peer|reset by peer)|Broken pipe",
        what="one process of the run lost another one (connection closed)",
        why="the other one ended first, without a word in the log",
        hint="see what is left of memory while it trains: free -h, nvidia-smi",
        echo=True,
    ),
    Signature(
        name="process-killed",
        cause=Cause.KILLED,
        pattern=_ROOT + r"-9 |failed \(exitcode: -9\)",
        what="one process of the run was killed (signal 9); nothing says by whom",
        why="the system does that when memory is used up, a person or a job scheduler may, too",
        hint="see how much memory is left while it trains: free -h",
        echo=True,
    ),
    Signature(
        name="process-told-to-end",
        cause=Cause.KILLED,
        pattern=_ROOT + r"-15 |failed \(exitcode: -15\)",
        what="the run's processes were told to end (signal 15, SIGTERM)",
        why="a job scheduler or a cloud does so before it takes the machine away (preemption)",
        hint="start again; what the newest checkpoint holds is kept",
        echo=True,
    ),
    Signature(
        name="process-crashed",
        cause=Cause.CRASHED,
        pattern=_ROOT + r"-(?:11|6|7) |failed \(exitcode: -(?:11|6|7)\)",
        what="one process of the run crashed without a Python error (segmentation fault or abort)",
        why="that happens in compiled code: a package that does not fit its PyTorch, or the driver",
        hint="make the train runtime anew: ftui setup train",
        echo=True,
    ),
)
