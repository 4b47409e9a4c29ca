"""What runs take on the disk, and removing what is not needed any more.

Nothing is removed from a run that is at work, and nobody launches it meanwhile (lock.py). What goes
gets another name first and is deleted then, so that half of it never looks like a run, a checkpoint
or prepared rows. Links are removed as links, and no link leads out of the folder.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ftui import paths
from ftui.errors import FtuiError, UsageError
from ftui.runs import checkpoints, endpoints
from ftui.runs.lock import claimed
from ftui.runs.model import Run, RunState
from ftui.runs.store import may_be_at_work, state

_REMOVED = ".removed-"
"""What is on its way out is called so; a removal that was killed is finished by the next one."""
_OLD_TRY = re.compile(r"out\.\d+")
"""Where checkpoints lie that were of no use to a later try (old_try.py)."""
_BLOCK = 512
"""The unit of st_blocks (POSIX)."""


class Level(Enum):
    """How much is removed."""

    LEFTOVERS = "checkpoints and prepared rows"
    EVERYTHING = "the whole run"


@dataclass(frozen=True)
class Usage:
    """Bytes on the disk."""

    weights: int = 0
    checkpoints: int = 0
    prepared: int = 0
    log: int = 0
    other: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.checkpoints + self.prepared + self.log + self.other

    def frees(self, level: Level) -> int:
        """What removing that much gives back."""
        return self.checkpoints + self.prepared if level is Level.LEFTOVERS else self.total


def usage(run: Run) -> Usage:
    """What a run takes; what cannot be looked at counts nothing, and links are not followed."""
    if run.folder.is_symlink():
        return Usage()
    sizes = dict.fromkeys(("weights", "checkpoints", "prepared", "log", "other"), 0)
    for path in _inside(run.folder):
        sizes[_part(run, path)] += _size(path)
    return Usage(**sizes)


def clean(run: Run, level: Level, *, if_still: RunState | None = None) -> int:
    """Remove that much of a run; the bytes that this gave back.

    `if_still`: the state that a person was told of, or in which nothing is lost. Raises UsageError
    when it is in another one, when something of the run is at work, its folder is a link, or, where
    it is to go whole, an endpoint is in place or its end elsewhere was never heard of;
    RunNotFound; OSError, then the rest is removed by the next call.
    """
    if run.folder.is_symlink():
        raise UsageError(
            f"{run.name} is a link to another folder",
            where=str(run.folder),
            hint="remove what it leads to, and the link, by hand",
        )
    with claimed(run):
        _refuse_others(run, if_still)
        freed = usage(run).frees(level)
        if level is Level.EVERYTHING:
            _refuse_served(run)
            _refuse_unheard(run)
            _delete(_renamed(run.folder))
        else:
            for path in [_renamed(path) for path in leftovers(run)]:
                _delete(path)
            for folder in _old_tries(run):
                with contextlib.suppress(OSError):  # its weights stay
                    folder.rmdir()
    return freed


def remove_unstarted(run: Run) -> None:
    """Remove a run that was only written, as far as that goes; one that was started stays."""
    with contextlib.suppress(FtuiError, OSError):
        clean(run, Level.EVERYTHING, if_still=RunState.CREATED)


def size_words(count: int) -> str:
    """Bytes for people: `1.2 GiB`, `340 MiB`, `12 KiB`; `nothing` for none."""
    if not count:
        return "nothing"
    for unit, name in ((2**30, "GiB"), (2**20, "MiB")):
        if count >= 0.95 * unit:
            return (
                f"{count / unit:.1f} {name}" if count < 10 * unit else f"{count / unit:,.0f} {name}"
            )
    return f"{max(round(count / 2**10), 1)} KiB"


def leftovers(run: Run) -> list[Path]:
    """The checkpoints, the prepared rows, and what an earlier removal did not come to."""
    found = [run.prepared_dir] if _is_folder(run.prepared_dir) else []
    for folder in (run.output_dir, *_old_tries(run)):
        if _is_folder(folder):
            found += [path for path in folder.iterdir() if _is_checkpoint(path)]
    return found + [path for path in run.folder.iterdir() if path.name.startswith(_REMOVED)]


def finish_removals() -> None:
    """Delete what is left of whole runs whose removal was killed. Raises OSError."""
    if paths.runs_dir().is_dir():
        for path in paths.runs_dir().iterdir():
            if path.name.startswith(_REMOVED):
                _delete(path)


def _refuse_served(run: Run) -> None:
    """Raises UsageError where the folder holds the only word on an endpoint that was left."""
    if endpoints.known(run):
        raise UsageError(
            f"{run.name} has an endpoint in place",
            hint=f"leave its chat, or end it first: ftui export {run.name} --end",
        )


def _refuse_unheard(run: Run) -> None:
    """Raises UsageError where the folder holds the only word on a run that may cost elsewhere."""
    if may_be_at_work(run):
        raise UsageError(
            f"{run.name} may still be at work elsewhere: nobody has heard of its end",
            hint=f"ftui watch {run.name} follows it again. Where nobody can be asked about it any "
            f"more, remove its folder by hand: {run.folder}",
        )


def _refuse_others(run: Run, wanted: RunState | None) -> None:
    """Raises UsageError where the run came to another state than the one that is wanted."""
    if wanted is None:
        return
    now = state(run)
    if now is not wanted:
        what = f"{run.name} is {now} by now, it was {wanted}"
        raise UsageError(what, hint="look again before anything of it is removed")


def _renamed(path: Path) -> Path:
    """Give it a name that nobody looks at, in the same folder."""
    if path.name.startswith(_REMOVED):
        return path
    return path.rename(path.with_name(f"{_REMOVED}{path.name}-{secrets.token_hex(3)}"))


def _delete(path: Path) -> None:
    """Delete a file, a link or a folder; somebody else may be deleting it too."""
    with contextlib.suppress(FileNotFoundError):
        if _is_folder(path):
            shutil.rmtree(path)  # unlinks the links in it
        else:
            path.unlink()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _old_tries(run: Run) -> list[Path]:
    """Where a fresh start put what was there before."""
    return [path for path in run.folder.iterdir() if _OLD_TRY.fullmatch(path.name)]


def _is_checkpoint(path: Path) -> bool:
    named = checkpoints.NAME.fullmatch(path.name) or path.name.startswith(_REMOVED)
    return bool(named) and _is_folder(path)


def _inside(folder: Path) -> Iterator[Path]:
    """Everything in a folder and below it."""
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(parent, name)


def _size(path: Path) -> int:
    try:
        found = path.lstat()
    except OSError:
        return 0
    return 0 if stat.S_ISLNK(found.st_mode) else found.st_blocks * _BLOCK


def _part(run: Run, path: Path) -> str:
    """What a file of the run belongs to."""
    first, *rest = path.relative_to(run.folder).parts
    if first == run.prepared_dir.name:
        return "prepared"
    if first.startswith(_REMOVED):
        return "checkpoints"
    if (first == run.output_dir.name or _OLD_TRY.fullmatch(first)) and rest:
        named = checkpoints.NAME.fullmatch(rest[0]) or rest[0].startswith(_REMOVED)
        return "checkpoints" if named else "weights"
    return "log" if path == run.log_file else "other"
