"""Bringing the results home: the output folder of a container, verified file by file.

The job waits when training ends. Over ssh its sums are asked for (sha256), then everything comes
as one tar stream into a folder of its own, and goes into `out` only when every sum is right.
Checkpoints stay behind when training came to its end; after a stop the newest one comes along, so
that the run can go on.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from pathlib import Path
from typing import IO

from ftui.runs.model import Run
from ftui.targets.dstack.job_script import FETCHED
from ftui.targets.dstack.shell import Shell, ShellFailed

_LIST_SECONDS = 600.0
"""Sums of some GiB take minutes on a slow disk."""
_NEWEST = "ls -d out/checkpoint-* 2>/dev/null | sort -t- -k2 -n | tail -n 1"
_DRAFT = "out.part"


def fetch(shell: Shell, run: Run, *, with_checkpoint: bool) -> int:
    """Bring the results into the run's `out`; how many files came, each verified.

    Then the container may end. Raises ShellFailed when a file is missing or wrong, and OSError.
    """
    listed = _listing(shell.run(_NEWEST).strip() if with_checkpoint else "")
    sums = _sums(shell.run(f"{listed} | xargs -0 -r sha256sum", seconds=_LIST_SECONDS))
    if not sums:
        raise ShellFailed("there are no results")
    draft = run.folder / _DRAFT
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    with shell.reading(f"{listed} | tar cf - --null -T -") as stream:
        _unpack(stream, draft)
    _verify(draft, sums)
    _move(draft / "out", run.output_dir)
    shutil.rmtree(draft)
    return len(sums)


def let_go(shell: Shell) -> None:
    """Tell the job that its results are here. Raises ShellFailed."""
    shell.run(f"touch {FETCHED}")


def _listing(checkpoint: str) -> str:
    """The command that names every file to bring, each ended by a zero byte."""
    also = f"; find {checkpoint} -type f -print0" if checkpoint else ""
    return f"{{ find out -type f ! -path 'out/checkpoint-*' -print0{also}; }}"


def _sums(listing: str) -> dict[str, str]:
    """By file, seen from the working directory: its sha256, as `sha256sum` prints it."""
    lines = (line.partition("  ") for line in listing.splitlines())
    return {name: digest for digest, _, name in lines}


def _unpack(stream: IO[bytes], target: Path) -> None:
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        tar.extractall(target, filter="data")


def _verify(folder: Path, sums: dict[str, str]) -> None:
    for name, digest in sums.items():
        file = folder / name
        if not file.is_file():
            raise ShellFailed(f"{name} did not arrive")
        with file.open("rb") as opened:
            if hashlib.file_digest(opened, "sha256").hexdigest() != digest:
                raise ShellFailed(f"{name} arrived damaged: its checksum differs")


def _move(source: Path, target: Path) -> None:
    """Put every file in its place; each one is the old or the new, never half."""
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        place = target / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, place)  # noqa: PTH105 - the same as Path.replace
