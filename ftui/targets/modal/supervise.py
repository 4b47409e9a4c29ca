"""Watches one run on Modal: `python -m ftui.targets.modal.supervise FOLDER ORDERS`.

It belongs to no terminal and to no ftui. It deploys and spawns the run, unless the run is at work
on Modal already, follows it to its end, and holds the run's lock meanwhile. If it is killed, the
run goes on without it, and another one takes up where it was.

One line on standard output tells the caller how it began: `{"app": "ftui-nano-…"}`, or why it did
not: `{"kind": "TargetUnavailable", "what": …, "where": …, "why": …, "hint": …}`. Everything that
can be found wrong without building an image is found before that line.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from ftui.errors import FtuiError, TargetUnavailable, UsageError
from ftui.runs import events, process
from ftui.runs.model import Run
from ftui.runs.store import read_record, write_record
from ftui.runs.tail import read_history
from ftui.targets.modal import inputs, position, submit
from ftui.targets.modal.api import Api
from ftui.targets.modal.app import app_name, place_of
from ftui.targets.modal.follow import Follower
from ftui.targets.modal.market import rates_now
from ftui.targets.modal.orders import Orders
from ftui.targets.modal.status import status

_LOOK_SECONDS = 0.5


def main(folder: str, orders: str) -> int:
    """Start the run or find it, tell so, and follow it to its end; 0, or 1 if it never began."""
    run, asked = Run(Path(folder)), Orders(**json.loads(orders))
    return asyncio.run(_supervise(run, asked))


async def _supervise(run: Run, asked: Orders) -> int:
    try:
        async with Api(app_name(place_of(run))) as api:
            if asked.attach:
                follower = await _found(api, run, asked)
                _told(api, asked)
            else:
                follower, wish, secrets = await _checked(api, run, asked)
                _told(api, asked)
                try:
                    await _begin(api, run, follower, wish, secrets, asked)
                except (FtuiError, OSError) as error:
                    with contextlib.suppress(TargetUnavailable):
                        await api.stop_app()  # whatever of it may run
                    follower.end(1, str(error), unavailable=not isinstance(error, UsageError))
                    return 1
            try:
                await follower.follow(api)
            except FtuiError as error:  # the login is refused
                follower.give_up(error)
                return 1
    except (FtuiError, OSError) as error:
        _tell(_words(error))
        return 1
    return 0


async def _checked(
    api: Api, run: Run, asked: Orders
) -> tuple[Follower, submit.Wish, submit.Secrets]:
    """Everything that can be checked, and the files of the run. Raises FtuiError, OSError."""
    await _refuse_by_hand(api, run)
    rates, workspace = await rates_now(api)
    wish = submit.write_files(run, asked.gpu_memory_gib, rates=rates)
    submit.refuse_invalid(run, wish)
    secrets = await submit.find_secrets(api, wish.config)
    submit.write_files(run, asked.gpu_memory_gib, secrets.named, rates)
    await api.stop_app()  # what an earlier launch may have left at work, and nobody knows of
    run.stop_file.unlink(missing_ok=True)
    (run.folder / position.FILE).unlink(missing_ok=True)
    spent = read_history(run).cost
    submit.remember(
        run,
        {
            "app": api.app,
            "call": "",
            "workspace": workspace,
            "an_hour": {"train": wish.dollars, "prepare": rates.prepare},
            "spent": spent.dollars if spent is not None else 0.0,
        },
    )
    events.append(run.events_file, "launched", **asked.told)
    _record(run, launched=time.time())
    return Follower(run, wish.values.gpu, asked.poll_seconds), wish, secrets


async def _refuse_by_hand(api: Api, run: Run) -> None:
    """Raises UsageError where somebody trained the run without ftui: a launch begins by clearing
    its folder on the volume. Raises TargetUnavailable."""
    if submit.remembered(read_record(run)):
        return  # what is there is of an earlier launch, and has been followed
    told = await status(api, run)
    if told:
        what = "was trained on Modal" if "code" in told else "is at work on Modal"
        raise UsageError(
            f"it {what} already, started by hand",
            where=run.name,
            hint=f"ftui files {run.name} lists what it has made: --fetch brings it home, "
            "--remove everything makes room for another try",
        )


async def _begin(
    api: Api,
    run: Run,
    follower: Follower,
    wish: submit.Wish,
    secrets: submit.Secrets,
    asked: Orders,
) -> None:
    """Deploy, upload and spawn. Raises FtuiError, OSError; then nothing runs."""
    workspace = submit.remembered(read_record(run)).get("workspace")
    follower.note(f"workspace {workspace} · {wish.words}" if workspace else wish.words)
    follower.tell("building the image, which takes minutes the first time")
    await _unless_stopped(run, submit.deploy(run, follower.note))
    follower.tell("uploading the run")
    await _unless_stopped(run, submit.upload(api, run, asked.checkpoint))
    function = "prepare" if inputs.asks_hub(wish.config) else "train"
    sent = {name: os.environ[name] for name in secrets.sent}
    failed = "the training could not be started"
    call = await api.spawn(function, secrets.named, sent, failed=failed)
    follower.begin(function, call)
    submit.remember(run, {"call": call})


async def _unless_stopped(run: Run, work: Coroutine[None, None, None]) -> None:
    """Do something that is left at once when the run is stopped. Raises UsageError then."""
    task = asyncio.create_task(work)
    try:
        while not task.done() and not run.stop_file.exists():
            await asyncio.wait([task], timeout=_LOOK_SECONDS)
        if run.stop_file.exists():
            raise UsageError("it was stopped before it had begun")
        await task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _found(api: Api, run: Run, asked: Orders) -> Follower:
    """A follower of a run that is at work. Raises UsageError when it is not, FtuiError, OSError."""
    record = read_record(run)
    here = position.read(run)
    call, function = here.call or str(submit.remembered(record).get("call", "")), here.function
    if not call:  # its launcher was killed between the spawning and the writing down
        call, function = await _told_by_volume(api, run)
    if not call or read_history(run).exit_code is not None:
        raise UsageError("it is not at work on Modal", where=run.name)
    wish = submit.wish_for(run, asked.gpu_memory_gib, record.settings)
    _record(run, launched=record.launched)
    follower = Follower(run, wish.values.gpu, asked.poll_seconds)
    follower.begin(function or "train", call)
    return follower


async def _told_by_volume(api: Api, run: Run) -> tuple[str, str]:
    """The call that says itself that it is at work on the run, and its function; empty: none."""
    told = await status(api, run)
    if "code" in told:
        return "", ""
    return str(told.get("call") or ""), str(told.get("function") or "")


def _record(run: Run, launched: float) -> None:
    """Write down who follows the run. Raises RunNotFound, OSError."""
    me = process.identify(os.getpid())
    record = dataclasses.replace(read_record(run), trainer=me, supervisor=me)
    write_record(run, dataclasses.replace(record, launched=launched))


def _words(error: FtuiError | OSError) -> dict[str, Any]:
    if isinstance(error, OSError):
        what, where = (error.strerror or str(error)).lower(), str(error.filename or "")
        return {"kind": TargetUnavailable.__name__, "what": what, "where": where}
    kind = TargetUnavailable if isinstance(error, TargetUnavailable) else type(error)
    told = {"what": error.what, "where": error.where, "why": error.why, "hint": error.hint}
    return {"kind": kind.__name__, **told}


def _told(api: Api, asked: Orders) -> None:
    _tell({"app": api.app})
    os.close(asked.turn)


def _tell(words: dict[str, Any]) -> None:
    """Say it to whoever started this, then let go of their pipe."""
    with contextlib.suppress(OSError):  # they may be gone
        os.write(1, json.dumps(words).encode() + b"\n")
    nothing = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1):
        os.dup2(nothing, handle)


if __name__ == "__main__":
    if os.fork():
        os._exit(0)  # the caller waits for this half; the other half is nobody's child
    sys.exit(main(*sys.argv[1:]))
