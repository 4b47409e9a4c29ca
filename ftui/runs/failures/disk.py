"""Failures of the disk and of what the system lets a process have."""

from __future__ import annotations

from ftui.runs.failures import fixes
from ftui.runs.failures.cause import Cause
from ftui.runs.failures.signature import Signature

SIGNATURES = (
    Signature(
        name="disk-full",
        cause=Cause.DISK_FULL,
        pattern=r"^(?!.*shared memory\(shm\)).*No space left on device",
        what="the disk is full (No space left on device)",
        why=(
            "a checkpoint holds the weights that are trained and twice as much of the optimizer's "
            "state; the newest one may be incomplete"
        ),
        hint="make room first: old runs and ~/.cache/huggingface are the largest",
        fixes=(fixes.one_checkpoint, fixes.checkpoints_without_optimizer),
    ),
    Signature(
        name="disk-quota",
        cause=Cause.DISK_FULL,
        pattern=r"\[Errno 122\]|Disk quota exceeded",
        what="your share of the disk is used up (Disk quota exceeded)",
        why="on shared machines each person may fill only so much of the home folder",
        hint="make room, or set FTUI_HOME and HF_HOME to a folder on another disk",
        fixes=(fixes.one_checkpoint, fixes.checkpoints_without_optimizer),
    ),
    Signature(
        name="file-too-large",
        cause=Cause.DISK_FULL,
        pattern=r"File too large \(os error 27\)|\[Errno 27\] File too large",
        what="a file grew larger than it may (File too large)",
        why="a limit on the size of one file is set for this session (ulimit -f), or by the disk",
        hint="lift it: ulimit -f unlimited; a FAT disk holds no file above 4 GiB",
    ),
    Signature(
        name="read-only-disk",
        cause=Cause.CRASHED,
        pattern=r"\[Errno 30\] Read-only file system(?:: '(?P<path>[^']*)')?",
        what="it may not write to this disk (Read-only file system)",
        why="a disk is mounted for reading only, or the system made it so after an error",
        hint="set FTUI_HOME and HF_HOME to folders on a disk that can be written",
    ),
    Signature(
        name="no-permission",
        cause=Cause.CRASHED,
        pattern=r"^PermissionError: \[Errno 13\] Permission denied: '(?P<path>[^']*)'",
        what="it may not read or write {path} (Permission denied)",
        why="the file or its folder belongs to another user",
        hint="make it yours, or set FTUI_HOME and HF_HOME to folders of your own",
    ),
    Signature(
        name="too-many-files",
        cause=Cause.CRASHED,
        pattern=r"\[Errno 24\] Too many open files",
        what="it has more files open than one process may (Too many open files)",
        why="each part of a dataset and each process that loads batches holds files open",
        hint="raise the limit and start again from the same shell: ulimit -n 65536",
        fixes=(fixes.no_loader_workers, fixes.one_data_process),
    ),
)
