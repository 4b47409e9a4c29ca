"""Serves a run's model on dstack for as long as somebody talks to it, and no longer."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from ftui import paths
from ftui.errors import FtuiError, TargetUnavailable, TimedOut
from ftui.runs import process
from ftui.runs.model import Run
from ftui.targets.dstack import hand_in, preflight
from ftui.targets.dstack.api import Api, Foreign, Json, Refused
from ftui.targets.dstack.login import Login
from ftui.targets.dstack.offers import words
from ftui.targets.dstack.serve import cargo, document, end, price, record
from ftui.targets.dstack.serve.document import Wish
from ftui.targets.dstack.serve.record import Service
from ftui.targets.dstack.serve.start import LIMIT_SECONDS, Start
from ftui.targets.endpoint import Endpoint, Phase, own_log
from ftui.targets.vllm.command import models_of

LEAVE_SECONDS = 120.0
"""How long to wait for the service to end; its guard goes on alone if that is not enough."""
LEFT_BEHIND_SECONDS = 30.0
"""How long a start may be held up by ending what was left behind."""
_POLL_SECONDS = 0.1


@asynccontextmanager
async def serve(
    run: Run, on_phase: Callable[[Phase], None], hours: float
) -> AsyncIterator[Endpoint]:
    """The endpoint of a run's base and tuned model, on a machine of the person's dstack project.

    When this context is left, the service is ended and dstack has said so; when ftui is killed,
    its guard does that; when the guard is, too, the job's own limit, or the next ftui that serves.
    Raises TargetUnavailable, UsageError (somebody serves the run), RunFailed (nothing to serve, or
    vLLM ends), TimedOut.
    """
    account = await asyncio.to_thread(_account, run)
    async with Api(account) as api:
        lasting = await _end_left_behind()
        with _claimed(run) as lock, _log_of(run) as log:
            log_file = Path(log.name)
            advice = await preflight.version_advice(api)
            await preflight.refuse_no_fleet(api)
            wish = await _wished(api, run, hours, advice)
            await preflight.refuse_taken(api, wish.name)
            plan = await _planned(api, run, wish, log_file, [*advice, *lasting])
            service = Service(account.project, wish.name, log=str(log_file), folder=str(run.folder))
            until = time.time() + LIMIT_SECONDS + 3600 * hours  # at the latest
            async with _guarded(run, service, until, lock, log):
                start = Start(api, wish, log_file, on_phase)
                endpoint = await _ready(api, plan, start, service, lock)
                async with _followed(start):
                    terms = " · ".join((endpoint.terms, *lasting))
                    yield dataclasses.replace(endpoint, terms=terms)


@asynccontextmanager
async def _followed(start: Start) -> AsyncIterator[None]:
    """The log of a service comes home while this context lasts."""
    following = asyncio.create_task(start.follow_log())
    try:
        yield
    finally:
        following.cancel()
        await asyncio.wait([following])


def _account(run: Run) -> Login:
    """The login with which the run is served. Raises TargetUnavailable, RunNotFound."""
    import httpx2  # noqa: F401  (slow to import: here it does not hold up the screen)

    return price.login_of(run)


async def _end_left_behind() -> list[str]:
    """End what was left behind by an ftui and a guard that were killed.

    A line on each that has not ended soon; it stays on record, for the next ftui.
    """
    lasting = []
    for file, service in record.left_behind():
        if service is None or await _has_ended_soon(service):
            file.unlink(missing_ok=True)
            if service is not None:
                record.forget_endpoint(service)
        else:
            lasting.append(f"{service.name} was left behind and may cost on: dstack ps")
    return lasting


async def _has_ended_soon(service: Service) -> bool:
    try:
        async with asyncio.timeout(LEFT_BEHIND_SECONDS):
            await end.end(service)
    except (FtuiError, TimeoutError):
        return False
    return True


@contextlib.contextmanager
def _claimed(run: Run) -> Iterator[int]:
    """The run's record, for us alone. Raises UsageError, TargetUnavailable."""
    with contextlib.ExitStack() as stack:
        try:
            lock = stack.enter_context(record.claimed(run))
        except OSError as error:
            raise _impossible(error) from error
        yield lock


def _log_of(run: Run) -> IO[str]:
    """A log for this service alone. Raises TargetUnavailable."""
    try:
        return own_log(run.folder)
    except OSError as error:
        raise _impossible(error) from error


async def _wished(api: Api, run: Run, hours: float, advice: list[str]) -> Wish:
    """What is served, written down. A line is added to the advice where nobody tells of a token.

    Raises RunFailed (there is nothing to serve), RunNotFound, TargetUnavailable.
    """
    models = await asyncio.to_thread(models_of, run)
    wanted = {} if models.local else document.HUB_SECRET
    secrets = await preflight.known_secrets(api, wanted, create=False)
    if not secrets.listed:
        advice += preflight.advice(wanted, secrets)
    return await asyncio.to_thread(_written, run, hours, secrets.names)


def _written(run: Run, hours: float, secrets: frozenset[str]) -> Wish:
    """Write serve.dstack.yml, serve.sh and what goes with them.

    Raises RunFailed, RunNotFound, TargetUnavailable.
    """
    try:
        wish = price.wish_of(run, hours, cargo.load(run), secrets)
        paths.write_atomic(run.folder / document.DOCUMENT, document.document(wish))
        script = document.job(wish)
        paths.write_atomic(run.folder / document.JOB, script, mode=0o755)
    except OSError as error:
        raise _impossible(error) from error
    return wish


async def _ready(api: Api, plan: Json, start: Start, service: Service, lock: int) -> Endpoint:
    """Submit the service, keep its id, and wait until it answers. Raises as `serve` does."""
    try:
        taken = await api.apply(plan)
    except Foreign:  # dstack may have taken it behind whatever answers
        raise
    except Refused:
        record.forget(lock)  # one of that name would be somebody else's
        raise
    try:
        record.write(lock, dataclasses.replace(service, id=str(taken["id"])))
        return await start.until_ready()
    except OSError as error:
        raise _impossible(error) from error


async def _planned(api: Api, run: Run, wish: Wish, log_file: Path, advice: list[str]) -> Json:
    """What is submitted, with its files handed in; the log begins with the machine it would get.

    Raises TargetUnavailable when there is none, UsageError when a run of its name is at work.
    """
    configuration = hand_in.configuration(run.folder / document.DOCUMENT)
    files = hand_in.travelling(configuration, run.folder)
    spec = {"run_name": wish.name, "configuration": configuration, "file_archives": []}
    offer = price.cheapest(await api.plan(spec), wish)
    try:
        for line in (*advice, f"the cheapest machine now: {words(offer)}"):
            end.note(log_file, line)
        archives = await hand_in.uploaded(api, files)
    except OSError as error:
        raise _impossible(error) from error
    plan = await api.plan(spec | {"file_archives": archives})
    preflight.refuse_update(plan, wish.name, api.login.url)
    return plan


@asynccontextmanager
async def _guarded(
    run: Run, service: Service, until: float, lock: int, log: IO[str]
) -> AsyncIterator[None]:
    """A guard that ends the service, at the latest when this context is left.

    It keeps the log to the service as long as it lives. Where it did not come to that, the service
    is ended here. Leaving raises TargetUnavailable or TimedOut when it did not end.
    """
    record_file = record.file_of(run)
    command = [sys.executable, "-m", "ftui.targets.dstack.serve.guard", str(record_file), str(lock)]
    try:
        record.write(lock, service)
        guard = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            start_new_session=True,  # ctrl+c in the terminal is ftui's to answer
            pass_fds=(lock,),
        )
    except OSError as error:
        raise _impossible(error) from error
    try:
        try:
            record.note_endpoint(service, until, process.identify(guard.pid))
        except OSError as error:
            raise _impossible(error) from error
        yield
    finally:
        told = await _let_go(guard, service)
        if guard.returncode:
            if told:
                raise _not_ended(service, told)
            await _end_here(record_file, service, lock)
        record.forget_endpoint(service)


async def _end_here(record_file: Path, service: Service, lock: int) -> None:
    """End the service: its guard was killed. Raises TargetUnavailable."""
    recorded = record.read(lock)
    if recorded is None:
        return
    try:
        words = await end.end(recorded)
    except FtuiError as error:
        raise _not_ended(service, f"its guard was killed; {error}") from error
    with contextlib.suppress(OSError):  # the run's folder may be gone
        end.note(Path(service.log), words)
    record_file.unlink(missing_ok=True)


async def _let_go(guard: subprocess.Popen[bytes], service: Service) -> str:
    """Have the guard end the service, and wait until it has; why it could not. Raises TimedOut."""
    assert guard.stdin is not None
    assert guard.stdout is not None
    guard.stdin.close()
    limit = time.monotonic() + LEAVE_SECONDS
    with guard.stdout as said:
        try:
            while guard.poll() is None and time.monotonic() < limit:
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            threading.Thread(target=guard.wait, daemon=True).start()  # it must leave no zombie
        if guard.returncode is None:
            raise TimedOut(
                f"{service.name} has not ended on dstack yet, and may cost on",
                why="a process of ftui that stays behind sees to it",
                hint=f"see dstack ps; dstack stop -x {service.name}",
            )
        return said.read().decode(errors="replace")


def _not_ended(service: Service, why: str) -> TargetUnavailable:
    return TargetUnavailable(
        f"{service.name} may not have ended on dstack, and may cost on",
        why=why,
        hint=f"see dstack ps; dstack stop -x {service.name}",
    )


def _impossible(error: OSError) -> TargetUnavailable:
    why = (error.strerror or str(error)).lower()
    where = str(error.filename or "")
    return TargetUnavailable("the model cannot be served on dstack", where=where, why=why)
