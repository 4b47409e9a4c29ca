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

from ftui import paths
from ftui.errors import FtuiError, TargetUnavailable, TimedOut
from ftui.runs.model import Run
from ftui.targets.dstack import (
    hand_in,
    preflight,
    serve_cargo,
    serve_document,
    serve_end,
    serve_price,
    serve_record,
)
from ftui.targets.dstack.api import Api, Json
from ftui.targets.dstack.login import Login
from ftui.targets.dstack.offers import words
from ftui.targets.dstack.serve_document import Wish
from ftui.targets.dstack.serve_record import Service
from ftui.targets.dstack.serve_start import Start
from ftui.targets.endpoint import Endpoint, Phase

LEAVE_SECONDS = 120.0
"""How long to wait for the service to end; its guard goes on alone if that is not enough."""
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
    log_file = run.folder / "serve.log"
    async with Api(account) as api:
        await _end_left_behind()
        with _claimed(run) as lock:
            advice = await preflight.version_advice(api)
            await preflight.refuse_no_fleet(api)
            wish = await asyncio.to_thread(_written, run, hours, await api.secrets())
            await preflight.refuse_taken(api, wish.name)
            plan = await _planned(api, run, wish, log_file, advice)
            service = Service(account.project, wish.name, log=str(log_file))
            async with _guarded(run, service, lock):
                start = Start(api, wish, log_file, on_phase)
                endpoint = await _ready(api, plan, start, service, lock)
                following = asyncio.create_task(start.follow_log())
                try:
                    yield endpoint
                finally:
                    following.cancel()


def _account(run: Run) -> Login:
    """The login with which the run is served. Raises TargetUnavailable, RunNotFound."""
    import httpx2  # noqa: F401  (slow to import: here it does not hold up the screen)

    return serve_price.login_of(run)


async def _end_left_behind() -> None:
    """End what was left behind by an ftui and a guard that were killed. One that cannot be ended
    now stays on record."""
    for file, service in serve_record.left_behind():
        with contextlib.suppress(FtuiError):
            if service is not None:
                await serve_end.end(service)
            file.unlink(missing_ok=True)


@contextlib.contextmanager
def _claimed(run: Run) -> Iterator[int]:
    """The run's record, for us alone. Raises UsageError, TargetUnavailable."""
    with contextlib.ExitStack() as stack:
        try:
            lock = stack.enter_context(serve_record.claimed(run))
        except OSError as error:
            raise _impossible(error) from error
        yield lock


def _written(run: Run, hours: float, secrets: frozenset[str]) -> Wish:
    """Write serve.dstack.yml, serve.sh and what goes with them.

    Raises RunFailed, RunNotFound, TargetUnavailable.
    """
    try:
        wish = serve_price.wish_of(run, hours, serve_cargo.load(run), secrets)
        paths.write_atomic(run.folder / serve_document.DOCUMENT, serve_document.document(wish))
        script = serve_document.job(wish)
        paths.write_atomic(run.folder / serve_document.JOB, script, mode=0o755)
    except OSError as error:
        raise _impossible(error) from error
    return wish


async def _ready(api: Api, plan: Json, start: Start, service: Service, lock: int) -> Endpoint:
    """Submit the service, keep its id, and wait until it answers. Raises as `serve` does."""
    taken = await api.apply(plan)
    try:
        serve_record.write(lock, dataclasses.replace(service, id=str(taken["id"])))
        return await start.until_ready()
    except OSError as error:
        raise _impossible(error) from error


async def _planned(api: Api, run: Run, wish: Wish, log_file: Path, advice: list[str]) -> Json:
    """What is submitted, with its files handed in; the log begins with the machine it would get.

    Raises TargetUnavailable when there is none.
    """
    configuration = hand_in.configuration(run.folder / serve_document.DOCUMENT)
    files = hand_in.travelling(configuration, run.folder)
    spec = {"run_name": wish.name, "configuration": configuration, "file_archives": []}
    offer = serve_price.cheapest(await api.plan(spec), wish)
    try:
        log_file.write_text("", encoding="utf-8")
        for line in (*advice, f"the cheapest machine now: {words(offer)}"):
            serve_end.note(log_file, line)
        archives = await hand_in.uploaded(api, files)
    except OSError as error:
        raise _impossible(error) from error
    return await api.plan(spec | {"file_archives": archives})


@asynccontextmanager
async def _guarded(run: Run, service: Service, lock: int) -> AsyncIterator[None]:
    """A guard that ends the service, at the latest when this context is left.

    Leaving raises TargetUnavailable or TimedOut when it did not end.
    """
    record_file = serve_record.file_of(run)
    command = [sys.executable, "-m", "ftui.targets.dstack.serve_guard", str(record_file), str(lock)]
    try:
        serve_record.write(lock, service)
        with Path(service.log).open("ab") as log:
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
        yield
    finally:
        await _let_go(guard, service)


async def _let_go(guard: subprocess.Popen[bytes], service: Service) -> None:
    """Have the guard end the service, and wait until it has. Raises TargetUnavailable, TimedOut."""
    assert guard.stdin is not None
    assert guard.stdout is not None
    guard.stdin.close()
    end = time.monotonic() + LEAVE_SECONDS
    with guard.stdout as said:
        try:
            while guard.poll() is None and time.monotonic() < end:
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            threading.Thread(target=guard.wait, daemon=True).start()  # it must leave no zombie
        if guard.returncode is None:
            raise TimedOut(
                f"{service.name} has not ended on dstack yet, and may cost on",
                why="a process of ftui that stays behind sees to it",
                hint=f"see dstack ps; dstack stop -x {service.name}",
            )
        if guard.returncode:
            raise _not_ended(service, said.read().decode(errors="replace"))


def _not_ended(service: Service, why: str) -> TargetUnavailable:
    return TargetUnavailable(
        f"{service.name} may not have ended on dstack, and may cost on",
        why=why or f"its guard failed; see {service.log}",
        hint=f"see dstack ps; dstack stop -x {service.name}",
    )


def _impossible(error: OSError) -> TargetUnavailable:
    why = (error.strerror or str(error)).lower()
    where = str(error.filename or "")
    return TargetUnavailable("the model cannot be served on dstack", where=where, why=why)
