"""Runs inside axolotl: an axolotl plugin that writes what a trainer really did to $NOTES."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from axolotl.integrations.base import BasePlugin
from transformers import TrainerCallback


class Notes(BasePlugin):  # type: ignore[misc]  # axolotl has no types
    """What axolotl loads."""

    def add_callbacks_post_trainer(self, cfg: Any, trainer: Any) -> list[Any]:
        """Called once, when the trainer is made."""
        return [Note(len(trainer.train_dataset))]


class Note(TrainerCallback):  # type: ignore[misc]  # transformers may have no types
    """Counts evaluations and checkpoints, and writes everything down at the end."""

    def __init__(self, rows: int) -> None:
        self._noted: dict[str, Any] = {"rows": rows, "evals": 0, "checkpoints": 0}

    def on_train_begin(self, args: Any, state: Any, control: Any, **words: Any) -> None:
        """Everything is loaded; the first step comes next."""
        self._noted["max_steps"] = state.max_steps
        self._noted["warmup_steps"] = args.get_warmup_steps(state.max_steps)
        self._noted["batches_per_epoch"] = len(words["train_dataloader"])

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """An evaluation is done."""
        self._noted["evals"] += 1

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A checkpoint is on the disk."""
        self._noted["checkpoints"] += 1

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The last step is done."""
        self._noted["steps"] = state.global_step
        self._noted["epochs"] = state.epoch
        self._noted["checkpoints_kept"] = len(list(Path(args.output_dir).glob("checkpoint-*")))
        Path(os.environ["NOTES"]).write_text(json.dumps(self._noted), encoding="utf-8")
