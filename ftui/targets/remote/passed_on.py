"""What is noted once the other side was told of a stop."""

from __future__ import annotations

import contextlib
import os

from ftui.runs import events
from ftui.runs.model import Run

INTERRUPTED, OVER = "interrupted", "over"
"""What became of it, where nobody saves for it: see History.stop_became."""


def note(run: Run, became: str = "") -> None:
    """Note it in the run's events. From now on, whoever asks again is impatient. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):  # nobody has asked yet
        os.utime(run.stop_file)
    events.append(run.events_file, "stop_passed_on", **({"became": became} if became else {}))
