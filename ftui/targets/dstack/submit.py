"""From a run folder to a run on dstack: what is written, checked, uploaded and submitted."""

from __future__ import annotations

import dataclasses
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftui import paths
from ftui.config.edit_text import rewrite
from ftui.errors import ConfigError, UsageError
from ftui.plan.offer import Offer
from ftui.plan.plan import Needs
from ftui.plan.yaml_source import YamlProblem, mapping
from ftui.runs.model import Run, RunRecord
from ftui.runs.store import read_record, write_record
from ftui.targets.dstack import document, hand_in, job_script, options, parcel, preflight, together
from ftui.targets.dstack.api import Api, Foreign, Json, Refused
from ftui.targets.remote.inputs import FOLDER

_MOST_MIB = parcel.TOTAL_BYTES >> 20
_SCRIPT = """\
#!/bin/sh
# Trains this run on dstack, without ftui.
set -eu
cd -- "$(dirname -- "$0")"
exec {command} "$@"
"""


@dataclass(frozen=True)
class Submitted:
    """A run that dstack has taken."""

    name: str
    offer: Offer
    advice: Sequence[str] = ()
    """What may be missing."""
    board: str = ""
    """How to come to its TensorBoard, where it has one."""


def write_files(
    run: Run, needs: Needs, secrets: frozenset[str] = frozenset(), checkpoint: str = ""
) -> document.Wish:
    """Write train.dstack.yml, job.sh and inputs/, with the config's paths seen from the folder.

    Raises ConfigError, RunNotFound, OSError, and UsageError when too much would travel, or for what
    several machines cannot do.
    """
    record = read_record(run)
    asked = options.read(record.extra)
    if asked.nodes > 1:
        config = hand_in.configuration(run.config_file)
        together.refuse(record.gpus, config, checkpoint, volume=asked.volume)
    text = paths.read_config(run.config_file)
    try:
        packed = parcel.pack(mapping(text).data, run.folder, checkpoint)
        paths.write_atomic(run.config_file, rewrite(text, packed.config))
    except YamlProblem as problem:
        where = f"{run.config_file}:{problem.line}"
        raise ConfigError(problem.message, where=where) from problem
    if packed.size > parcel.TOTAL_BYTES:
        raise UsageError(
            f"{packed.size / 2**20:.0f} MiB would travel to dstack",
            where=run.name,
            why=f"its server keeps all of it in its database: {_MOST_MIB} MiB is the most",
            hint=parcel.ELSEWHERE,
        )
    wish = document.Wish(
        name=document.run_name(run.name),
        title=record.title,
        gpus=record.gpus,
        needs=needs,
        options=asked,
        parcel=packed,
        secrets=secrets,
    )
    paths.write_atomic(run.folder / document.DOCUMENT, document.document(wish))
    begins = f"{FOLDER}/{Path(checkpoint).name}" if checkpoint else ""
    paths.write_atomic(run.folder / document.JOB, job_script.script(wish, begins), mode=0o755)
    script = _SCRIPT.format(command=shlex.join(record.command))
    paths.write_atomic(run.script_file, script, mode=0o755)
    return wish


async def submit(api: Api, run: Run, needs: Needs, checkpoint: str = "") -> Submitted:
    """Check everything that can be checked, then hand the run to dstack.

    Raises TargetUnavailable, UsageError, ConfigError, RunNotFound, OSError; nothing runs then.
    """
    advice = await preflight.version_advice(api)
    await preflight.refuse_no_fleet(api)
    asked = options.read(read_record(run).extra)
    if asked.nodes > 1:
        await together.refuse_scattered(api)
    wanted = document.wanted_secrets(hand_in.configuration(run.config_file))
    secrets = await preflight.known_secrets(api, wanted, create=asked.create_secrets)
    preflight.refuse_missing(wanted, secrets.names, api.login.url)
    wish = write_files(run, needs, secrets.names, checkpoint)
    await preflight.refuse_taken(api, wish.name)
    configuration = hand_in.configuration(run.folder / document.DOCUMENT)
    until = round(time.time()) + asked.all_seconds
    configuration["env"] = [*configuration.get("env", ()), f"{job_script.UNTIL}={until}"]
    files = hand_in.travelling(configuration, run.folder)
    spec = {"run_name": wish.name, "configuration": configuration, "file_archives": []}
    request = document.gpu_request(wish.gpus, needs.gpu_memory_gib, wish.options.gpu)
    cap = wish.options.price_cap(wish.gpus)
    offer = preflight.cheapest(await api.plan(spec), request, cap)
    archives = await hand_in.uploaded(api, files)
    plan = await api.plan(spec | {"file_archives": archives})
    preflight.refuse_update(plan, wish.name, api.login.url)
    await _applied(api, run, plan, wish.name)
    board = wish.parcel.config.get("use_tensorboard")
    told = document.tensorboard_words(wish.name) if board else ""
    return Submitted(wish.name, offer, [*advice, *preflight.advice(wanted, secrets)], told)


async def _applied(api: Api, run: Run, plan: Json, name: str) -> None:
    """Hand the run to dstack, and keep in run.json what it is there.

    Raises TargetUnavailable, RunNotFound, OSError.
    """
    before = read_record(run).extra.get(options.KEY, {})
    known = {"project": api.login.project, "url": api.login.url, "name": name}
    remember(run, {**known, "id": ""})  # before: nobody must lose a run that was started
    try:
        taken = await api.apply(plan)
    except Foreign:  # dstack may have taken it behind whatever answers
        raise
    except Refused:
        _keep(run, before)  # a run of that name would be somebody else's
        raise
    remember(run, {**known, "id": taken["id"]})


def remembered(record: RunRecord) -> Mapping[str, Any]:
    """What run.json knows of the run on dstack: `{"project", "url", "name", "id"}`, or nothing."""
    kept = record.extra.get(options.KEY) if isinstance(record.extra, dict) else None
    return kept if isinstance(kept, dict) and "name" in kept else {}


def project_of(record: RunRecord) -> str:
    """The project that a run is in, or that it was asked for in; empty = the usual one."""
    return str(remembered(record).get("project", "")) or options.read(record.extra).project


def remember(run: Run, known: Mapping[str, Any]) -> None:
    """Keep something in run.json beside what is there. Raises RunNotFound, OSError."""
    _keep(run, {**read_record(run).extra.get(options.KEY, {}), **known})


def _keep(run: Run, kept: Mapping[str, Any]) -> None:
    record = read_record(run)
    write_record(run, dataclasses.replace(record, extra={**record.extra, options.KEY: kept}))
