"""Everything that can tell why a run ended, read once: its events, its log's end, its record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ftui.runs.events import Event
from ftui.runs.failures.log_tail import LogTail, read_tail
from ftui.runs.failures.signature import Trial
from ftui.runs.history import History
from ftui.runs.model import Run
from ftui.runs.tail import EventFollower


@dataclass(frozen=True)
class Story:
    """How the newest try of a run went."""

    run: Run
    events: Sequence[Event]
    trial: Trial

    @cached_property
    def history(self) -> History:
        """All that the events add up to."""
        history = History()
        history.extend(self.events)
        return history

    @cached_property
    def exit(self) -> Event | None:
        """The supervisor's word on how the newest try ended; None when it had no time for one."""
        last = next(
            (one for one in reversed(self.events) if one.kind in ("exit", "launched")), None
        )
        return last if last is not None and last.kind == "exit" else None

    def noted(self, name: str) -> int | None:
        """A number that the supervisor noted in its exit event."""
        value = self.exit.values.get(name) if self.exit else None
        whole = isinstance(value, int) and not isinstance(value, bool)
        return value if whole else None

    @property
    def signal(self) -> int | None:
        """The signal that ended the trainer: a shell or a container says 128 + signal."""
        code = self.noted("code")
        if code is None:
            return None
        return -code if code < 0 else code - 128 if 128 < code < 160 else None

    @cached_property
    def log(self) -> LogTail:
        """The end of what the newest try has printed."""
        begin = 0
        for event in self.events:
            size: Any = event.values.get("log_size") if event.kind == "exit" else None
            if isinstance(size, int) and event is not self.exit:
                begin = size
        return read_tail(self.run.log_file, begin)


def read_story(run: Run) -> Story:
    """What the run's files say by now. Raises OSError."""
    return Story(run, tuple(EventFollower(run).poll()), read_trial(run))


def read_trial(run: Run) -> Trial:
    """What was tried, by the run's record; nothing where that cannot be read.

    Read here and not by store.py, which needs this package.
    """
    try:
        raw = json.loads(run.record_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Trial({})
    if not isinstance(raw, dict):
        return Trial({})
    settings, gpus, trainer = raw.get("settings"), raw.get("gpus"), raw.get("trainer")
    return Trial(
        settings=settings if isinstance(settings, dict) else {},
        gpus=gpus if isinstance(gpus, int) else 0,
        is_elsewhere=trainer is not None and trainer == raw.get("supervisor"),
    )
