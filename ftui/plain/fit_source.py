"""What `ftui fit` is asked about: a preset, a config file, or a run and what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftui.errors import ConfigError, FtuiError, PresetError, RunNotFound
from ftui.plan.plan import Needs, Plan, Preset
from ftui.runs.peak_memory import Peak, peak_memory


@dataclass(frozen=True)
class Source:
    """Settings, how many GPUs they are meant for, and the memory of a run that had them."""

    settings: Mapping[str, Any]
    gpus: int
    folder: Path
    """Where a relative base model is looked for."""
    measured: Peak | None = None
    machines: int = 1
    """So many train together, with so many GPUs each."""

    def plan(self, target: str, gpus: int, machines: int = 1) -> Plan:
        """What would be trained there, with so many GPUs of each machine."""
        needs = Needs(gpus=gpus, machines=machines)
        preset = Preset("", "", "", needs, self.settings, self.folder / "config.yml")
        return Plan(preset, self.settings, target, gpus)


def read_source(named: str) -> Source:
    """Raises ConfigError, and PresetError or UsageError for a name that nothing has."""
    path = Path(named)
    if path.exists() or path.name != named or path.suffix in (".yml", ".yaml"):
        return _config(path)
    from ftui.plan.presets import find

    try:
        preset = find(named)
    except PresetError:
        run = _run(named)
        if run is None:
            raise
        return run
    needs, folder = preset.needs, preset.path.parent
    return Source(preset.settings, needs.gpus, folder, machines=needs.machines)


def _config(path: Path) -> Source:
    from ftui.config.lint import check
    from ftui.paths import read_config
    from ftui.plan.own_config import open_config

    own = open_config(path)
    for issue in check(read_config(path), folder=Path.cwd()):
        if issue.severity == "error":
            where = ":".join(part for part in (str(path), str(issue.line), issue.path) if part)
            raise ConfigError(issue.message, where=where, hint=f"ftui check {path} tells all")
    return Source(own.settings, own.needs.gpus, Path.cwd())


def _run(named: str) -> Source | None:
    from ftui.runs import store
    from ftui.runs.tail import read_history

    try:
        run = store.find(named)
    except RunNotFound:
        return None
    record = store.read_record(run)
    try:
        measured = peak_memory(read_history(run))
    except OSError as error:
        raise FtuiError(f"the run {run.name} cannot be read", why=str(error)) from error
    return Source(record.settings, record.gpus, run.folder, measured, record.machines)
