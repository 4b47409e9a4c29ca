"""From a plan to a run folder that is complete or not there at all."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftui import axolotl_plugin
from ftui.config.build import build
from ftui.config.needs import needs
from ftui.config.text import config_text as text_of
from ftui.errors import ConfigError, TargetUnavailable
from ftui.plan.plan import Plan
from ftui.plan.yaml_source import YamlProblem, mapping
from ftui.runs import store
from ftui.runs.model import Run, RunRecord
from ftui.targets import script
from ftui.targets.base import Target

_PLUGIN = "ftui_events.py"


def prepare(plan: Plan, target: Target, config_text: str | None = None) -> Run:
    """Write the folder of a new run: config.yml, train.sh, ftui_events.py, run.json.

    `config_text` is the config as the person edited it, kept as it is; without it, the plan's own.
    Starts nothing. Raises UsageError for a reference that names nothing, ConfigError for a text
    that is no config or that ftui could not follow, TargetUnavailable when the folder cannot be
    written; nothing half-made is left then.
    """
    hardware = target.hardware()
    made: list[Path] = []
    try:
        config = build(plan) if config_text is None else _followed(config_text)
        run = store.create(plan.preset.name)
        made.append(run.folder)
        draft = Run(run.folder.with_name(f".{run.name}"))
        made.append(draft.folder)
        draft.folder.mkdir()
        draft.config_file.write_text(config_text or text_of(plan), encoding="utf-8")
        _write_script(draft, script.render(target.command(plan), config, plan.gpus, hardware))
        shutil.copyfile(Path(axolotl_plugin.__path__[0]) / _PLUGIN, draft.folder / _PLUGIN)
        store.write_record(draft, _record(run.name, plan, target, config))
        draft.folder.rename(run.folder)  # over the empty folder that reserved the name
    except BaseException as error:
        for folder in made:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise _cannot_write(error) from error
        raise
    return run


def _write_script(run: Run, text: str) -> None:
    run.script_file.write_text(text, encoding="utf-8")
    run.script_file.chmod(0o755)


def _record(name: str, plan: Plan, target: Target, config: Mapping[str, Any]) -> RunRecord:
    return RunRecord(
        name=name,
        preset=plan.preset.name,
        title=plan.preset.title,
        target=target.name,
        created=time.time(),
        settings=config,
        gpus=plan.gpus,
        command=target.command(plan),
    )


def _followed(text: str) -> Mapping[str, Any]:
    """The config in a text. Raises ConfigError when it lacks what ftui needs to follow the run."""
    try:
        config: Mapping[str, Any] = mapping(text).data
    except YamlProblem as problem:
        raise ConfigError(problem.message, where=f"config.yml:{problem.line}") from problem
    lacking = next(iter(needs(text)), None)
    if lacking:
        raise ConfigError(lacking.message, where=lacking.path, hint=lacking.hint)
    return config


def _cannot_write(error: OSError) -> TargetUnavailable:
    return TargetUnavailable(
        "the run folder cannot be written",
        where=str(error.filename or ""),
        why=(error.strerror or str(error)).lower(),
        hint="make room or mend the folder, or set FTUI_HOME to another one",
    )
