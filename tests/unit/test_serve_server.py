"""The life of a server: phases, readiness, every way to fail, and that nothing is left behind.

A stand-in takes vLLM's place here; tests/e2e/test_serve.py does the same with the real one.
"""

import asyncio
import socket
import sys
from pathlib import Path

import psutil
import pytest

from ftui import paths
from ftui.errors import RunFailed, RuntimeMissing, TargetUnavailable, TimedOut
from ftui.runs.model import Run
from ftui.serve.server import checked_port, free_port, serve_run
from ftui.targets.endpoint import Phase, Stage
from ftui.targets.vllm import client
from tests.standins.servers import members_on_record, record_files, running, wait_for

STANDIN = Path(__file__).parents[1] / "standins" / "openai_server.py"
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A finished run, and a serve runtime whose Python is the stand-in."""
    monkeypatch.setenv("FTUI_HOME", str(tmp_path))
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {STANDIN} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("FTUI_SERVE_PYTHON", str(python))
    (tmp_path / "nano").mkdir()
    made = Run(paths.runs_dir() / "amber")
    made.output_dir.mkdir(parents=True)
    made.config_file.write_text(f"base_model: {tmp_path / 'nano'}\n")
    (made.output_dir / "adapter_config.json").write_text('{"r": 8}')
    return made


def ignore(_: Phase) -> None:
    """A person who looks elsewhere."""


async def test_base_and_tuned_answer_and_nothing_is_left(run: Run) -> None:
    phases: list[Phase] = []
    async with serve_run(run, phases.append) as endpoint:
        answers = [await client.answer(endpoint, model, HELLO) for model in endpoint.models]
        members = members_on_record()
        assert members
    assert answers == ["I am base", "I am tuned"]
    assert [phase.stage for phase in phases if phase.stage is not Stage.LOADING] == [
        Stage.STARTING,
        Stage.CHECKING,
        Stage.READY,
    ]
    assert [phase.seconds for phase in phases] == sorted(phase.seconds for phase in phases)
    assert not running(members)
    assert not record_files()
    assert endpoint.log_file == run.folder / "serve.log"


async def test_the_key_of_a_server_is_in_no_file(run: Run) -> None:
    async with serve_run(run, ignore) as endpoint:
        assert endpoint.api_key
        texts = [f.read_text() for f in paths.home().rglob("*") if f.is_file()]
        commands = [" ".join(psutil.Process(each.pid).cmdline()) for each in members_on_record()]
    assert not any(endpoint.api_key in text for text in texts + commands)


async def test_a_full_fine_tune_has_no_base(run: Run) -> None:
    (run.output_dir / "adapter_config.json").unlink()
    (run.output_dir / "model.safetensors").touch()
    async with serve_run(run, ignore) as endpoint:
        assert endpoint.models == ("tuned",)


async def test_a_refusal_is_told_with_the_logs_own_reason(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTUI_STANDIN", "refuse")
    with pytest.raises(RunFailed, match="vLLM does not yet support DoRA") as caught:
        async with serve_run(run, ignore):
            pass
    assert str(run.folder / "serve.log") in caught.value.hint
    assert not record_files()


async def test_a_server_that_only_calls_itself_healthy_is_not_ready(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTUI_STANDIN", "break")
    with pytest.raises(RunFailed, match=r"base but cannot answer.*EngineCore"):
        async with serve_run(run, ignore):
            pass
    assert not record_files()


async def test_a_start_that_takes_too_long_is_given_up(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTUI_STANDIN", "mute")
    with pytest.raises(TimedOut, match="0 s") as caught:
        async with serve_run(run, ignore, limit_seconds=0.4):
            pass
    assert "serve.log" in caught.value.hint
    assert not record_files()


async def test_cancelling_a_start_leaves_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTUI_STANDIN", "mute")

    async def start() -> None:
        async with serve_run(run, ignore):
            pass

    task = asyncio.create_task(start())
    await asyncio.to_thread(wait_for, members_on_record, "a server")
    members = members_on_record()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not running(members)
    assert not record_files()


async def test_a_port_that_is_taken_is_named(run: Run) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(TargetUnavailable, match=f"port {port}") as caught:
            async with serve_run(run, ignore, port=port):
                pass
    assert "another port" in caught.value.hint


def test_a_free_port_can_be_used_and_no_port_cannot() -> None:
    port = free_port()
    assert checked_port(port) == port
    with pytest.raises(TargetUnavailable, match="99999"):
        checked_port(99999)


async def test_without_the_runtime_the_command_that_makes_it_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FTUI_SERVE_PYTHON")
    with pytest.raises(RuntimeMissing) as caught:
        async with serve_run(run, ignore):
            pass
    assert caught.value.hint == "ftui setup serve"
