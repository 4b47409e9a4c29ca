"""However ftui or the real vLLM ends, nothing of it is left. Each test needs a start of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import httpx2
import pytest

from ftui.runs import process
from ftui.targets.endpoint import Stage
from tests.standins.adapter import make_run
from tests.standins.servers import members_on_record, record, record_files, running, wait_for

QUESTION = [{"role": "user", "content": "How many rivers are there?"}]

FTUI = """
    import asyncio, sys
    from pathlib import Path
    from ftui.runs.model import Run
    from ftui.serve.server import serve_run

    async def main():
        said = lambda phase: print(phase.stage.value, flush=True)
        async with serve_run(Run(Path(sys.argv[1])), said) as endpoint:
            print(endpoint.base_url, endpoint.api_key, flush=True)
            await asyncio.sleep(600)

    asyncio.run(main())
"""


@pytest.fixture
def ftui(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    """An ftui that serves a run, as a program of its own, because it will be killed."""
    monkeypatch.setenv("FTUI_HOME", str(tmp_path))
    run = make_run()
    command = [sys.executable, "-c", textwrap.dedent(FTUI), str(run.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        yield program
        program.kill()


def read_until(said: IO[str] | None, line: str) -> None:
    assert said is not None
    for each in said:
        if each.strip() == line:
            return
    raise AssertionError(f"ftui ended before it said {line}")


@pytest.mark.parametrize("whom", ["ftui", "the first process of vLLM"])
def test_killed_while_it_starts_nothing_is_left(ftui: subprocess.Popen[str], whom: str) -> None:
    """At this point vLLM swallows SIGTERM, and its helpers outlive its first process."""
    read_until(ftui.stdout, Stage.LOADING.value)
    leader = int(record()["server"]["pid"])
    members = members_on_record()
    assert len(members) >= 3
    if whom == "ftui":
        ftui.terminate()
    else:
        os.kill(leader, signal.SIGKILL)
    wait_for(lambda: not running(members) and not process.group(leader), "all to be gone")
    wait_for(lambda: not record_files(), "the record to be gone")


def test_ftui_killed_while_somebody_listens_leaves_nothing(
    ftui: subprocess.Popen[str],
) -> None:
    """With an open stream vLLM never ends by itself."""
    read_until(ftui.stdout, Stage.READY.value)
    assert ftui.stdout is not None
    url, key = ftui.stdout.readline().split()
    members, scratch = members_on_record(), Path(record()["scratch"])
    said = listen_and_kill(url, key, ftui)
    assert '"finish_reason":"length"' not in said, "it was told to the end"
    wait_for(lambda: not running(members), "all to be gone")
    wait_for(lambda: not record_files() and not scratch.exists(), "its files to be gone")


def listen_and_kill(url: str, key: str, program: subprocess.Popen[str]) -> str:
    """All that came of an answer of a thousand words, ftui being killed at its first."""
    request = {"model": "base", "messages": QUESTION, "stream": True}
    request |= {"ignore_eos": True, "max_tokens": 900}
    said = ""
    with (
        httpx2.Client(trust_env=False, timeout=60, base_url=url) as http,
        http.stream(
            "POST",
            "/v1/chat/completions",
            json=request,
            headers={"Authorization": f"Bearer {key}"},
        ) as response,
        contextlib.suppress(httpx2.TransportError),
    ):
        for piece in response.iter_text():
            said += piece
            program.kill()
    assert '"content"' in said
    return said
