"""Serving on dstack: a server elsewhere answers, and it ends whatever becomes of ftui."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from ftui import paths
from ftui.errors import FtuiError, RunFailed, TargetUnavailable, TimedOut, UsageError
from ftui.runs.model import Run, RunRecord
from ftui.runs.store import write_record
from ftui.serve.place import serving_on
from ftui.targets.dstack import parcel, serve_record, serve_start, serving
from ftui.targets.dstack.login import Login
from ftui.targets.dstack.serve_cargo import Cargo
from ftui.targets.dstack.serve_document import Wish
from ftui.targets.dstack.serve_record import Service
from ftui.targets.dstack.serve_start import endpoint_of
from ftui.targets.dstack.target import DstackTarget
from ftui.targets.endpoint import Phase, Stage
from ftui.targets.renting import Priced
from ftui.targets.vllm import client
from ftui.targets.vllm.command import ServedModels
from tests.standins.adapter import make_run
from tests.standins.dstack_server import MACHINE, TOKEN, WAY, DstackServer
from tests.standins.openai_server import OpenAIServer, Reply
from tests.standins.servers import wait_for

NAME = "serve-amber"
QUESTION = [{"role": "user", "content": "Hello"}]
RAN: dict[str, Any] = {"job_provisioning_data": MACHINE}


@pytest.fixture
def model() -> Iterator[OpenAIServer]:
    """What runs in the container."""
    with OpenAIServer(lambda request: Reply([f"I am {request['model']}"])) as server:
        yield server


@pytest.fixture
def dstack(
    model: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DstackServer]:
    """A server that the person is logged in to; nothing waits for long."""
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "ftui"))
    monkeypatch.delenv("DSTACK_PROJECT", raising=False)
    monkeypatch.setattr(serve_start, "_POLL_SECONDS", 0.02)
    monkeypatch.setattr(serve_start, "_LAST_WORDS_SECONDS", 0.2)
    with DstackServer(model_port=model.port) as server:
        server.log_in(tmp_path / "person")
        yield server


@pytest.fixture
def run(dstack: DstackServer) -> Run:
    """A run with an adapter, trained here."""
    made = make_run()
    settings: dict[str, Any] = {}
    record = RunRecord(made.name, "nano-sql-lora", "Nano writes SQL", "local", 0.0, settings)
    write_record(made, record)
    return made


@pytest_asyncio.fixture
async def serving_it(run: Run) -> AsyncIterator[Callable[[], Any]]:
    """Serves the run for as long as a context lasts."""
    yield lambda: serving_on("dstack", 0.5)(run, lambda _: None)


def records() -> list[Path]:
    return sorted(paths.servers_dir().glob("*.dstack"))


async def refused(run: Run) -> FtuiError:
    with pytest.raises(FtuiError) as caught:
        async with serving_on("dstack")(run, lambda _: None):
            pass
    return caught.value


async def test_both_models_answer_through_dstack_and_then_it_has_ended(
    dstack: DstackServer, run: Run, model: OpenAIServer
) -> None:
    phases: list[Phase] = []
    dstack.printed = b"(Worker pid=3) INFO Starting to load model x...\r\n"
    async with serving_on("dstack", 0.5)(run, phases.append) as endpoint:
        assert dstack.at_work() == [NAME]
        for name in ("base", "tuned"):
            assert await client.answer(endpoint, name, QUESTION) == f"I am {name}"
            async with aclosing(client.stream(endpoint, name, QUESTION)) as chunks:
                assert "".join([chunk.text async for chunk in chunks]) == f"I am {name}"
    assert dstack.ended == [NAME]
    assert records() == []
    assert [phase.stage for phase in phases] == list(Stage)
    log = (run.folder / "serve.log").read_text()
    assert "the cheapest machine now: L4" in log
    assert "aws eu-west-1" in log
    assert "load model x...\n" in log
    assert "ended after $0.42" in log
    spec = dstack.runs[NAME]["spec"]["configuration"]
    assert (spec["max_duration"], spec["idle_duration"], spec["max_price"]) == ("30m", "5m", 4)
    assert not [file for file in run.folder.rglob("*") if file.is_file() and holds(file, TOKEN)]


def holds(file: Path, text: str) -> bool:
    return text.encode() in file.read_bytes()


async def test_a_server_that_is_silent_for_a_while_does_not_matter(
    dstack: DstackServer, run: Run
) -> None:
    silences = 0

    def hang_up(phase: Phase) -> None:
        nonlocal silences
        if phase.stage in (Stage.MACHINE, Stage.IMAGE, Stage.STARTING):
            silences += 1
            dstack.silent = True
            asyncio.get_running_loop().call_later(0.2, setattr, dstack, "silent", False)

    async with serving_on("dstack")(run, hang_up) as endpoint:
        assert await client.answer(endpoint, "tuned", QUESTION) == "I am tuned"
    assert silences == 3
    assert dstack.ended == [NAME]


# ── What keeps a run from being served ───────────────────────────────────────────────────────────


async def test_nothing_to_serve_nothing_asked(dstack: DstackServer, run: Run) -> None:
    (run.output_dir / "adapter_config.json").unlink()
    (run.output_dir / "adapter_model.safetensors").unlink()
    error = await refused(run)
    assert isinstance(error, RunFailed)
    assert "no model" in error.what
    assert dstack.runs == {}


@pytest.mark.parametrize(("lacking", "word"), [("fleets", "no fleet"), ("offers", "no machine")])
async def test_no_fleet_and_no_machine(
    dstack: DstackServer, run: Run, lacking: str, word: str
) -> None:
    setattr(dstack, lacking, [])
    error = await refused(run)
    assert isinstance(error, TargetUnavailable)
    assert word in error.what
    assert error.hint
    assert dstack.runs == {}
    assert records() == []


async def test_a_run_of_that_name_that_is_not_ours_is_left_alone(
    dstack: DstackServer, run: Run
) -> None:
    dstack.begin(NAME, "somebody's")
    error = await refused(run)
    assert isinstance(error, UsageError)
    assert NAME in error.what
    assert dstack.at_work() == [NAME]


async def test_nobody_serves_a_run_twice_at_once(
    dstack: DstackServer, run: Run, serving_it: Callable[[], Any]
) -> None:
    async with serving_it():
        error = await refused(run)
        assert isinstance(error, UsageError)
        assert "already" in error.what
        assert dstack.at_work() == [NAME]
    assert dstack.ended == [NAME]


async def test_why_vllm_ended_is_read_from_its_log(dstack: DstackServer, run: Run) -> None:
    dstack.printed = b"ValueError: vLLM does not yet support DoRA.\r\nnanobind: leaked!\r\n"
    dstack.late = 4
    ended = {"termination_reason": "container_exited_with_error", "exit_status": 1}
    dstack.states = [*WAY[:2], ("failed", "failed", ended)]
    error = await refused(run)
    assert isinstance(error, RunFailed)
    assert error.why == "ValueError: vLLM does not yet support DoRA."
    assert "serve.log" in error.hint
    assert records() == []


@pytest.mark.parametrize(
    ("reason", "kind", "word"),
    [
        ("failed_to_start_due_to_no_capacity", TargetUnavailable, "no machine"),
        ("interrupted_by_no_capacity", TargetUnavailable, "spot"),
        ("max_duration_exceeded", TimedOut, "time limit"),
        ("waiting_runner_limit_exceeded", TargetUnavailable, "image"),
        ("terminated_by_user", TargetUnavailable, "stopped"),
    ],
)
async def test_why_dstack_ended_it(
    dstack: DstackServer, run: Run, reason: str, kind: type[FtuiError], word: str
) -> None:
    dstack.states = [*WAY[:1], ("failed", "failed", {"termination_reason": reason})]
    error = await refused(run)
    assert type(error) is kind
    assert word in error.why


async def test_a_refused_token_is_told_at_once(dstack: DstackServer, run: Run) -> None:
    dstack.refuses = True
    error = await refused(run)
    assert isinstance(error, TargetUnavailable)
    assert error.what == "the dstack server refuses the token"
    assert dstack.ended == [NAME]


async def test_it_takes_no_longer_than_its_limit(
    dstack: DstackServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve_start, "LIMIT_SECONDS", 0.3)
    dstack.states = list(WAY[:2])
    error = await refused(run)
    assert isinstance(error, TimedOut)
    assert "pulling the image" in error.why
    assert dstack.ended == [NAME]


def test_the_token_goes_nowhere_unencrypted() -> None:
    models = ServedModels("org/model", Path("tuned"), 8)
    wish = Wish(NAME, "", None, None, 1.0, Cargo(models))  # type: ignore[arg-type]
    safe = Login("main", "https://dstack.example", TOKEN)
    with pytest.raises(TargetUnavailable, match="encrypt"):
        endpoint_of({"service": {"url": "http://a.example"}}, safe, wish, Path("log"))
    ours = endpoint_of({"service": {"url": "/proxy/services/main/x/"}}, safe, wish, Path("log"))
    assert ours.base_url == "https://dstack.example/proxy/services/main/x"
    theirs = endpoint_of({"service": {"url": "https://a.example"}}, safe, wish, Path("log"))
    assert theirs.base_url == "https://a.example"
    assert TOKEN not in repr(theirs)


# ── However ftui ends ────────────────────────────────────────────────────────────────────────────

CHAT = """
import asyncio, sys
from ftui.runs.store import find
from ftui.serve.place import serving_on
async def main():
    async with serving_on("dstack")(find("amber"), lambda _: None):
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
    ftui.wait(10)
    assert ftui.stdout is not None
    ftui.stdout.close()


def test_what_a_killed_guard_left_behind_is_ended_by_the_next(
    dstack: DstackServer, run: Run
) -> None:
    ftui = chat()
    os.killpg(ftui.pid, signal.SIGKILL)
    (guard,) = guards()
    os.kill(guard, signal.SIGKILL)
    ftui.wait(10)
    wait_for(lambda: list(serve_record.left_behind()), "the end of the guard")
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


def guards() -> list[int]:
    """The guards of this test's services."""
    import psutil

    mine = str(paths.servers_dir())
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(mine in word for word in process.info["cmdline"] or ())
        and "ftui.targets.dstack.serve_guard" in (process.info["cmdline"] or ())
    ]


@pytest.mark.parametrize(("id", "ended"), [("theirs", []), ("ours", ["serve-jade"])])
async def test_only_what_is_on_record_is_ended(
    dstack: DstackServer, serving_it: Callable[[], Any], id: str, ended: list[str]
) -> None:
    dstack.begin("serve-jade", id)
    jade = Run(paths.runs_dir() / "jade")
    with serve_record.claimed(jade) as lock:
        serve_record.write(lock, Service("main", "serve-jade", "ours", str(jade.folder / "log")))
    async with serving_it():
        assert dstack.ended == ended
    assert dstack.ended == [*ended, NAME]


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


# ── What is too large to travel with the configuration ───────────────────────────────────────────

SSH = """\
#!/bin/sh
for command in "$@"; do :; done
[ -e {container}/off ] && exit 255
DSTACK_WORKING_DIR={container} exec sh -c "$command"
"""


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a container, in which `ssh` runs its commands."""
    made, commands = tmp_path / "container", tmp_path / "commands"
    (made / "serving").mkdir(parents=True)
    commands.mkdir()
    ssh = commands / "ssh"
    ssh.write_text(SSH.format(container=made))
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    return made


async def test_a_large_model_is_sent_once_the_container_is_reached(
    dstack: DstackServer, run: Run, container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcel, "TOTAL_BYTES", 100)
    (container / "off").touch()
    for name in ("base", "tuned"):
        (container / "serving" / name).mkdir()

    def wake(phase: Phase) -> None:
        if phase.stage is Stage.STARTING:
            loop = asyncio.get_running_loop()
            loop.call_later(0.2, (container / "off").unlink)

    async with serving_on("dstack")(run, wake) as endpoint:
        assert await client.answer(endpoint, "tuned", QUESTION) == "I am tuned"
    assert (container / "serving" / "arrived").exists()
    weights = "adapter_model.safetensors"
    there = container / "serving" / "tuned" / weights
    assert there.read_bytes() == (run.output_dir / weights).read_bytes()
    assert (container / "serving" / "base" / "config.json").is_file()
    log = (run.folder / "serve.log").read_text()
    assert "could not be sent yet" in log
    assert "the model is there" in log
    assert len(dstack.archives) == 1, "serve.sh alone went with the configuration"


async def test_what_arrives_damaged_is_not_served(
    dstack: DstackServer, run: Run, container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcel, "TOTAL_BYTES", 100)
    monkeypatch.setattr(serve_start, "LIMIT_SECONDS", 1.0)
    for name in ("base", "tuned"):
        (container / "serving" / name).mkdir()
    (container / "serving" / "tuned" / "adapter_model.safetensors").symlink_to("/dev/null")
    error = await refused(run)
    assert isinstance(error, TimedOut)
    assert not (container / "serving" / "arrived").exists()
    assert "checksum differs" in (run.folder / "serve.log").read_text()
    assert dstack.ended == [NAME]


# ── What it costs ────────────────────────────────────────────────────────────────────────────────


def test_the_price_is_told_before_anything_is_rented(dstack: DstackServer, run: Run) -> None:
    target = DstackTarget()
    assert isinstance(target, Priced)
    assert target.serving_terms(run) == "L4 · $1.25/h"
    assert dstack.runs == {}
    assert not (run.folder / "serve.dstack.yml").exists()
    dstack.offers = []
    with pytest.raises(TargetUnavailable, match="no machine"):
        target.serving_terms(run)


async def test_the_price_and_the_end_are_told_while_somebody_talks(
    serving_it: Callable[[], Any],
) -> None:
    async with serving_it() as endpoint:
        assert re.fullmatch(r"dstack · L4 · \$1\.25/h · until \d\d:\d\d", endpoint.terms)
