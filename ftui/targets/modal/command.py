"""Modal's own command line, run as a person would type it, with each of its lines told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

from ftui.errors import TargetUnavailable

_SAID_LINES = 12
"""So many of the last lines of a command that failed are told."""
_LONGEST_LINE = 2**20
"""Bytes. A longer one is passed over."""
_PLAIN = {"PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1", "COLUMNS": "200"}
_FRAME = " \r\n│╭╮╰╯─"


async def modal(
    *arguments: str,
    folder: Path,
    failed: str,
    tell: Callable[[str], None] | None = None,
    variables: Mapping[str, str] | None = None,
) -> None:
    """Run `modal …` in a folder, with more variables. It ends when this is cancelled or killed.

    Raises TargetUnavailable, with `failed` as what, and OSError.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ftui.targets.modal.held", *arguments),
        cwd=folder,
        env={**os.environ, **_PLAIN, **(variables or {})},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=_LONGEST_LINE,
    )
    assert process.stdout is not None
    said: list[str] = []
    try:
        async for line in _lines(process.stdout):
            words = line.decode(errors="replace").strip(_FRAME)
            if words:
                said.append(words)
                if tell is not None:
                    tell(words)
        code = await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
    if code:
        raise TargetUnavailable(
            failed,
            where=str(folder),
            why=" ".join(said[-_SAID_LINES:]),
            hint=f"try it by hand: modal {' '.join(arguments)}",
        )


async def _lines(said: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while True:
        try:
            line = await said.readline()
        except ValueError:  # it was longer than the limit, and is gone
            continue
        if not line:
            return
        yield line
