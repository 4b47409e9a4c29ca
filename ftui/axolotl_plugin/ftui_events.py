"""Writes what happens in a training to a file, one JSON object a line, for ftui to read.

An axolotl plugin: `plugins: [ftui_events.FtuiEvents]` in the config and this file's folder on
PYTHONPATH. It needs nothing of ftui. The file is $FTUI_EVENTS, or events.jsonl in the working
directory; it is only ever appended to. Training never fails because of it.

When a file named `stop` comes to lie beside it, the training saves a checkpoint after the step at
hand, and then its weights, and ends: `touch stop`.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import resource
import signal
import sys
import threading
import time
from typing import Any

from axolotl.integrations.base import BasePlugin
from transformers import TrainerCallback

_VERSION = 1
_STEP_SECONDS = 0.5
"""Steps closer together than this share one `step` event."""
_EVALUATING_SECONDS = 5.0
"""So often an evaluation gives a sign of life."""
_OTHER_LOSSES = ("rl", "reward_model", "process_reward_model", "kd_trainer", "diffusion")
"""Trainings whose loss is not that of the next token, and can be anything."""
_RSS = "memory/rss (GiB)"
_PR_SET_PDEATHSIG = 1


class FtuiEvents(BasePlugin):  # type: ignore[misc]  # axolotl has no types
    """What axolotl loads."""

    def __init__(self) -> None:
        super().__init__()
        path = os.environ.get("FTUI_EVENTS") or "events.jsonl"
        self._events = Writer(path)
        self._stop = os.path.join(os.path.dirname(path), "stop")  # noqa: PTH118, PTH120
        end_helpers_with_trainer()

    def add_callbacks_pre_trainer(self, cfg: Any, model: Any) -> list[Any]:
        """Called once, before the trainer is made."""
        vocabulary = 0 if any(cfg.get(key) for key in _OTHER_LOSSES) else _vocabulary(model)
        return [EventCallback(self._events, vocabulary), StopCallback(self._stop)]

    def post_train_unload(self, cfg: Any) -> None:
        """Called when the final weights are saved."""
        if os.environ.get("RANK", "0") == "0":
            self._events.write("saved")


def end_helpers_with_trainer() -> None:
    """Let what the trainer forks, such as the processes that read its data, end when it ends.

    Where it is killed they would stay behind for good (torch 2.13). The system ends them with the
    thread that forked them (PR_SET_PDEATHSIG), so only those of the first one are meant.
    """
    if not sys.platform.startswith("linux"):
        return
    libc, trainer = ctypes.CDLL(None), os.getpid()
    first = [False]

    def before() -> None:
        first[0] = threading.current_thread() is threading.main_thread() and os.getpid() == trainer

    def in_child() -> None:
        if first[0]:
            libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
            if os.getppid() != trainer:  # it was killed before this one could ask for that
                os.kill(os.getpid(), signal.SIGKILL)

    os.register_at_fork(before=before, after_in_child=in_child)


class EventCallback(TrainerCallback):  # type: ignore[misc]  # transformers may have no types
    """Turns the trainer's callbacks into events, in the first process only."""

    def __init__(self, events: Writer, vocabulary: int = 0) -> None:
        self._events = events
        self._vocabulary = vocabulary
        self._last_step = self._last_evaluating = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Everything is loaded; the first step comes next."""
        self._write(
            state,
            "train_begin",
            {
                "output_dir": args.output_dir,
                "num_train_epochs": state.num_train_epochs,
                "world_size": args.world_size,
                "logging_steps": args.logging_steps,
                "eval_steps": args.eval_steps,
                "save_steps": args.save_steps,
                "warmup_steps": args.get_warmup_steps(state.max_steps),
                "vocabulary": self._vocabulary,
            },
        )

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """An optimizer step is done."""
        now = time.monotonic()
        last = state.global_step >= state.max_steps
        pauses = control.should_evaluate or control.should_save
        if now - self._last_step >= _STEP_SECONDS or last or pauses:
            self._last_step = now
            self._write(state, "step", {})
        self._announce(state, control)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """All rows were seen once more."""
        self._announce(state, control)

    def on_prediction_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A batch of an evaluation is done."""
        now = time.monotonic()
        if now - self._last_evaluating >= _EVALUATING_SECONDS:
            self._last_evaluating = now
            self._write(state, "evaluating", {})

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """An evaluation is done; a checkpoint may be saved next."""
        self._announce(state, control)

    def _announce(self, state: Any, control: Any) -> None:
        """What the trainer does next takes its time, and is no step."""
        if control.should_evaluate:
            self._last_evaluating = time.monotonic()
            self._write(state, "evaluating", {})
        elif control.should_save:
            self._write(state, "saving", {})

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """Metrics of training, or of an evaluation."""
        values = dict(logs or {})
        values.pop("epoch", None)
        if any(name.startswith("eval_") for name in values):
            self._write(state, "eval", values)
            return
        if not any(value for name, value in values.items() if name.startswith("memory/")):
            values[_RSS] = _peak_rss_gib()  # no GPU
        self._write(state, "log", values)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A checkpoint is on the disk."""
        path = os.path.join(args.output_dir, f"checkpoint-{state.global_step}")  # noqa: PTH118
        self._write(state, "save", {"path": path})

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The last step is done; the final weights are saved next."""
        self._write(state, "train_end", {})

    def _write(self, state: Any, kind: str, values: dict[str, Any]) -> None:
        if state.is_world_process_zero:
            self._events.write(
                kind,
                step=state.global_step,
                max_steps=state.max_steps,
                epoch=_plain(state.epoch),
                values={name: _plain(value) for name, value in values.items()},
            )


class StopCallback(TrainerCallback):  # type: ignore[misc]  # transformers may have no types
    """Ends the training when a file is there, with a checkpoint that it can be resumed from.

    A signal could not: the launcher of several processes gives each a session of its own, and
    axolotl saves only the weights then. All processes must do it at the same step, so the first
    one looks and tells the others, as axolotl's own dynamic_checkpoint does.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """An optimizer step is done."""
        asked = state.is_world_process_zero and os.path.exists(self._path)  # noqa: PTH110
        if _told_by_the_first(asked, args):
            control.should_save = True
            control.should_training_stop = True
        return control


def _told_by_the_first(asked: bool, args: Any) -> bool:
    """What the first process says, in every process."""
    if args.world_size <= 1:
        return asked
    import torch

    said = torch.tensor(int(asked), device=args.device)
    torch.distributed.broadcast(said, src=0)
    return bool(said.item())


def _vocabulary(model: Any) -> int:
    """How many tokens the model chooses from; 0 where it does not say."""
    config: Any = getattr(model, "config", None)
    if hasattr(config, "get_text_config"):  # a model that sees images keeps its words apart
        config = config.get_text_config()
    return getattr(config, "vocab_size", None) or 0


class Writer:
    """Appends whole lines to a file that others read while it grows."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._handle = -1
        self._torn = False
        self._warned = False

    def write(self, kind: str, **fields: Any) -> None:
        """Append one event. A failure is told once on standard error, and forgotten."""
        event = {"v": _VERSION, "ts": round(time.time(), 3), "event": kind, **fields}
        line = json.dumps(event, allow_nan=False).encode() + b"\n"
        try:
            if self._handle < 0:
                self._open()
            line = b"\n" + line if self._torn else line
            self._torn = os.write(self._handle, line) < len(line)
        except OSError as error:
            self._torn = True
            if not self._warned:
                self._warned = True
                print(f"ftui_events: {self._path}: {error.strerror}", file=sys.stderr)  # noqa: T201

    def _open(self) -> None:
        """Open the file; a line that an earlier process left unfinished is ended first."""
        self._handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        size = os.fstat(self._handle).st_size
        self._torn = size > 0 and os.pread(self._handle, 1, size - 1) != b"\n"


def _plain(value: Any) -> Any:
    """A value that JSON can hold: a tensor's number; "nan", "inf", "-inf"; else the text of it."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, (int, float, str, type(None))) else str(value)


def _peak_rss_gib() -> float:
    """The most memory this process has held so far (Linux counts in KiB, macOS in bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**30 if sys.platform == "darwin" else 2**20), 2)
