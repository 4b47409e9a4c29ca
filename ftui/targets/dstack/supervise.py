"""Watches one run on dstack: `python -m ftui.targets.dstack.supervise FOLDER ORDERS`.

It belongs to no terminal and to no ftui. It submits the run, unless the run is at work on dstack
already, follows it to its end, and holds the run's lock meanwhile. If it is killed, the run goes on
without it, and another one takes up where it was.

One line on standard output tells the caller how it began: `{"name": "nano-…"}`, or why it did not:
`{"kind": "TargetUnavailable", "what": …, "where": …, "why": …, "hint": …}`.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftui.errors import FtuiError, TargetUnavailable, UsageError
from ftui.plan.plan import Needs
from ftui.runs import events, process
from ftui.runs.model import Run
from ftui.runs.store import read_record, write_record
from ftui.runs.tail import read_history
from ftui.targets.dstack import login, position, states
from ftui.targets.dstack.api import Api, Unreachable
from ftui.targets.dstack.follow import Follower
from ftui.targets.dstack.offers import words
from ftui.targets.dstack.orders import Orders
from ftui.targets.dstack.submit import project_of, remembered, submit

_ANSWER_SECONDS = 5.0
"""So long a person waits for the server before a run that is known is followed all the same."""


def main(folder: str, orders: str) -> int:
    """Submit the run or find it, tell so, and follow it to its end; 0, or 1 if it never began."""
    run, asked = Run(Path(folder)), Orders(**json.loads(orders))
    return asyncio.run(_supervise(run, asked))


async def _supervise(run: Run, asked: Orders) -> int:
    try:
        account = login.find(project_of(read_record(run)))
    except FtuiError as error:
        _tell(_refusal(error))
        return 1
    async with Api(account) as api:
        try:
            name = await _found_or_submitted(api, run, asked)
            _record(run)
        except (FtuiError, OSError) as error:
            _tell(_refusal(error))
            return 1
        _tell({"name": name})
        os.close(asked.turn)
        follower = Follower(run, name, asked.poll_seconds)
        try:
            await follower.follow(api)
            os.close(asked.lock)  # it is over; only its machine is still to be given back
            await follower.see_off(api)
        except (FtuiError, OSError) as error:  # the login is refused, the disk is full
            follower.give_up(error)
            return 1
    return 0


async def _found_or_submitted(api: Api, run: Run, asked: Orders) -> str:
    """The name of the run on dstack. Raises FtuiError, OSError."""
    known = remembered(read_record(run))
    if known and await _goes_on(api, run, known, attach=asked.attach):
        return str(known["name"])
    if asked.attach:
        raise UsageError("it is not at work on dstack", where=run.name)
    run.stop_file.unlink(missing_ok=True)
    (run.folder / position.FILE).unlink(missing_ok=True)
    needs = Needs(asked.gpus, asked.gpu_memory_gib)
    taken = await submit(api, run, needs, asked.checkpoint)
    offer = words(taken.offer)
    events.append(run.events_file, "launched", offer=offer, **asked.told)
    if taken.board:
        events.append(run.events_file, "phase", words=taken.board)
    with run.log_file.open("a", encoding="utf-8") as log:
        log.writelines(f"dstack: {line}\n" for line in filter(None, (*taken.advice, taken.board)))
        log.write(f"dstack: the cheapest machine now: {offer}\n")
    _record(run, launched=time.time())
    return taken.name


async def _goes_on(api: Api, run: Run, known: Mapping[str, Any], *, attach: bool) -> bool:
    """Whether the run is there, to be followed. Raises FtuiError, OSError."""
    ended = read_history(run).exit_code is not None
    surely = attach and bool(known.get("id")) and not ended
    try:
        async with asyncio.timeout(_ANSWER_SECONDS if surely else None):
            found = await api.own_run(str(known["name"]), str(known.get("id", "")))
    except (Unreachable, TimeoutError):
        if surely:  # its follower says that nobody answers, and passes a stop on later
            return True
        raise
    if found is None:
        return False
    over = states.standing(found).over
    if over and (ended or not attach):
        return False
    if ended and not over:  # killed while it submitted
        events.append(run.events_file, "launched")
    return True


def _record(run: Run, **known: float) -> None:
    """Write down who follows the run. Raises RunNotFound, OSError."""
    me = process.identify(os.getpid())
    record = dataclasses.replace(read_record(run), trainer=me, supervisor=me)
    write_record(run, dataclasses.replace(record, launched=known.get("launched", record.launched)))


def _refusal(error: FtuiError | OSError) -> dict[str, Any]:
    if isinstance(error, OSError):
        what, where = (error.strerror or str(error)).lower(), str(error.filename or "")
        return {"kind": TargetUnavailable.__name__, "what": what, "where": where}
    told = {"what": error.what, "where": error.where, "why": error.why, "hint": error.hint}
    return {"kind": type(error).__name__, **told}


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
