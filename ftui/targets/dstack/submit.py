"""From a run folder to a run on dstack: what is written, checked, uploaded and submitted."""

from __future__ import annotations

import dataclasses
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftui import paths
from ftui.config.edit_text import rewrite
from ftui.errors import ConfigError, RunNotFound, UsageError
from ftui.plan.plan import Needs
from ftui.plan.yaml_source import YamlProblem, mapping
from ftui.runs.model import Run, RunRecord
from ftui.runs.store import read_record, write_record
from ftui.targets.dstack import document, options, parcel, preflight
from ftui.targets.dstack.api import Api, Json
from ftui.targets.dstack.offers import Offer
from ftui.targets.remote.inputs import FOLDER

_NEEDED = ("WANDB_API_KEY",)
"""Secrets without which a run that wants them fails. A token of the hub is needed by few."""
_MOST_MIB = parcel.TOTAL_BYTES >> 20
_SCRIPT = """\
#!/bin/sh
# Trains this run on dstack, without ftui.
set -eu
cd -- "$(dirname -- "$0")"
exec dstack apply -f {document} "$@"
"""


@dataclass(frozen=True)
class Submitted:
    """A run that dstack has taken."""

    name: str
    id: str
    offer: Offer


def write_files(
    run: Run, needs: Needs, secrets: frozenset[str] = frozenset(), checkpoint: str = ""
) -> document.Wish:
    """Write train.dstack.yml, job.sh and inputs/, with the config's paths seen from the folder.

    Raises ConfigError, RunNotFound, OSError, and UsageError when too much would travel.
    """
    record = read_record(run)
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
            hint="name models and data by their hub ids, or put them on a volume",
        )
    wish = document.Wish(
        name=document.run_name(run.name),
        title=record.title,
        gpus=record.gpus,
        needs=needs,
        options=options.read(record.extra),
        parcel=packed,
        secrets=secrets,
    )
    paths.write_atomic(run.folder / document.DOCUMENT, document.document(wish))
    begins = f"{FOLDER}/{Path(checkpoint).name}" if checkpoint else ""
    paths.write_atomic(run.folder / document.JOB, document.job(wish, begins), mode=0o755)
    script = _SCRIPT.format(document=document.DOCUMENT)
    paths.write_atomic(run.script_file, script, mode=0o755)
    return wish


async def submit(api: Api, run: Run, needs: Needs, checkpoint: str = "") -> Submitted:
    """Check everything that can be checked, then hand the run to dstack.

    Raises TargetUnavailable, UsageError, ConfigError, RunNotFound, OSError; nothing runs then.
    """
    await preflight.refuse_no_fleet(api)
    wish = write_files(run, needs, await api.secrets(), checkpoint)
    wanted = document.wanted_secrets(wish.parcel.config)
    missing = await preflight.missing_secrets(api, wanted)
    preflight.refuse_missing(missing, _NEEDED, api.login.url)
    await preflight.refuse_taken(api, wish.name)
    configuration = _configuration(run)
    spec = {"run_name": wish.name, "configuration": configuration, "file_archives": []}
    request = document.gpu_request(wish.gpus, needs.gpu_memory_gib, wish.options.gpu)
    cap = wish.options.price_cap(wish.gpus)
    offer = preflight.cheapest(await api.plan(spec), request, cap)
    archives = [await _uploaded(api, run, one) for one in _travelling(configuration, run)]
    plan = await api.plan(spec | {"file_archives": archives})
    known = {"project": api.login.project, "url": api.login.url, "name": wish.name}
    remember(run, {**known, "id": ""})  # before: nobody must lose a run that was started
    taken = await api.apply(plan)
    remember(run, {**known, "id": taken["id"]})
    return Submitted(wish.name, str(taken["id"]), offer)


def remembered(record: RunRecord) -> Mapping[str, Any]:
    """What run.json knows of the run on dstack: `{"project", "url", "name", "id"}`, or nothing."""
    kept = record.extra.get(options.KEY) if isinstance(record.extra, dict) else None
    return kept if isinstance(kept, dict) and "name" in kept else {}


def remember(run: Run, known: Mapping[str, Any]) -> None:
    """Keep something in run.json beside what is there. Raises RunNotFound, OSError."""
    record = read_record(run)
    kept = {**record.extra.get(options.KEY, {}), **known}
    write_record(run, dataclasses.replace(record, extra={**record.extra, options.KEY: kept}))


def _configuration(run: Run) -> dict[str, Any]:
    """train.dstack.yml as data: what is submitted is what was written. Raises ConfigError."""
    file = run.folder / document.DOCUMENT
    try:
        data: dict[str, Any] = dict(mapping(paths.read_config(file)).data)
    except YamlProblem as problem:
        raise ConfigError(problem.message, where=f"{file}:{problem.line}") from problem
    return data


def _travelling(configuration: dict[str, Any], run: Run) -> list[tuple[Path, str]]:
    """The files of a configuration, taken out of it: the server wants them as archives."""
    pairs = (str(one).rsplit(":", 1) for one in configuration.pop("files", ()))
    return [(run.folder / here, there) for here, there in pairs]


async def _uploaded(api: Api, run: Run, file: tuple[Path, str]) -> Json:
    path, there = file
    if not path.is_file():
        raise RunNotFound(f"{path.name} is missing", where=str(run.folder))
    return {"id": await api.upload(_archive(path)), "path": there}


def _archive(file: Path) -> bytes:
    """A tar of one file, the same for the same content: the server knows it again."""
    data, packed = file.read_bytes(), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        info = tarfile.TarInfo(file.name)
        info.size, info.mode = len(data), 0o755 if file.suffix == ".sh" else 0o644
        tar.addfile(info, io.BytesIO(data))
    return packed.getvalue()
