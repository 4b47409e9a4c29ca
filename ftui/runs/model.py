"""What a run is: its states, its record (run.json) and the names of the files in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class RunState(StrEnum):
    """Where a run stands. Every state has a glyph and a word."""

    CREATED = "created"
    STARTING = "starting"
    TRAINING = "training"
    STOPPING = "stopping"
    DONE = "done"
    STOPPED = "stopped"
    NUMBERS_LOST = "numbers lost"
    """It came to its end or was stopped, and what it has learnt is worth nothing (numbers.py)."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def glyph(self) -> str:
        """One character that tells the state without colour."""
        return _GLYPHS[self]

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        going = (self.CREATED, self.STARTING, self.TRAINING, self.STOPPING)
        return self not in going

    @property
    def resumable(self) -> bool:
        """Whether there is something left to train."""
        return self is self.CREATED or (self.ended and self is not self.DONE)

    @property
    def worth_talking(self) -> bool:
        """Whether its weights, where it left some, have learnt something."""
        return self.ended and self is not self.NUMBERS_LOST


_GLYPHS: Mapping[RunState, str] = {
    RunState.CREATED: "◌",
    RunState.STARTING: "◌",
    RunState.TRAINING: "●",
    RunState.STOPPING: "●",
    RunState.DONE: "✓",
    RunState.STOPPED: "▲",
    RunState.NUMBERS_LOST: "∅",
    RunState.FAILED: "✗",
    RunState.INTERRUPTED: "✗",
}


@dataclass(frozen=True)
class ProcessId:
    """A process that cannot be mistaken: a recycled pid has another start time.

    `started` is in seconds: since boot on Linux, since the epoch elsewhere (process.py). `boot`
    tells one start of the machine from another, where the system has a name for it.
    """

    pid: int
    started: float
    boot: str = ""


@dataclass(frozen=True)
class RunRecord:
    """run.json: what was asked for, and the processes that do it."""

    name: str
    preset: str
    title: str
    target: str
    created: float
    settings: Mapping[str, Any]
    gpus: int = 0
    machines: int = 1
    """So many train together, with so many GPUs each."""
    command: tuple[str, ...] = ()
    trainer: ProcessId | None = None
    supervisor: ProcessId | None = None
    launched: float = 0.0
    """When its newest try was started, seconds since the epoch; 0 = never, or by an older ftui."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def begun(self) -> float:
        """When its newest try was started; until there is one, when it was made."""
        return self.launched or self.created

    @property
    def is_elsewhere(self) -> bool:
        """Whether it trains on another machine: then its follower here stands for its trainer."""
        return self.trainer is not None and self.trainer == self.supervisor


@dataclass(frozen=True)
class Run:
    """A run's folder and the names in it. Makes no promise that any of the files exists."""

    folder: Path

    @property
    def name(self) -> str:
        """The run's name is its folder's name."""
        return self.folder.name

    @property
    def record_file(self) -> Path:
        """run.json: the record."""
        return self.folder / "run.json"

    @property
    def config_file(self) -> Path:
        """config.yml: the axolotl config, as a person could have written it."""
        return self.folder / "config.yml"

    @property
    def script_file(self) -> Path:
        """train.sh: the exact command, runnable without ftui."""
        return self.folder / "train.sh"

    @property
    def events_file(self) -> Path:
        """events.jsonl: append-only, one JSON object a line."""
        return self.folder / "events.jsonl"

    @property
    def log_file(self) -> Path:
        """train.log: everything the trainer printed."""
        return self.folder / "train.log"

    @property
    def stop_file(self) -> Path:
        """stop: is there once somebody asked the run to stop; ftui_events.py looks for it."""
        return self.folder / "stop"

    @property
    def lock_file(self) -> Path:
        """lock: held by who works with the run, so that nobody launches it twice (lock.py)."""
        return self.folder / "lock"

    @property
    def turn_file(self) -> Path:
        """turn: held for the moment in which somebody launches, stops or cleans up the run."""
        return self.folder / "turn"

    @property
    def prepared_dir(self) -> Path:
        """prepared/: axolotl's dataset_prepared_path, the tokenized rows."""
        return self.folder / "prepared"

    @property
    def output_dir(self) -> Path:
        """out/: axolotl's output_dir, where the adapter lands."""
        return self.folder / "out"
