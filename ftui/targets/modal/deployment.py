"""A run's endpoint on Modal: its machine, its files on the volume, its deployment, and its end.

An endpoint owns an app, a folder on the volume and a record in the run folder (runs/endpoints.py),
all of one name. Who puts it in place writes the record first; who ends it takes all three away.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ftui import paths
from ftui.errors import RunFailed
from ftui.runs import endpoints, events
from ftui.runs.model import Run, RunRecord
from ftui.runs.store import read_record
from ftui.targets.modal import app, gpu, login, market, options, submit
from ftui.targets.modal.api import Api, Outcome
from ftui.targets.modal.command import modal
from ftui.targets.modal.ending import take_away
from ftui.targets.modal.failures import Unreachable
from ftui.targets.modal.gpu import LISTED
from ftui.targets.modal.rates import Rates
from ftui.targets.remote.inputs import FOLDER, files_below
from ftui.targets.remote.patience import patiently
from ftui.targets.remote.supervised import needs_of_run
from ftui.targets.vllm.command import ServedModels, models_of
from ftui.targets.vllm.machine import gpus_for

FUNCTION, FETCH, APP = "serve", "fetch", "serve_app"
"""Of modal_app.py."""
KEY = "VLLM_API_KEY"
IDLE_SECONDS = 120.0
"""Then Modal ends a container that nobody has asked meanwhile."""
_POLL_SECONDS = 1.0
_TOKEN = "HF_TOKEN"  # noqa: S105 - the variable's name
_ODD = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True)
class Machine:
    """What serves a run."""

    gpu: str
    """Modal's name of a GPU, and how many of it."""
    count: int
    rates: Rates = LISTED

    @property
    def dollars(self) -> float:
        """Of an hour, whether somebody asks or not."""
        return gpu.dollars(self.gpu, self.count, self.rates)

    @property
    def words(self) -> str:
        """`L4`, or `2 × H100`."""
        return f"{self.count} × {self.gpu}" if self.count > 1 else self.gpu

    @property
    def terms(self) -> str:
        """`L4 · $1.12/h`, and where that is from, if it is not what Modal asks now."""
        listed = f" ({self.rates.source})" if self.rates is LISTED else ""
        return f"{self.words} · ${self.dollars:.2f}/h{listed}"


@dataclass(frozen=True)
class Wanted:
    """An endpoint as it is asked of Modal."""

    run: Run
    place: str
    name: str
    """See app.LEFT."""
    models: ServedModels
    machine: Machine

    @property
    def app(self) -> str:
        """What it is called on Modal."""
        return app.endpoint_app(self.place, self.name)

    @property
    def hub_model(self) -> str:
        """The base model that comes from the hub; empty: all that is served is sent."""
        return "" if self.models.local else self.models.model


def wanted(run: Run, name: str = app.LEFT) -> Wanted:
    """What serving a run takes; asks Modal for its rates, and may ask the model hub for a size.

    Raises RunFailed where there is nothing to serve, UsageError where no GPU holds it, RunNotFound,
    TargetUnavailable where nobody is logged in.
    """
    login.require()
    models, record = models_of(run), read_record(run)
    needs = gpus_for(run, record.settings, needs_of_run(record))
    rates, _ = market.current()
    offer = gpu.cheapest(needs.gpu_memory_gib, rates)
    gpu.request(offer.name, needs.gpus)
    machine = Machine(offer.name, needs.gpus, rates)
    return Wanted(run, app.place_of(run), name, models, machine)


async def put(
    api: Api, asked: Wanted, key: str, until: float | None, tell: Callable[[str], None]
) -> str:
    """Upload what is served and deploy it as the app of `api`; where it answers.

    The image is built the first time, which takes minutes. `until`: when it ends for good, in
    seconds since the epoch; None = never. Raises TargetUnavailable, RunNotFound, OSError.
    """
    hub = {"base_model": asked.hub_model}
    secrets = await submit.find_secrets(api, hub) if asked.hub_model else submit.Secrets()
    _write(asked, secrets.named)
    folder = app.endpoint_folder(asked.name)
    top = f"/{asked.place}/{folder}"
    tell("uploading the model")
    await api.upload([(file, f"{top}/{there}") for file, there in _files(asked)])
    tell(f"deploying {api.app}; its image is built the first time, which takes minutes")
    await modal(
        *("deploy", "--name", api.app, f"{app.FILE}::{APP}"),
        folder=asked.run.folder,
        failed=f"the endpoint in {app.FILE} could not be deployed",
        tell=tell,
        variables={
            KEY: key,
            _TOKEN: os.environ[_TOKEN] if secrets.sent else "",
            "SERVE_FROM": folder,
            "SERVE_HOURS": "",
            "SERVE_UNTIL": f"{until:.3f}" if until else "",
        },
    )
    return await api.url(FUNCTION)


async def fetch(api: Api, tell: Callable[[str], None]) -> None:
    """Have the base model of the hub brought to the cache, by a container without a GPU.

    Modal may be silent for ten minutes; `tell` hears of that. Raises RunFailed where the model
    cannot be had, TargetUnavailable.
    """
    call = await api.spawn(FETCH, (), {}, failed="the base model could not be asked for")
    told = False

    async def ended() -> Outcome | None:
        nonlocal told
        try:
            found = await api.outcome(call)
        except Unreachable as error:
            if not told:
                told = True
                tell(f"{error}; this tries again for a while")
            raise
        told = False
        return found

    outcome = None
    while outcome is None:
        await asyncio.sleep(_POLL_SECONDS)
        outcome = await patiently(ended, (Unreachable,))
    if outcome.code:
        raise RunFailed("the endpoint on Modal has no base model", why=outcome.why)


async def remove(api: Api, run: Run, place: str) -> bool:
    """Take an endpoint and all that it owns away; whether Modal had it still.

    Raises TargetUnavailable, TimedOut, OSError.
    """
    there, name = await take_away(api), api.app.rpartition("-")[2]
    await api.remove(f"/{place}/{app.endpoint_folder(name)}")
    endpoints.forget(run, api.app)
    return there


def _write(asked: Wanted, secrets: tuple[str, ...]) -> None:
    """Write modal_app.py anew, for the machine that serves. Raises UsageError, OSError."""
    machine, record, file = asked.machine, read_record(asked.run), asked.run.folder / app.FILE
    served_by = gpu.request(machine.gpu, machine.count)
    if options.KEY in record.extra:  # it was trained on Modal: that part stays as it was
        values = _as_trained(asked.run, record)
    else:
        values = app.Values(asked.place, served_by, machine.count, retries=0, max_hours=1.0)
    named = tuple(dict.fromkeys([*app.secrets_in(file), *secrets]))
    values = dataclasses.replace(values, secrets=named, serve_gpu=served_by)
    paths.write_atomic(file, app.text(values))


def _as_trained(run: Run, record: RunRecord) -> app.Values:
    """What it was trained with, its limit of hours by what an hour cost at the launch."""
    wish = submit.wish_for(run, needs_of_run(record).gpu_memory_gib, record.settings)
    prices = submit.remembered(record).get("an_hour")
    paid = events.number(prices.get("train")) if isinstance(prices, dict) else 0.0
    hours = options.read(record.extra).hours(paid or wish.dollars)
    return dataclasses.replace(wish.values, max_hours=hours)


def _files(asked: Wanted) -> Iterator[tuple[Path | bytes, str]]:
    """What the endpoint reads: the files, or what is in them, and where they are in its folder."""
    run, base = asked.run, Path(asked.models.model)
    for file in sorted(run.output_dir.iterdir()):
        if file.is_file():
            yield file, f"out/{file.name}"
    if asked.models.alone:
        return
    if not asked.models.local:
        yield _config(asked.models.model), "config.yml"
        return
    inside = base.is_relative_to(run.folder)
    there = base.relative_to(run.folder).as_posix() if inside else f"{FOLDER}/{_name(base)}"
    yield run.config_file if inside else _config(f"./{there}"), "config.yml"
    for file in files_below(base):
        yield file, f"{there}/{file.relative_to(base).as_posix()}"


def _config(base_model: str) -> bytes:
    """All that the endpoint asks of a config."""
    return json.dumps({"base_model": base_model}).encode()


def _name(folder: Path) -> str:
    return _ODD.sub("_", folder.name) or "model"
