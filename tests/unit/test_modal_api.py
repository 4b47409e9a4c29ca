"""What ftui makes of Modal's answers, and of an app that does not go. Needs no Modal."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import modal
import pytest
from modal import exception as told

from ftui.errors import TargetUnavailable, TimedOut
from ftui.runs import endpoints, process
from ftui.runs.endpoints import Served
from ftui.runs.model import Run
from ftui.targets.modal import command, ending, serve_guard
from ftui.targets.modal.api import RUNS, Api, Outcome
from ftui.targets.modal.failures import Missing, Unreachable, in_words
from ftui.targets.remote import patience
from tests.standins.runs import wait_for

# ── How a call ended ─────────────────────────────────────────────────────────────────────────


async def outcome(answer: Exception | dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """What becomes of an answer to the question how a call ended."""

    async def get(timeout: float) -> dict[str, Any]:
        if isinstance(answer, Exception):
            raise answer
        return answer

    call = SimpleNamespace(get=SimpleNamespace(aio=get))
    monkeypatch.setattr(modal.FunctionCall, "from_id", lambda call_id, client: call)
    return await Api("ftui-x").outcome("fc-1")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"code": 3, "why": "full"}, Outcome(3, "full")),
        ({"call": "fc-2"}, Outcome(0, "", "fc-2")),
        (TimeoutError(), None),
        (
            RuntimeError("training ended with exit code 7"),
            Outcome(1, "training ended with exit code 7"),
        ),
        (KeyError("base_model"), Outcome(1, "'base_model'")),
        (OSError("no room"), Outcome(1, "no room")),
        (
            told.RemoteError("Function call was cancelled"),
            Outcome(1, "Function call was cancelled"),
        ),
        (told.ExecutionError("Could not deserialize"), Outcome(1, "Could not deserialize")),
        (told.InternalFailure("the worker died"), Outcome(1, "the worker died")),
    ],
)
async def test_how_a_call_ended(
    answer: Any, expected: Outcome | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await outcome(answer, monkeypatch) == expected


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (told.ResourceExhaustedError("rate limit"), Unreachable),
        (told.ServiceError("unavailable"), Unreachable),
        (told.ConnectionError("offline"), Unreachable),
        (told.TimeoutError("no answer, after its tries"), Unreachable),
        (told.NotFoundError("no such call"), Missing),
        (told.PermissionDeniedError("not yours"), TargetUnavailable),
        (told.AuthError("who are you"), TargetUnavailable),
        (told.DataLossError("lost"), TargetUnavailable),
        (told.InvalidError("bad request"), TargetUnavailable),
    ],
)
async def test_a_question_that_is_not_answered_is_no_end_of_a_training(
    answer: Exception, raised: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(raised):
        await outcome(answer, monkeypatch)


def test_only_what_can_be_full_is_to_be_emptied() -> None:
    full = told.ResourceExhaustedError("quota")
    for hint in ("", "remove something"):
        with pytest.raises(TargetUnavailable) as caught, in_words("it does not begin", full=hint):
            raise full
        assert (caught.value.what, caught.value.hint) == ("it does not begin", hint)


# ── An app that does not go ──────────────────────────────────────────────────────────────────


class Stubborn(Api):
    """Answers with these when it is to be stopped, and stays as long as there are some."""

    def __init__(self, *answers: Exception | None) -> None:
        super().__init__("ftui-x")
        self.answers = list(answers)
        self.removed: list[str] = []

    async def remove(self, path: str, volume: str = RUNS) -> None:
        self.removed.append(path)

    async def __aenter__(self) -> Self:
        return self

    async def is_deployed(self) -> bool:
        return bool(self.answers)

    async def stop_app(self) -> None:
        answer = self.answers.pop(0)
        if answer is not None:
            raise answer


async def test_an_app_is_taken_away_until_it_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "_POLL_SECONDS", 0.0)
    assert await ending.take_away(Stubborn(None, None)) is True
    assert await ending.take_away(Stubborn()) is False
    monkeypatch.setattr(ending, "_SECONDS", -1.0)
    with pytest.raises(TimedOut) as caught:
        await ending.take_away(Stubborn(None))
    assert caught.value.hint == "modal app stop ftui-x"


def test_the_guard_goes_on_whatever_modal_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Stubborn(TargetUnavailable("Modal says no"), Unreachable("offline"), None)
    app.app = "ftui-x-1a2b"
    endpoints.note(Run(tmp_path), Served("modal", app.app))
    monkeypatch.setattr(serve_guard, "Api", lambda name: app)
    monkeypatch.setattr(patience, "_PAUSE_SECONDS", 0.0)
    asyncio.run(serve_guard._gone("ftui-x-1a2b", "x", Run(tmp_path)))
    assert app.answers == []
    assert app.removed == ["/x/endpoint/1a2b"]
    assert endpoints.known(Run(tmp_path)) == ()


@pytest.mark.parametrize(
    ("stopped", "removed", "code", "words"),
    [
        (True, True, 0, ""),
        (False, True, 1, "may still be on Modal"),
        (True, False, 3, "has ended and costs nothing more, but its files"),
    ],
)
def test_what_is_left_of_an_endpoint_is_told_as_it_is(
    stopped: bool,
    removed: bool,
    code: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = TargetUnavailable("Modal says no")
    app = Stubborn(*(() if stopped else (refused,)))

    async def remove(path: str, volume: str = RUNS) -> None:
        if not removed:
            raise refused

    monkeypatch.setattr(app, "remove", remove)
    monkeypatch.setattr(serve_guard, "Api", lambda name: app)
    monkeypatch.setattr(serve_guard, "until_let_go", lambda: None)
    monkeypatch.setattr(patience, "_SECONDS", -1.0)
    assert serve_guard.main("ftui-x-1a2b", "x", str(tmp_path)) == code
    if code:
        with pytest.raises(TargetUnavailable, match=words):
            serve_guard._tell_of_rest(Run(tmp_path), "ftui-x-1a2b", "serve.log", code)
    with pytest.raises(TimedOut, match="may still be on Modal"):
        serve_guard._tell_of_rest(Run(tmp_path), "ftui-x-1a2b", "serve.log", None)


# ── Modal's own command line ─────────────────────────────────────────────────────────────────


async def test_a_line_without_an_end_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    lines = ["echo begun", "head -c 3000000 /dev/zero | tr '\\0' x", "echo"]
    lines += ["head -c 100000 /dev/zero | tr '\\0' y", "echo", "echo done"]
    program.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    said: list[str] = []
    await command.modal("deploy", folder=tmp_path, failed="it failed", tell=said.append)
    assert said[0] == "begun"
    assert said[-2:] == ["y" * 100000, "done"]


DEPLOYS = """
import asyncio, sys
from pathlib import Path
from ftui.targets.modal.command import modal
asyncio.run(modal("deploy", folder=Path(sys.argv[1]), failed="it failed"))
"""


def test_it_ends_with_an_ftui_that_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would put in place what its guard has looked for already."""
    (tmp_path / "modal.py").write_text(
        "import os, sys, time\n"
        "assert sys.argv[1:] == ['deploy'] and sys.stdin.read() == ''\n"
        "with open('pid.new', 'w') as file: file.write(str(os.getpid()))\n"
        "os.rename('pid.new', 'pid')\n"
        "time.sleep(600)\n"
    )
    ftui = subprocess.Popen([sys.executable, "-c", DEPLOYS, str(tmp_path)])
    wait_for((tmp_path / "pid").exists, "the command")
    pid = int((tmp_path / "pid").read_text())
    assert process.identify(pid) is not None
    ftui.kill()
    ftui.wait()
    wait_for(lambda: process.identify(pid) is None, "the end of the command")
