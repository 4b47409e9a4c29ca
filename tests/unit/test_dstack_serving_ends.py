"""A service on dstack ends, whatever becomes of ftui, and nothing else does."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftui import paths
from ftui.errors import TargetUnavailable, TimedOut, UsageError
from ftui.runs import endpoints
from ftui.runs.model import Run
from ftui.serve.place import end_left
from ftui.targets.dstack import preflight
from ftui.targets.dstack.serve import end, record, serving
from ftui.targets.dstack.serve.record import Service
from ftui.targets.dstack.target import DstackTarget
from tests.standins.dstack_server import WAY, DstackServer
from tests.standins.dstack_service import (
    NAME,
    dstack,
    records,
    refused,
    run,
    serving_it,
)
from tests.standins.servers import wait_for

__all__ = ("dstack", "run", "serving_it")


CHAT = """
import asyncio, sys
from ftui.runs.store import find
from ftui.serve.place import Where
async def main():
    async with Where("dstack").serve(find("amber"), lambda _: None):
        print("ready", flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


def chat() -> subprocess.Popen[bytes]:
    """Another ftui that serves the run."""
    started = subprocess.Popen(
        [sys.executable, "-c", CHAT], stdout=subprocess.PIPE, start_new_session=True
    )
    assert started.stdout is not None
    assert started.stdout.readline() == b"ready\n"
    return started


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGINT])
def test_the_end_of_ftui_is_the_end_of_the_service(
    dstack: DstackServer, run: Run, number: signal.Signals
) -> None:
    ftui = chat()
    ftui.send_signal(number)
    wait_for(lambda: dstack.ended == [NAME], "the end of the service")
    wait_for(lambda: not records(), "the end of the record")
    assert endpoints.known(run) == ()
    ftui.wait(10)
    assert ftui.stdout is not None
    ftui.stdout.close()


def test_what_a_killed_guard_left_behind_is_shown_and_can_be_ended(
    dstack: DstackServer, run: Run
) -> None:
    ftui = chat()
    assert endpoints.left(run) == ()
    [served] = endpoints.known(run)
    assert (served.target, served.name) == ("dstack", NAME)
    os.kill(guards()[0], signal.SIGKILL)
    wait_for(lambda: endpoints.left(run), "the end of the guard")
    with pytest.raises(UsageError, match="is being served"):
        DstackTarget().end_export(run, NAME)
    assert dstack.ended == []

    os.killpg(ftui.pid, signal.SIGKILL)
    ftui.wait(10)
    assert ftui.stdout is not None
    ftui.stdout.close()
    told: list[str] = []
    end_left(run, told.append)
    assert dstack.ended == [NAME]
    assert "on dstack has ended" in told[0]
    assert (records(), endpoints.known(run)) == ([], ())


def test_what_a_killed_guard_left_behind_is_ended_by_the_next(
    dstack: DstackServer, run: Run
) -> None:
    ftui = chat()
    os.killpg(ftui.pid, signal.SIGKILL)
    (guard,) = guards()
    os.kill(guard, signal.SIGKILL)
    ftui.wait(10)
    wait_for(lambda: list(record.left_behind()), "the end of the guard")
    assert ftui.stdout is not None
    ftui.stdout.close()
    assert dstack.ended == []
    again = chat()
    assert dstack.ended == [NAME]
    assert dstack.runs[NAME]["id"] == "id-1"
    again.send_signal(signal.SIGKILL)
    wait_for(lambda: dstack.ended == [NAME, NAME], "the end of the second")
    wait_for(lambda: not records(), "the end of the record")
    again.wait(10)
    assert again.stdout is not None
    again.stdout.close()


async def test_a_service_whose_guard_was_killed_ends_with_the_chat(
    dstack: DstackServer, run: Run, serving_it: Callable[[], Any]
) -> None:
    async with serving_it():
        (guard,) = guards()
        os.kill(guard, signal.SIGKILL)
        assert dstack.ended == []
    assert dstack.ended == [NAME]
    assert records() == []
    assert endpoints.known(run) == ()
    assert "ended after $0.42" in (run.folder / "serve.log").read_text()


async def test_one_that_cannot_be_ended_without_its_guard_is_told(
    dstack: DstackServer, serving_it: Callable[[], Any]
) -> None:
    with pytest.raises(TargetUnavailable, match="may cost on") as caught:
        async with serving_it():
            cut_off(dstack)
    assert "dstack stop" in caught.value.hint
    assert len(records()) == 1


def cut_off(dstack: DstackServer) -> None:
    """Neither the guard nor ftui can end the service."""
    (guard,) = guards()
    os.kill(guard, signal.SIGKILL)
    dstack.silent = True


def guards() -> list[int]:
    """The guards of this test's services."""
    import psutil

    mine = str(paths.servers_dir())
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(mine in word for word in process.info["cmdline"] or ())
        and "ftui.targets.dstack.serve.guard" in (process.info["cmdline"] or ())
    ]


@pytest.mark.parametrize(("id", "ended"), [("theirs", []), ("ours", ["serve-jade"])])
async def test_only_what_is_on_record_is_ended(
    dstack: DstackServer, serving_it: Callable[[], Any], id: str, ended: list[str]
) -> None:
    dstack.begin("serve-jade", id)
    jade = Run(paths.runs_dir() / "jade")
    with record.claimed(jade) as lock:
        record.write(lock, Service("main", "serve-jade", "ours", str(jade.folder / "log")))
    async with serving_it():
        assert dstack.ended == ended
    assert dstack.ended == [*ended, NAME]


async def test_a_name_that_somebody_takes_meanwhile_stays_theirs(
    dstack: DstackServer, run: Run
) -> None:
    dstack.overtaken_by = "theirs"
    error = await refused(run)
    assert "Cannot override active run" in error.what
    assert dstack.at_work() == [NAME]
    assert dstack.runs[NAME]["id"] == "theirs"
    assert records() == []


async def test_a_service_that_is_at_work_is_not_changed(
    dstack: DstackServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def overlooked(*_: object) -> None:
        dstack.begin(NAME, "theirs")

    monkeypatch.setattr(preflight, "refuse_taken", overlooked)
    error = await refused(run)
    assert isinstance(error, UsageError)
    assert f"{NAME!r} is at work" in error.what
    assert dstack.at_work() == [NAME]


async def test_what_dstack_took_behind_a_garbled_answer_is_ended(
    dstack: DstackServer, run: Run
) -> None:
    dstack.garbles = True
    error = await refused(run)
    assert "no dstack server" in error.what
    assert dstack.ended == [NAME]
    assert records() == []


def test_a_record_that_was_removed_takes_no_other_with_it(run: Run) -> None:
    file = record.file_of(run)
    with record.claimed(run):
        file.unlink()
        file.touch()  # another ftui has begun
    assert file.exists()


async def test_what_was_left_behind_and_cannot_be_ended_is_told_and_holds_nothing_up(
    dstack: DstackServer, run: Run, serving_it: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "LEFT_BEHIND_SECONDS", 0.2)
    dstack.stubborn = True
    dstack.begin("serve-jade", "ours")
    jade = Run(paths.runs_dir() / "jade")
    with record.claimed(jade) as lock:
        record.write(lock, Service("main", "serve-jade", "ours", str(jade.folder / "log")))
    async with asyncio.timeout(60), serving_it() as endpoint:
        assert "serve-jade was left behind" in endpoint.terms
        assert "serve-jade was left behind" in (run.folder / "serve.log").read_text()
        assert record.file_of(jade) in records()
        dstack.stubborn = False
    assert record.file_of(jade) in records()


async def test_a_cancelled_start_ends_the_service(
    dstack: DstackServer, serving_it: Callable[[], Any]
) -> None:
    dstack.states = list(WAY[:2])

    async def begin() -> None:
        async with serving_it():
            pass

    task = asyncio.create_task(begin())
    async with asyncio.timeout(10):
        while not dstack.runs:
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert dstack.ended == [NAME]


async def test_a_service_that_cannot_be_ended_is_told_and_ended_later(
    dstack: DstackServer, serving_it: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "LEAVE_SECONDS", 0.3)
    with pytest.raises(TimedOut, match="may cost on") as caught:
        async with serving_it():
            dstack.silent = True
    assert "dstack stop" in caught.value.hint
    assert dstack.ended == []
    dstack.silent = False
    await asyncio.to_thread(wait_for, lambda: dstack.ended == [NAME], "the end")


async def test_a_container_that_does_not_end_when_asked_is_ended_at_once(
    dstack: DstackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(end, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(end, "_ABORT_SECONDS", 0.1)
    dstack.stubborn = True
    dstack.begin(NAME, "ours")
    words = await end.end(Service("main", NAME, "ours"))
    assert "its machine is given back" in words
    assert dstack.ended == [NAME]


async def test_one_that_never_ends_is_told(
    dstack: DstackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(end, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(end, "_LIMIT_SECONDS", 0.1)
    dstack.stubborn = True
    dstack.begin(NAME, "ours")
    with pytest.raises(TimedOut, match="may cost on"):
        await end.end(Service("main", NAME, "ours"))


async def test_why_a_guard_failed_is_told_and_the_next_ftui_ends_the_service(
    dstack: DstackServer, serving_it: Callable[[], Any], tmp_path: Path
) -> None:
    with pytest.raises(TargetUnavailable, match="not logged in") as caught:
        async with serving_it():
            (tmp_path / "person" / ".dstack" / "config.yml").unlink()
    assert "may cost on" in caught.value.what
    assert dstack.ended == []
    dstack.log_in(tmp_path / "person")
    async with serving_it():
        assert dstack.ended == [NAME]
    assert records() == []
