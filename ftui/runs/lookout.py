"""Looking out for tripwires while a run trains: what a viewer and the supervisor have in common."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

from ftui.runs.history import History
from ftui.runs.model import Run
from ftui.runs.tripwires import Disk, Trip, tripped


class Lookout:
    """Asks again and again whether a run has touched a tripwire."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._silence = _Silence()
        self._measured = (-1, 0)
        """The step of the newest checkpoint, and its size in bytes."""

    def look(self, history: History) -> tuple[Trip, ...]:
        """What is wrong by now. Looks at the disk; never raises OSError."""
        if not history.training:
            return ()
        return tripped(
            history, self._silence.now(history.last_sign or 0.0), disk=self._disk(history)
        )

    def _disk(self, history: History) -> Disk | None:
        """The room for the next checkpoint; None before the first, or where nobody can tell."""
        if not history.checkpoints:
            return None
        step = history.checkpoints[-1].step
        with contextlib.suppress(OSError):
            if step != self._measured[0]:
                self._measured = (step, _size(self._run.output_dir / f"checkpoint-{step}"))
            return Disk(shutil.disk_usage(self._run.folder).free, self._measured[1])
        return None


class _Silence:
    """How long nothing was heard, whatever happens to the machine's clock.

    Only what went by before this viewer came is measured by that clock. It jumps when it is
    corrected, and a laptop that slept did not hold up the training.
    """

    def __init__(self) -> None:
        self._sign: float | None = None
        self._heard = 0.0
        self._before = 0.0

    def now(self, sign: float) -> float:
        """The time by the clock of the events, the newest of which came at `sign`."""
        if sign != self._sign:
            self._before = max(time.time() - sign, 0.0) if self._sign is None else 0.0
            self._sign, self._heard = sign, time.monotonic()
        return sign + self._before + time.monotonic() - self._heard


def _size(folder: Path) -> int:
    """Bytes of everything below a folder. Raises OSError."""
    return sum(
        os.stat(os.path.join(where, name)).st_size  # noqa: PTH116, PTH118 - as os.walk has it
        for where, _, names in os.walk(folder)
        for name in names
    )
