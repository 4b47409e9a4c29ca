"""The person's own editor: beside the app where there is room, else in place of it.

The text is edited in a file of its own, which the review follows: what is saved is what it shows.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported

from ftui.errors import FtuiError, UsageError

_FALLBACKS = ("nano", "vi", "vim", "emacs")
_WITH_WINDOWS = (
    *("code", "code-insiders", "codium", "cursor", "windsurf", "zed", "subl", "atom", "fleet"),
    *("gvim", "mvim", "gedit", "gnome-text-editor", "kate", "kwrite", "mousepad", "pluma", "xed"),
    *("idea", "pycharm", "mate", "bbedit"),
)
"""Editors that open a window of their own, so that the terminal stays the app's."""
_WIDE, _HIGH = 161, 49
"""Columns and rows from which half of a tmux pane still holds a screen of 80 by 24."""


def edit(app: App[Any], path: Path) -> None:
    """Let the person change the file; returns when the editor has ended or stands beside the app.

    Raises UsageError when there is no editor, FtuiError when it ends badly.
    """
    command = [*_editor(), str(path)]
    if Path(command[0]).name in _WITH_WINDOWS:
        _start_beside(command)
    elif not _split(command, app.size.width, app.size.height):
        _suspend(app, command)


def _start_beside(command: list[str]) -> None:
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise _cannot_open(command, error) from error
    threading.Thread(target=process.wait, daemon=True).start()  # leaves no zombie


def _split(command: list[str], columns: int, rows: int) -> bool:
    """Open the editor in the other half of this tmux window; whether there was one with room."""
    direction = "-h" if columns >= _WIDE else "-v" if rows >= _HIGH else ""
    if not direction or not os.environ.get("TMUX") or not shutil.which("tmux"):
        return False
    split = ["tmux", "split-window", direction, "-c", str(Path.cwd()), shlex.join(command)]
    return subprocess.run(split, capture_output=True, check=False).returncode == 0


def _suspend(app: App[Any], command: list[str]) -> None:
    try:
        with app.suspend():
            code = subprocess.run(command, check=False).returncode
    except (OSError, SuspendNotSupported) as error:
        raise _cannot_open(command, error) from error
    if code != 0:
        raise FtuiError(f"{command[0]} ended with code {code}")


def _cannot_open(command: list[str], error: Exception) -> UsageError:
    return UsageError(f"{command[0]} could not be opened", why=str(error))


def _editor() -> list[str]:
    """$VISUAL, $EDITOR, or the first common editor that is there. Raises UsageError."""
    for variable in ("VISUAL", "EDITOR"):
        named = os.environ.get(variable, "")
        try:
            words = shlex.split(named)
        except ValueError as error:
            raise UsageError(
                f"{variable} is no command: {named}", why=str(error).lower()
            ) from error
        if words:
            return words
    found = next((name for name in _FALLBACKS if shutil.which(name)), None)
    if found is None:
        raise UsageError("there is no editor", hint="set EDITOR, for example: export EDITOR=nano")
    return [found]
