"""A quiet stage for wizard, review and set-up: nothing is started, nothing is installed."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

from textual.app import App
from textual.screen import Screen

from ftui.config.issue import Issue
from ftui.config.text import config_text
from ftui.data.tokens import Tokens
from ftui.paths import user_presets_dir
from ftui.plan.hardware import Gpu, Hardware
from ftui.plan.models import known_models
from ftui.plan.plan import Plan, Preset
from ftui.plan.presets import load
from ftui.plan.step import TargetChoice, World
from ftui.runs.model import Run
from ftui.runtimes import Kind
from ftui.runtimes.progress import Progress
from ftui.targets.base import Problem
from ftui.tui.app import FtuiApp, Opening
from ftui.tui.services import Facts, Services, Told
from tests.fixtures.tokens import GOOD

MACHINE = Hardware(cores=2, memory_gib=24.0)

PRESETS = {
    "small-lora": """
title: A small adapter
for: tests
needs: {text: two CPU cores}
axolotl:
  base_model: Qwen/Qwen3-0.6B
  chat_template: qwen3
  datasets: [{path: acme/questions, type: chat_template}]
  adapter: lora
  lora_r: 16
  lora_alpha: 32
  lora_dropout: 0.05
  lora_target_linear: true
  sequence_len: 512
  micro_batch_size: 4
  num_epochs: 1
  learning_rate: 0.0002
""",
    "large-qlora": """
title: A large model in 4 bits
for: tests
needs: {gpus: 1, gpu_memory_gib: 24}
axolotl:
  base_model: meta-llama/Llama-3.1-8B
  datasets: [{path: acme/questions, type: alpaca}]
  adapter: qlora
  load_in_4bit: true
  lora_r: 32
  lora_alpha: 16
  lora_target_linear: true
  sequence_len: 1024
  micro_batch_size: 1
  num_epochs: 1
  learning_rate: 0.0001
""",
}


class QuietValidator:
    """An axolotl that has nothing against any config."""

    async def validate(self, config_text: str, gpus: Sequence[Gpu] | None) -> list[Issue]:
        return []


@contextlib.asynccontextmanager
async def quiet_validator() -> AsyncIterator[QuietValidator]:
    yield QuietValidator()


_MODELS = 15


def world() -> World:
    """Two presets and the smallest known models on two cores: a walk by keys to each takes time."""
    here = TargetChoice("local", "This machine", MACHINE.words)
    return World(
        MACHINE, tuple(preset(name) for name in PRESETS), known_models()[:_MODELS], (here,)
    )


def preset(name: str) -> Preset:
    """One of PRESETS, as a preset of the person's own."""
    path = user_presets_dir() / f"{name}.yml"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PRESETS[name])
    return load(path)


def no_editor(app: App[Any], path: Path) -> None:
    raise AssertionError("this test opens no editor")


def facts(plan: Plan) -> Facts:
    """The real config of the plan on the stage's machine."""
    return Facts(
        config=config_text(plan),
        command=("python", "-m", "axolotl.cli.train", "config.yml"),
        problems=[Problem("needs a GPU", "try another preset")] if plan.gpus else [],
        place="This machine",
        hardware=MACHINE,
    )


async def count(config: str, gpus: Sequence[Gpu] | None, on_progress: Told, *, show: int) -> Tokens:
    """What axolotl makes of a good dataset."""
    on_progress({"phase": "tokenizing", "done": 600, "total": 1204})
    return GOOD


@dataclass
class Stage:
    """Services that note what they are asked to do."""

    folder: Path
    missing: list[Kind] = field(default_factory=list)
    prepared: list[tuple[Plan, str]] = field(default_factory=list)
    launched: list[Run] = field(default_factory=list)
    install: Callable[[Kind, Callable[[Progress], None], Event], None] | None = None

    def services(self, **replaced: Any) -> Services:
        """All of them; `replaced` ones by name."""
        own = Services(
            survey=world,
            facts=facts,
            validator=quiet_validator,
            count=count,
            edit=no_editor,
            missing=lambda plan: dict.fromkeys(self.missing, 2.5),
            install=self._install,
            prepare=self._prepare,
            launch=lambda plan, run: self.launched.append(run),
        )
        return replace(own, **replaced)

    def _install(self, kind: Kind, on_progress: Callable[[Progress], None], cancel: Event) -> None:
        if self.install is not None:
            self.install(kind, on_progress, cancel)
        self.missing.remove(kind)

    def _prepare(self, plan: Plan, config_text: str) -> Run:
        self.prepared.append((plan, config_text))
        return Run(self.folder / "small-lora-1123-amber")


class StageApp(FtuiApp):
    """The app with a blank screen in place of the monitor."""

    def __init__(self, opening: Opening, services: Services) -> None:
        super().__init__(opening, services=services)
        self.watching: list[tuple[str, bool]] = []
        """The name of each run that was opened, and whether its chat follows."""

    def _monitor(self, run: Run, *, then_chat: bool = False) -> Screen[Any]:
        self.watching.append((run.name, then_chat))
        return Screen()
