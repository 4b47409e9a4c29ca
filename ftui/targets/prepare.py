"""From a plan to a run folder that is complete or not there at all."""

from __future__ import annotations

import shutil
import time
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from ftui import axolotl_plugin, paths
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
_DRAFT = "."
"""Before the name of a run that is being written: it is none yet."""
_DRAFT_SECONDS = 3600.0


def prepare(plan: Plan, target: Target, config_text: str | None = None) -> Run:
    """Write the folder of a new run: config.yml, train.sh, ftui_events.py, run.json.

    `config_text` is the config as the person edited it, kept as it is; without it, the plan's own.
    Starts nothing. Raises UsageError for a reference that names nothing, ConfigError for a text
    that is no config or that ftui could not follow, TargetUnavailable when the folder cannot be
    written; nothing half-made is left then.
    """
    hardware = target.hardware(plan)
    made: list[Path] = []
    try:
        config = build(plan) if config_text is None else _followed(config_text)
        remove_left()
        run = store.create(plan.preset.name)
        made.append(run.folder)
        draft = Run(run.folder.with_name(f"{_DRAFT}{run.name}"))
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


def remove_left() -> None:
    """Remove the drafts of a ftui that was killed, and the names that they had reserved.

    A draft is older than an hour, holds nothing but what `prepare` writes, and lies beside the
    empty folder of its name: whatever else is hidden there is somebody's own. Raises OSError.
    """
    folder = paths.runs_dir()
    drafts = folder.glob(f"{_DRAFT}*") if folder.is_dir() else ()
    for draft in drafts:
        reserved = draft.with_name(draft.name.removeprefix(_DRAFT))
        if _is_left(draft, reserved):
            shutil.rmtree(draft)
            reserved.rmdir()


def _is_left(draft: Path, reserved: Path) -> bool:
    run = Run(draft)
    ours = {run.config_file.name, run.script_file.name, run.record_file.name, _PLUGIN}
    try:
        old = time.time() - draft.lstat().st_mtime > _DRAFT_SECONDS
        empty = not any(reserved.iterdir())
        return old and empty and all(_is_ours(path, ours) for path in draft.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return False


def _is_ours(path: Path, ours: Container[str]) -> bool:
    """Whether it is one of those files, or one that was being written in their place."""
    return path.is_file() and (path.name in ours or path.name.startswith(".run.json."))


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
        machines=plan.machines,
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
