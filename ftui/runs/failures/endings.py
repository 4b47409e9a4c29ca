"""What the supervisor's exit event, the kernel's counts and the processes themselves tell."""

from __future__ import annotations

import signal
from collections.abc import Mapping

from ftui.runs.failures.cause import Cause
from ftui.runs.failures.diagnosis import Diagnosis
from ftui.runs.failures.signature import Signature
from ftui.runs.failures.story import Story
from ftui.runs.failures.table import SIGNATURES
from ftui.text import duration

_GIB = 2**30
_LARGE = 4
"""A process with more than the fourth part of a machine's memory is one the system would choose."""
_FULL = 64 * 2**20
"""Bytes. With less left on a disk, no checkpoint was saved; even a log may not have been."""
_BY_NAME: Mapping[str, Signature] = {signature.name: signature for signature in SIGNATURES}
_SIGNALS: Mapping[int, str] = {
    signal.SIGKILL: "it was killed (signal 9); nothing says by whom",
    signal.SIGTERM: "it was told to end at once (signal 15, SIGTERM)",
    signal.SIGINT: "it was interrupted (signal 2, SIGINT)",
    signal.SIGHUP: "its terminal was closed (signal 1, SIGHUP)",
    signal.SIGSEGV: "it crashed in compiled code (signal 11, segmentation fault)",
    signal.SIGABRT: "it gave up in compiled code (signal 6, abort)",
    signal.SIGBUS: "it lost memory that was promised (signal 7, bus error)",
    signal.SIGXFSZ: "a file grew larger than it may (signal 25, ulimit -f)",
}
_FROM_OUTSIDE: tuple[int, ...] = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def never_began(story: Story) -> Diagnosis | None:
    """The supervisor could not start the trainer, and says why."""
    why = str(story.exit.values.get("why", "")) if story.exit else ""
    return Diagnosis(Cause.CRASHED, what=why) if why else None


def killed_for_memory(story: Story) -> Diagnosis | None:
    """Killed by signal 9, while the kernel counted a process that it killed for lack of memory."""
    if story.signal != signal.SIGKILL:
        return None
    peak, memory = story.noted("peak_rss"), story.noted("memory")
    large = bool(peak and memory and peak * _LARGE > memory)
    if not story.noted("oom_kills") and not (story.noted("machine_oom_kills") and large):
        return None
    of = f" of {memory / _GIB:.0f} GiB" if memory else ""
    held = f"; it held {peak / _GIB:.1f} GiB{of}" if peak else ""
    # Before the first step, it is the data that takes the memory.
    known = _BY_NAME["machine-memory" if story.history.training else "machine-memory-python"]
    change = known.change(story.trial)
    return Diagnosis(
        Cause.MEMORY,
        what=f"the system killed it for lack of memory (OOM killer, signal 9){held}",
        why=known.why,
        hint=known.hint,
        changes=change.settings if change else {},
        reason=change.reason if change else "",
        resumes=change.resumes if change else True,
    )


def disk_full(story: Story) -> Diagnosis | None:
    """Next to nothing was left on the disk: then a log cannot say so itself."""
    free = story.noted("disk_free")
    if free is None or free >= _FULL or story.noted("code") == 0:
        return None
    known = _BY_NAME["disk-full"]
    change = known.change(story.trial)
    return Diagnosis(
        Cause.DISK_FULL,
        what=f"the disk of {story.run.folder} is full: {free / 2**20:.0f} MiB were left",
        why=known.why,
        hint=known.hint,
        changes=change.settings if change else {},
        reason=change.reason if change else "",
    )


def killed(story: Story) -> Diagnosis | None:
    """A signal from outside ended it; who sent it is not told."""
    number = story.signal
    if number not in _FROM_OUTSIDE:
        return None
    kills = story.noted("machine_oom_kills") if number == signal.SIGKILL else 0
    also = f"; the machine killed {kills} of its processes for lack of memory" if kills else ""
    return Diagnosis(
        Cause.KILLED,
        what=_SIGNALS[number] + also,
        why="a person, a job scheduler or the system may do that",
        hint="start again; what the newest checkpoint holds is kept",
    )


def crashed_by_signal(story: Story) -> Diagnosis | None:
    """A signal of its own making ended it: it failed in compiled code."""
    number = story.signal
    if number is None:
        return None
    known = _BY_NAME["process-crashed"]
    what = _SIGNALS.get(number, f"it was ended by signal {number}")
    return Diagnosis(Cause.CRASHED, what=what, why=known.why, hint=known.hint)


def by_exit_code(story: Story) -> Diagnosis | None:
    """It ended by itself, and said nothing that is known."""
    code = story.noted("code")
    if code is None:
        return None
    if code == 0:
        return Diagnosis(Cause.CRASHED, what="it ended without saving any weights")
    return Diagnosis(Cause.CRASHED, what=f"it ended with exit code {code}")


def lost(story: Story) -> Diagnosis:
    """Nobody saw how it ended: its processes are gone, the supervisor's among them."""
    if story.trial.is_elsewhere:
        what = "nobody here follows it any more; it may be at work there still, and cost"
        return Diagnosis(Cause.LOST, what=what, hint="ftui watch takes it up, ftui stop ends it")
    began, last = booted(), story.history.last_time
    hint = "start again; what the newest checkpoint holds is kept"
    if began is None or not last:
        what = "its processes are gone, and nothing says why"
    elif began > last:
        ago = duration(began - last)
        what = f"the machine was restarted (its last sign of life is from {ago} before that)"
    else:
        what = "its processes are gone without a word; the machine was not restarted since"
    return Diagnosis(Cause.LOST, what=what, hint=hint)


def booted() -> float | None:
    """When this machine was started, in seconds since the epoch; None if it does not say."""
    import psutil

    try:
        return psutil.boot_time()
    except (psutil.Error, OSError, RuntimeError):
        return None
