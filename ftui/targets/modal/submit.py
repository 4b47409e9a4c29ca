"""From a run folder to a call on Modal: what is written, checked, deployed, uploaded, spawned."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftui import paths
from ftui.config.edit_text import rewrite
from ftui.errors import ConfigError, RunNotFound, TargetUnavailable
from ftui.plan.yaml_source import YamlProblem, mapping
from ftui.runs.model import Run, RunRecord
from ftui.runs.store import read_record, write_record
from ftui.targets.judge import judge
from ftui.targets.modal import app, gpu, inputs, options
from ftui.targets.modal.api import STOPS, Api
from ftui.targets.modal.command import modal
from ftui.targets.modal.rates import Rates
from ftui.targets.remote.inputs import FOLDER, bring

_SCRIPT = """\
#!/bin/sh
# Trains this run on Modal, without ftui.
set -eu
cd -- "$(dirname -- "$0")"
exec modal run --detach {file} "$@"
"""


@dataclass(frozen=True)
class Wish:
    """A run as it is asked of Modal."""

    values: app.Values
    config: Mapping[str, Any]
    dollars: float
    """Of an hour."""
    words: str
    """For people: `1 × L40S · $2.27/h (…); at most 12 h ($27.20 at $2.27/h), …`."""


@dataclass(frozen=True)
class Secrets:
    """Where the run's secrets come from: named ones of the workspace, and some sent along."""

    named: tuple[str, ...] = ()
    sent: tuple[str, ...] = ()
    """Variables of this process's environment, for this run alone."""


def wish_for(
    run: Run, gpu_memory_gib: float, config: Mapping[str, Any], rates: Rates = gpu.LISTED
) -> Wish:
    """What a run asks for. Raises UsageError for GPUs that Modal has not, RunNotFound."""
    record = read_record(run)
    asked = options.read(record.extra)
    name = asked.gpu or gpu.cheapest(gpu_memory_gib).name
    an_hour = gpu.dollars(name, record.gpus, rates)
    values = app.Values(
        place=app.place_of(run),
        gpu=gpu.request(name, record.gpus),
        gpus=record.gpus,
        retries=asked.retries,
        max_hours=asked.hours(an_hour),
    )
    machine, limits = gpu.words(name, record.gpus, rates), asked.limits(an_hour)
    return Wish(values, config, an_hour, f"{machine}; at most {limits}")


def write_files(
    run: Run, gpu_memory_gib: float, secrets: tuple[str, ...] = (), rates: Rates = gpu.LISTED
) -> Wish:
    """Write modal_app.py, train.sh and inputs/, with the config's paths seen from the folder.

    Raises ConfigError, UsageError, RunNotFound, OSError.
    """
    text = paths.read_config(run.config_file)
    try:
        packed = bring(mapping(text).data, run.folder)
        paths.write_atomic(run.config_file, rewrite(text, packed))
    except YamlProblem as problem:
        where = f"{run.config_file}:{problem.line}"
        raise ConfigError(problem.message, where=where) from problem
    wish = wish_for(run, gpu_memory_gib, packed, rates)
    wish = dataclasses.replace(wish, values=dataclasses.replace(wish.values, secrets=secrets))
    paths.write_atomic(run.folder / app.FILE, app.text(wish.values))
    paths.write_atomic(run.script_file, _SCRIPT.format(file=app.FILE), mode=0o755)
    return wish


def refuse_invalid(run: Run, wish: Wish) -> None:
    """Raises ConfigError for a config that axolotl would refuse: no GPU is paid for that."""
    name = wish.values.gpu.partition(":")[0]
    gpus = (gpu.find(name).gpu,) * wish.values.gpus if name else ()
    with contextlib.chdir(run.folder):  # what comes along is named as seen from there
        issues = judge(paths.read_config(run.config_file), gpus)
    wrong = [one for one in issues if one.severity == "error"]
    if wrong:
        first = wrong[0]
        where = f"{run.config_file}:{first.line}" if first.line else str(run.config_file)
        raise ConfigError(f"{first.path}: {first.message}", where=where, hint=first.hint)


async def find_secrets(api: Api, config: Mapping[str, Any]) -> Secrets:
    """Where each secret that the run may need comes from.

    The environment goes first, then the workspace. Raises TargetUnavailable when there is none
    without which the run fails.
    """
    named, sent = [], []
    for variable, name, needed in _wanted(config):
        if os.environ.get(variable):
            sent.append(variable)
        elif await api.has_secret(name):
            named.append(name)
        elif needed:
            raise TargetUnavailable(
                f"the Modal workspace has no secret {name!r}, which the run needs as {variable}",
                hint=f"modal secret create {name} {variable}=…, or export {variable} for this run",
            )
    return Secrets(tuple(named), tuple(sent))


def _wanted(config: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    """By variable: what the secret is called on Modal, and whether the run fails without it."""
    found = [("HF_TOKEN", "huggingface", False)] if inputs.asks_hub(config) else []
    if config.get("wandb_project") and config.get("use_wandb") is not False:
        found.append(("WANDB_API_KEY", "wandb", True))
    return found


async def deploy(run: Run, tell: Callable[[str], None]) -> None:
    """Put modal_app.py in place with Modal's own command line, each of its lines told.

    Building the image takes minutes the first time. Raises TargetUnavailable, OSError.
    """
    failed = f"{app.FILE} could not be deployed"
    await modal("deploy", app.FILE, folder=run.folder, failed=failed, tell=tell)


async def upload(api: Api, run: Run, checkpoint: str = "") -> None:
    """Put the run on the volume, and what an earlier launch left there away.

    Of checkpoints only the given one, which is seen from the run folder. Raises TargetUnavailable,
    OSError.
    """
    place = app.place_of(run)
    for left in ("out", "feed", "sums", "status.json", "results.json"):
        await api.remove(f"/{place}/{left}")
    await api.remove(f"/{place}", STOPS)
    folders = [run.folder / FOLDER, *([run.folder / checkpoint] if checkpoint else [])]
    sent = [run.config_file, run.folder / "ftui_events.py", run.folder / app.FILE]
    sent += [file for folder in folders for file in sorted(folder.rglob("*")) if file.is_file()]
    for file in sent:
        if not file.is_file():
            raise RunNotFound(f"{file.name} is missing", where=str(run.folder))
    await api.upload([(file, f"/{place}/{_inside(file, run)}") for file in sent])


def _inside(file: Path, run: Run) -> str:
    return file.relative_to(run.folder).as_posix()


def remembered(record: RunRecord) -> Mapping[str, Any]:
    """What run.json knows of the run on Modal: `{"app", "call"}`, or nothing."""
    kept = record.extra.get(options.KEY) if isinstance(record.extra, dict) else None
    return kept if isinstance(kept, dict) and "app" in kept else {}


def remember(run: Run, known: Mapping[str, Any]) -> None:
    """Keep something in run.json beside what is there. Raises RunNotFound, OSError."""
    record = read_record(run)
    kept = {**record.extra.get(options.KEY, {}), **known}
    write_record(run, dataclasses.replace(record, extra={**record.extra, options.KEY: kept}))
