"""A run for the monitor to watch, told event by event, and the app with that one monitor."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from textual.screen import Screen

from ftui import paths
from ftui.errors import TargetUnavailable
from ftui.runs import process, store
from ftui.runs.model import ProcessId, Run, RunRecord
from ftui.runs.resume import Resumption
from ftui.targets.resume import Fix
from ftui.tui.app import FtuiApp, Watch
from ftui.tui.screens.monitor import MonitorScreen

NAME = "nano-sql-lora-1123-amber"
GONE = ProcessId(pid=2**22 - 1, started=1.0)


class Stage(FtuiApp):
    """The app with one monitor; it notes what is stopped, resumed, and which chat is opened."""

    resumed_well = True

    def __init__(self, run: Run, *, then_chat: bool = False) -> None:
        super().__init__(Watch(run))
        self.stopped: list[Run] = []
        self.resumed: list[str] = []
        """The config that each resumed run would have."""
        self.chats: list[Run] = []
        self._asks_chat = then_chat

    def _monitor(self, run: Run, *, then_chat: bool = False) -> Screen[Any]:
        self._watched = run
        return MonitorScreen(
            run, then_chat=self._asks_chat, stop=self.stopped.append, resume=self._resume
        )

    def _resume(self, run: Run, fix: Fix | None, if_still: Resumption | None) -> Resumption:
        if not self.resumed_well:
            raise TargetUnavailable("no room", hint="make some")
        self.resumed.append(fix.after if fix is not None else "as it is")
        return Resumption(None, (), 0)

    def open_chat(self, run: Run, *, anywhere: bool = False, ask: bool = True) -> None:
        self.chats.append(run)

    def exit(self, result: Any = None, return_code: int = 0, message: Any = None) -> None:
        self.said = str(message)
        super().exit(result, return_code, message)


def make_run() -> Run:
    """A run whose trainer lives: it is this process."""
    found = Run(paths.runs_dir() / NAME)
    found.output_dir.mkdir(parents=True)
    trained_by(found, process.identify(os.getpid()))
    return found


def trained_by(run: Run, trainer: ProcessId | None) -> None:
    settings = {"base_model": "builtin:nano", "adapter": "lora", "lora_r": 16, "lora_alpha": 32}
    record = RunRecord(
        name=NAME,
        preset="nano-sql-lora",
        title="",
        target="local",
        created=time.time() - 600,
        settings=settings,
        trainer=trainer,
    )
    store.write_record(run, record)


def tell(run: Run, kind: str, step: int = 0, *, at: float = 0.0, **values: Any) -> None:
    """Append an event as the plugin does."""
    event = {"v": 1, "ts": at, "event": kind, "step": step, "max_steps": 375, "values": values}
    with run.events_file.open("a") as file:
        file.write(json.dumps(event) + "\n")


def say(run: Run, *lines: str) -> None:
    """Append to the log as the trainer does."""
    with run.log_file.open("a") as file:
        file.writelines(line + "\n" for line in lines)


def train(run: Run, steps: int) -> None:
    """A quarter of a second a step, a falling loss, an evaluation at 100, a checkpoint at 150."""
    tell(run, "launched")
    tell(run, "train_begin", at=1000.0)
    for step in range(1, steps + 1):
        at = 1000 + step / 4
        values = {"learning_rate": 2e-3, "grad_norm": 0.61, "tokens/train_per_sec": 8123.0}
        tell(run, "log", step, at=at, loss=2.0 - 1.6 * step / 375, **values)
        if step == 100:
            tell(run, "eval", step, at=at, eval_loss=1.25)
        if step == 150:
            tell(run, "save", step, at=at)
    say(run, *(f"step {step} of the log" for step in range(1, steps + 1)))


def keep(run: Run, step: int) -> Path:
    """A whole checkpoint."""
    folder = run.output_dir / f"checkpoint-{step}"
    folder.mkdir()
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    (folder / "adapter_model.bin").write_text("")
    return folder


def finish(run: Run, code: int = 0, *, weights: bool = True) -> None:
    """The trainer ends."""
    if weights:
        (run.output_dir / "adapter_model.safetensors").write_text("")
        tell(run, "saved", 375, at=1094.0)
    tell(run, "exit", at=1095.0, code=code)
