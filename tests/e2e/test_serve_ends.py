"""However ftui or the real vLLM ends, nothing of it is left. Each test needs a start of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
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

ANSWERS = 32
"""At once, each of 900 tokens with twenty others in place of each: tens of megabytes, of which the
kernel keeps four."""
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
    with unread(url, key) as rest:
        ftui.kill()
        wait_for(lambda: not running(members), "all to be gone")
        wait_for(lambda: not record_files() and not scratch.exists(), "its files to be gone")
        assert '"finish_reason":"length"' not in "".join(rest), "it was told to the end"


@contextlib.contextmanager
def unread(url: str, key: str) -> Iterator[Iterator[str]]:
    """An answer that has begun, and of which nobody reads on: it takes far longer than a kill, and
    there is more of it than all buffers on its way hold. Gives what came of it: whatever vLLM does
    with a stream that it gives up, it has not told all of it."""
    request = {"model": "base", "messages": QUESTION, "stream": True, "n": ANSWERS}
    request |= {"ignore_eos": True, "max_tokens": 900, "logprobs": True, "top_logprobs": 20}
    small = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)]
    with (
        httpx2.HTTPTransport(socket_options=small) as transport,
        httpx2.Client(transport=transport, timeout=60, base_url=url) as http,
        http.stream(
            "POST",
            "/v1/chat/completions",
            json=request,
            headers={"Authorization": f"Bearer {key}"},
        ) as response,
    ):
        pieces = response.iter_text()
        assert any('"content"' in piece for piece in pieces)
        yield until_cut(pieces)


def until_cut(pieces: Iterator[str]) -> Iterator[str]:
    """What comes until the connection breaks."""
    with contextlib.suppress(httpx2.TransportError):
        yield from pieces
