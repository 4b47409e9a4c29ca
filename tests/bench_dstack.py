"""What following a run on dstack costs: `python -m tests.bench_dstack`, about a minute.

Against the real dstack server at its usual pace, a stand-in host, and a trainer that does a step
every half second. The peers are dstack's own command line and its own log.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from ftui.plan.plan import start
from ftui.plan.presets import find
from ftui.runs.events import parse
from ftui.runs.model import Run
from ftui.runs.store import read_record
from ftui.runs.tail import EventFollower
from ftui.targets.dstack import login
from ftui.targets.dstack.api import Api
from ftui.targets.dstack.document import DOCUMENT
from ftui.targets.dstack.follow import Follower
from ftui.targets.dstack.lines import Lines
from ftui.targets.dstack.target import DstackTarget
from ftui.targets.prepare import prepare
from ftui.targets.remote.supervised import POLL_SECONDS
from tests.standins.dstack_host.lab import lab

STEPS = 1000
STEP_SECONDS = 0.5
FOLLOWED_SECONDS = 30.0
LOOK_SECONDS = 0.005
_DSTACK = str(Path(sys.executable).with_name("dstack"))


class Counted(Api):
    """Counts what the server is asked."""

    asked = 0

    async def _send(self, path: str, **content: Any) -> Any:
        self.asked += 1
        return await super()._send(path, **content)


def main() -> None:
    """Print the table as Markdown."""
    with tempfile.TemporaryDirectory() as folder, lab(Path(folder), hurried=False) as made:
        os.environ |= {"HOME": str(made.home), "FTUI_HOME": f"{folder}/home"}
        os.environ["SCRIPTED_STEP_SECONDS"] = str(STEP_SECONDS)
        made.play_scripted(STEPS)
        target = DstackTarget()
        ours, theirs = _launched(target), _applied(target)
        made.end_runs()
        run = prepare(replace(start(find("nano-sql-lora")), target="dstack"), target)
        target.launch(run)
        supervisor = read_record(run).supervisor
        assert supervisor is not None
        os.kill(supervisor.pid, signal.SIGKILL)
        (made.container(run.name) / "allowed").write_text(str(STEPS))
        lag, log_lag, requests = asyncio.run(_followed(run))
    print("| what | ftui | dstack itself |\n|---|---|---|")
    print(f"| launch, `dstack apply -d` | {ours:.1f} s | {theirs:.1f} s |")
    print(f"| lag of an event, of dstack's log | {lag * 1e3:.0f} ms | {log_lag * 1e3:.0f} ms |")
    print(f"| requests a minute while following | {requests:.0f} | |")


def _launched(target: DstackTarget) -> float:
    """Seconds until a run is submitted, checked and followed."""
    run = prepare(replace(start(find("nano-sql-lora")), target="dstack"), target)
    began = time.perf_counter()
    target.launch(run)
    return time.perf_counter() - began


def _applied(target: DstackTarget) -> float:
    """Seconds until `dstack apply` has submitted the same."""
    plan = replace(start(find("nano-sql-lora")), target="dstack")
    run = prepare(plan, target)
    target.write(run, plan)
    began = time.perf_counter()
    subprocess.run(
        [_DSTACK, "apply", "-f", DOCUMENT, "-y", "-d"],
        cwd=run.folder,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


async def _followed(run: Run) -> tuple[float, float, float]:
    """Middle lag of an event here, and in dstack's log; requests a minute."""
    lags: list[float] = []
    log_lags: list[float] = []
    async with Counted(login.find()) as api, Api(login.find()) as other:
        following = asyncio.create_task(Follower(run, run.name, POLL_SECONDS).follow(api))
        await _until_it_steps(run)
        asked = api.asked
        looking = [_look_here(run, lags), _look_there(run, other, log_lags)]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FOLLOWED_SECONDS):
                await asyncio.gather(*looking)
        requests = api.asked - asked
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
    there = median(log_lags or [FOLLOWED_SECONDS])  # or longer, where nothing came
    return median(lags), there, requests * 60 / FOLLOWED_SECONDS


async def _until_it_steps(run: Run) -> None:
    while not any(event.kind == "step" for event in EventFollower(run).poll()):
        await asyncio.sleep(LOOK_SECONDS)


async def _look_here(run: Run, lags: list[float]) -> None:
    follower = EventFollower(run)
    follower.poll()
    while True:
        now = time.time()
        lags.extend(now - event.time for event in follower.poll() if event.kind == "step")
        await asyncio.sleep(LOOK_SECONDS)


async def _look_there(run: Run, api: Api, lags: list[float]) -> None:
    told = await api.run(run.name)
    assert told is not None
    submission, after, lines = told["latest_job_submission"]["id"], "", Lines()
    began = time.time()
    while True:
        if pieces := await api.logs(run.name, submission, after):
            after, now = pieces[-1].time, time.time()
            taken = lines.feed(b"".join(piece.data for piece in pieces))
            happened = [event.time for line in taken.events if (event := parse(line.decode()))]
            lags.extend(now - moment for moment in happened if moment > began)
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    main()
