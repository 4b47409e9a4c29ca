"""What ftui makes of Modal's answers, and of an app that does not go. Needs no Modal."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import modal
import pytest
from modal import exception as told

from ftui.errors import TargetUnavailable, TimedOut
from ftui.runs import endpoints
from ftui.runs.endpoints import Served
from ftui.runs.model import Run
from ftui.targets.modal import command, ending, serve_guard
from ftui.targets.modal.api import RUNS, Api, Outcome
from ftui.targets.modal.failures import Missing, Unreachable, in_words
from ftui.targets.remote import patience

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
    app.answers = [TargetUnavailable("Modal says no")]
    monkeypatch.setattr(patience, "_SECONDS", -1.0)
    with pytest.raises(TargetUnavailable):
        asyncio.run(serve_guard._gone("ftui-x-1a2b", "x", Run(tmp_path)))


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
