"""Serves a run's model with vLLM on Modal for as long as somebody talks to it.

Each time it is an endpoint of its own (deployment.py), with a key and a log of its own, so that it
has nothing to do with a training, with an endpoint that was left in place (export.py), or with
somebody else's chat. While the context lasts it is asked now and then, or Modal would end its
container between two questions. After the context a guard (serve_guard.py) takes it away.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ftui.errors import RunFailed, TargetUnavailable, TimedOut
from ftui.runs import endpoints
from ftui.runs.model import Run
from ftui.targets.endpoint import Endpoint, Phase, Stage, own_log
from ftui.targets.modal import deployment
from ftui.targets.modal.api import Api
from ftui.targets.modal.failures import Unreachable
from ftui.targets.modal.serve_guard import guarded
from ftui.targets.vllm import log
from ftui.targets.vllm.readiness import ask_each
from ftui.text import clock, duration

START_SECONDS = 1800.0
"""The limit for starting: building the image, a machine, and a base model that is downloaded."""
_POLL_SECONDS = 1.0
_WAKE_SECONDS = 170.0
"""Modal answers a request that waits for a container after 150 s with the way to ask on."""
_AWAKE_SECONDS = 45.0
"""How often it is asked while somebody talks; two minutes without are the end of its container."""
_ERRORS_SECONDS = 60.0
"""Nothing but errors for so long is no start."""
_NO_START = "the endpoint does not begin: "
"""modal_app.py prints it, and why."""
_LOOKED_FOR = (Stage.MACHINE, Stage.STARTING, Stage.LOADING)
"""What an endpoint comes to, one after the other, from when it is asked for."""
_AT_WORK = (Stage.STARTING, Stage.LOADING, Stage.CHECKING)
"""The first of these that was seen is when a machine with GPUs began."""


@dataclass
class _Start:
    """One start, as it goes; `told` is its log, which this machine keeps."""

    api: Api
    log_file: Path
    told: IO[str]
    on_phase: Callable[[Phase], None]
    machine: deployment.Machine
    until: float
    """When it ends by itself, in seconds since the epoch."""
    began: float = field(default_factory=time.monotonic)
    stage: Stage | None = None
    reached: dict[Stage, float] = field(default_factory=dict)
    """When each stage began (time.monotonic)."""

    def reach(self, stage: Stage) -> None:
        """Tell of a stage, unless it was reached before."""
        if stage is not self.stage:
            self.stage = stage
            now = self.reached[stage] = time.monotonic()
            self.on_phase(Phase(stage, now - self.began, self.log_file))

    def tell(self, words: str) -> None:
        """A line of ftui's own in the log."""
        self._keep(f"modal: {words}\n")

    def tell_cost(self) -> None:
        """The last word: what it cost, by the seconds in which a machine was seen at work."""
        over = max(0.0, time.time() - self.until)  # it cost nothing any more
        self.tell(cost_words(self.machine, self.reached, time.monotonic() - over))

    async def follow(self, function: str) -> None:
        """Keep what a function's container prints."""
        try:
            async for words in self.api.said(function):
                self._keep(words)
        except TargetUnavailable as error:
            self.tell(f"the log ends here: {error}")

    def _keep(self, words: str) -> None:
        with contextlib.suppress(OSError):  # there is no room for it: all else goes on
            self.told.write(words)
            self.told.flush()


@asynccontextmanager
async def serve(
    run: Run, on_phase: Callable[[Phase], None], hours: float
) -> AsyncIterator[Endpoint]:
    """The endpoint of a run's base and tuned model on a machine of Modal, for `hours` at most.

    Raises RunFailed (nothing to serve, or vLLM refuses), TargetUnavailable and TimedOut.
    """
    asked = await asyncio.to_thread(deployment.wanted, run, secrets.token_hex(2))
    until = time.time() + hours * 3600
    async with AsyncExitStack() as stack:
        told = stack.enter_context(_log_in(run.folder))
        api = await stack.enter_async_context(Api(asked.app))
        start = _Start(api, Path(told.name), told, on_phase, asked.machine, until)
        stack.callback(_tell_end, run, start)
        await stack.enter_async_context(guarded(run, api.app, asked.place, until, told))
        async with _in_time(start):
            endpoint = await _deployed(start, asked, hours)
            if asked.hub_model:
                await _fetched(start, asked)
            await stack.enter_async_context(_beside(start.follow(deployment.FUNCTION)))
            await _until_up(start, endpoint)
            start.reach(Stage.CHECKING)
            await ask_each(endpoint)
        await stack.enter_async_context(_beside(_keep_awake(endpoint)))
        start.reach(Stage.READY)
        yield endpoint


def cost_words(machine: deployment.Machine, reached: Mapping[Stage, float], now: float) -> str:
    """`ended; about $0.06: L4 for 3 min`. Modal bills the seconds of containers.

    `reached`: when each stage began, and `now`: its end, in seconds.
    """
    begun = min((reached[stage] for stage in _AT_WORK if stage in reached), default=now)
    at_work = max(0.0, now - begun)
    fetched = reached.get(Stage.MACHINE, now) - reached.get(Stage.MODEL, now)
    dollars = (at_work * machine.dollars + max(fetched, 0.0) * machine.rates.prepare) / 3600
    if not dollars:
        return "ended; it cost nothing, there was no machine yet"
    worked = f"{machine.words} for {duration(at_work)}" if at_work else "a download, without a GPU"
    return f"ended; about ${dollars:.2f}: {worked}"


def _tell_end(run: Run, start: _Start) -> None:
    """Tell what it cost; not where something of it is left, which its guard tells."""
    if all(one.name != start.api.app for one in endpoints.known(run)):
        start.tell_cost()


@contextlib.contextmanager
def _log_in(folder: Path) -> Iterator[IO[str]]:
    try:
        told = own_log(folder)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise TargetUnavailable(
            "the run folder cannot be written", where=str(error.filename or folder), why=why
        ) from error
    try:
        yield told
    finally:
        with contextlib.suppress(OSError):  # what found no room before finds none now
            told.close()


@asynccontextmanager
async def _in_time(start: _Start) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(START_SECONDS):
            yield
    except TimeoutError as error:
        limit = f"{START_SECONDS / 60:.0f} min"
        if start.stage is Stage.MODEL:
            what = f"the base model was not downloaded in {limit}"
            hint = f"its log: {start.log_file}; try it again"
            raise TimedOut(what, hint=hint) from error
        if start.stage is Stage.MACHINE:
            what = f"Modal found no machine in {limit}"
            why = "its GPUs of that kind may all be taken, or the workspace has as many as it may"
            raise TimedOut(what, why=why, hint="try it later; nothing was paid for") from error
        what, hint = f"vLLM was not ready on Modal after {limit}", f"its log: {start.log_file}"
        raise TimedOut(what, hint=hint) from error


@asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Have something done as long as the context lasts."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _deployed(start: _Start, asked: deployment.Wanted, hours: float) -> Endpoint:
    """Put it in place; nothing runs yet, and nothing costs. Raises TargetUnavailable."""
    start.reach(Stage.IMAGE)
    machine, key = asked.machine, secrets.token_urlsafe()
    start.tell(f"{machine.terms}, {hours:g} h at most")
    try:
        url = await deployment.put(start.api, asked, key, start.until, start.tell)
    except OSError as error:
        where = str(error.filename or asked.run.folder)
        why = (error.strerror or str(error)).lower()
        raise TargetUnavailable("the model could not be sent", where=where, why=why) from error
    return Endpoint(
        base_url=url,
        base=None if asked.models.alone else "base",
        tuned="tuned",
        api_key=key,
        log_file=start.log_file,
        front="Modal",
        terms=f"Modal · {machine.terms} · until {clock(start.until)}",
    )


async def _fetched(start: _Start, asked: deployment.Wanted) -> None:
    """Have the base model downloaded. Raises RunFailed, TargetUnavailable."""
    start.reach(Stage.MODEL)
    start.tell(f"downloading {asked.hub_model}; no GPU is paid for meanwhile")
    async with _beside(start.follow(deployment.FETCH)):
        try:
            await deployment.fetch(start.api, start.tell)
        except RunFailed as error:
            hint = f"its log: {start.log_file}"
            raise RunFailed(error.what, why=error.why, hint=hint) from error


async def _until_up(start: _Start, endpoint: Endpoint) -> None:
    """Ask for it, which has Modal find a machine, until it answers. Raises RunFailed."""
    start.reach(Stage.MACHINE)
    waking = asyncio.create_task(_wake(endpoint.base_url))
    try:
        while not waking.done():
            await asyncio.wait([waking], timeout=_POLL_SECONDS)
            _refuse_ended(start)
            await _look(start)
        waking.result()
    except RunFailed:
        await asyncio.sleep(_POLL_SECONDS)  # the log comes a little later, and tells why
        _refuse_ended(start)
        raise
    finally:
        waking.cancel()


async def _look(start: _Start) -> None:
    """Find out how far it is."""
    stage = Stage.MACHINE
    if log.is_loading(log.read(start.log_file)):
        stage = Stage.LOADING
    elif start.stage is Stage.MACHINE:
        with contextlib.suppress(Unreachable):
            standing = await start.api.standing(deployment.FUNCTION)
            stage = Stage.STARTING if standing.containers else stage
    if start.stage is None or _LOOKED_FOR.index(stage) > _LOOKED_FOR.index(start.stage):
        start.reach(stage)


def _refuse_ended(start: _Start) -> None:
    """Raises RunFailed, with what the log says, once its container could not begin."""
    before, ended, after = log.read(start.log_file).partition(_NO_START)
    if ended and "\n" in after:
        reason = log.reason(before)
        why = reason or after.partition("\n")[0]
        hint = "; ".join(filter(None, (log.hint(reason), f"its log: {start.log_file}")))
        raise RunFailed("the endpoint on Modal does not start", why=why, hint=hint)


async def _wake(url: str) -> None:
    """Ask until it answers. Raises RunFailed when it only answers with errors."""
    import httpx2

    limit = httpx2.Timeout(_WAKE_SECONDS, connect=10.0)
    wrong_since: float | None = None
    async with httpx2.AsyncClient(timeout=limit, follow_redirects=True) as http:
        while True:
            try:
                answer = await http.get(f"{url}/health")
            except httpx2.TransportError:  # it is slow, or this machine is offline for a moment
                await asyncio.sleep(_POLL_SECONDS)
                continue
            if answer.status_code == httpx2.codes.OK:
                return
            wrong_since = wrong_since or time.monotonic()
            if time.monotonic() - wrong_since >= _ERRORS_SECONDS:
                said = answer.text.strip().partition("\n")[0][:300]
                why = f"HTTP {answer.status_code}: {said}"
                raise RunFailed("the endpoint on Modal does not start", where=url, why=why)
            await asyncio.sleep(_POLL_SECONDS)


async def _keep_awake(endpoint: Endpoint) -> None:
    """Ask it now and then, as long as somebody talks to it."""
    import httpx2

    async with httpx2.AsyncClient(timeout=_AWAKE_SECONDS) as http:
        while True:
            await asyncio.sleep(_AWAKE_SECONDS)
            with contextlib.suppress(httpx2.TransportError):
                await http.get(f"{endpoint.base_url}/health")
