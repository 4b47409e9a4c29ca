"""A change of a config, shown before it is written, and the question whether to write it."""

from __future__ import annotations

import os
import sys

from ftui.errors import UsageError
from ftui.text import printable


def show_diff(old: str, new: str, name: str) -> None:
    """The change as a unified diff; in colour on a terminal only."""
    import difflib

    import click

    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    colours = {"+": "green", "-": "red", "@": "cyan"} if coloured else {}
    before, after = old.splitlines(), new.splitlines()
    for line in difflib.unified_diff(before, after, name, f"{name} (mended)", lineterm=""):
        words = printable(line)
        colour = colours.get(line[:1]) if not line.startswith(("+++", "---")) else None
        click.echo(click.style(words, fg=colour) if colour else words)


def agreed(question: str = "Write it?") -> bool:
    """Ask at the terminal. Raises UsageError when there is none."""
    import click

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "nothing was written: there is no terminal to ask at", hint="add -y to write it"
        )
    return click.confirm(question, default=False, err=True)
