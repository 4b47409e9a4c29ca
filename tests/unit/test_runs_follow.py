"""A run in plain lines: what it waits for, what its log says, and who reads along."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ftui.errors import ExitCode
from ftui.plain import follow, talk
from ftui.plain.follow import STARTS
from ftui.runs.model import Run, RunState
from ftui.serve.place import Where
from ftui.targets.endpoint import Endpoint
from ftui.targets.local import LocalTarget
from ftui.targets.resume import resume
from tests.standins import runs
from tests.standins.runs import allow, state, wait_for

FTUI = (sys.executable, "-c", "from ftui.cli import main; main()")


@pytest.fixture
def loading(made: list[Run]) -> Run:
    """A run that is launched, and comes to no step."""
    run = runs.make_run(3, "loading")
    made.append(run)
    LocalTarget().launch(run)
    return run


def test_a_watch_in_a_pipe_says_at_once_what_it_waits_for(loading: Run) -> None:
    with subprocess.Popen([*FTUI, "watch", loading.name], stdout=subprocess.PIPE) as watch:
        assert watch.stdout is not None
        try:
            assert watch.stdout.readline().decode() == f"◌ starting  {STARTS}\n"
        finally:
            watch.kill()


def test_a_watch_of_another_try_says_where_it_begins(
    killed: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    resume(killed)
    allow(killed, 9)
    assert follow.until_ended(killed) == ExitCode.OK
    said = capsys.readouterr().out
    assert said.count(STARTS) == 1, "of the first try"
    assert "◌ starting  goes on from step 4\n● training  from step 4 of 9 steps\n" in said


@pytest.mark.parametrize("command", ["logs", "watch"])
def test_who_has_read_enough_of_it_is_no_failure(killed: Run, command: str) -> None:
    with killed.log_file.open("a") as file:
        file.writelines(f"line {number}\n" for number in range(100_000))
    step = '{"v": 1, "event": "log", "step": %d, "max_steps": 9, "values": {"loss": 1.0}}\n'
    killed.events_file.write_text(
        "".join(step % number for number in range(9000)) + killed.events_file.read_text()
    )
    ftui = subprocess.Popen(
        [*FTUI, command, killed.name], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert ftui.stdout is not None
    assert ftui.stdout.readline()
    ftui.stdout.close()
    assert ftui.stderr is not None
    assert ftui.stderr.read() == b""
    ftui.stderr.close()
    assert ftui.wait(30) == 0


def test_who_talks_with_lost_numbers_is_warned(
    made: list[Run], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = runs.make_run(9, "nan", "learning_rate: 0.0004\n")
    made.append(run)
    LocalTarget().launch(run)
    allow(run, 9)
    wait_for(lambda: state(run) is RunState.NUMBERS_LOST, "the end")

    @asynccontextmanager
    async def serve(*_: object) -> AsyncIterator[Endpoint]:
        yield Endpoint("http://127.0.0.1:1", tuned="tuned")

    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    monkeypatch.setattr("ftui.serve.place.serve_run", serve)
    assert talk.chat(run, Where()) == ExitCode.OK
    assert f"▲ {run.name}: its numbers were lost" in capsys.readouterr().err
