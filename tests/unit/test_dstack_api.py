"""Servers that are down, foreign, of another version, or that refuse, in words."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest

from ftui.errors import TargetUnavailable
from ftui.targets.dstack import preflight
from ftui.targets.dstack.api import Api, Refused, Unreachable
from ftui.targets.dstack.login import Login

Question = Callable[[Api], Awaitable[Any]]


class Scripted(BaseHTTPRequestHandler):
    """Answers what the test says, whatever is asked."""

    status, body = 200, b""
    asked: ClassVar[list[tuple[str, dict[str, str]]]]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.asked.append((self.path, dict(self.headers)))
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[type[Scripted]]:
    class Mine(Scripted):
        url = ""

    Mine.asked = []
    listening = HTTPServer(("127.0.0.1", 0), Mine)
    Mine.url = f"http://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    yield Mine
    listening.shutdown()
    thread.join()
    listening.server_close()


async def test_a_proxy_is_not_asked_for_a_server_of_this_machine(
    server: type[Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    server.body = b"[]"
    assert await ask(server, Api.fleets) == []


async def ask(server: Any, question: Question) -> Any:
    async with Api(Login("main", server.url, "a-token")) as api:
        return await question(api)


QUESTIONS: dict[str, Question] = {
    "run": lambda api: api.run("x"),
    "fleets": preflight.refuse_no_fleet,
    "version": preflight.version_advice,
    "secrets": lambda api: api.secrets(),
    "logs": lambda api: api.logs("x", "one", ""),
    "key": lambda api: api.ssh_key(),
    "upload": lambda api: api.upload(b"data"),
    "apply": lambda api: api.apply({}),
}


ODD = ((200, b"<html>hello</html>"), (404, b"<html>no such page</html>"), (200, b"7"))
ODD_SHAPES = ((200, b'"a text"'), (200, b'[{"something": "else"}]'))


@pytest.mark.parametrize(
    ("name", "answer"),
    [(name, answer) for name in QUESTIONS for answer in ODD]
    + [(name, answer) for name in QUESTIONS if name != "fleets" for answer in ODD_SHAPES],
)
async def test_what_is_no_dstack_server_or_of_another_version(
    server: Any, name: str, answer: tuple[int, bytes]
) -> None:
    server.status, server.body = answer
    with pytest.raises(TargetUnavailable, match="no dstack server, or one of another version"):
        await ask(server, QUESTIONS[name])


@pytest.mark.parametrize(
    ("status", "detail", "words"),
    [
        (401, "Not authenticated", "refuses the login to project 'main': Not authenticated"),
        (403, {"msg": "Invalid token", "code": None}, "refuses the login .*: Invalid token"),
        (404, {"msg": "Not found", "code": None}, "no project 'main'"),
        (400, [{"msg": "Cannot override active run", "code": "x"}], "Cannot override active run"),
        (422, [{"loc": ["body", "limit"], "msg": "too many"}], "body.limit: too many"),
    ],
)
async def test_a_refusal(server: Any, status: int, detail: Any, words: str) -> None:
    server.status, server.body = status, json.dumps({"detail": detail}).encode()
    with pytest.raises(Refused, match=words) as caught:
        await ask(server, lambda api: api.secrets())
    assert caught.value.where == server.url
    assert "a-token" not in str(caught.value)


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_server_that_fails_is_worth_another_try(server: Any, status: int) -> None:
    server.status = status
    with pytest.raises(Unreachable, match=f"HTTP {status}"):
        await ask(server, lambda api: api.secrets())


async def test_nobody_listens() -> None:
    async with Api(Login("main", "http://127.0.0.1:9", "a-token")) as api:
        with pytest.raises(Unreachable, match="does not answer") as caught:
            await api.secrets()
    assert caught.value.hint


@pytest.mark.parametrize("url", ["127.0.0.1:3000", "ftp://x", "http://", "http://[", ""])
async def test_a_url_that_is_none(url: str) -> None:
    async with Api(Login("main", url, "a-token")) as api:
        with pytest.raises(Unreachable, match="does not answer"):
            await api.secrets()


async def test_a_run_that_is_not_there_is_none(server: Any) -> None:
    detail = [{"msg": "Run not found", "code": "resource_not_exists"}]
    server.status, server.body = 400, json.dumps({"detail": detail}).encode()
    assert await ask(server, lambda api: api.run("x")) is None


async def test_the_token_goes_into_the_header_and_no_version_does(server: Any) -> None:
    server.body = b"[]"
    await ask(server, lambda api: api.secrets())
    [(path, headers)] = server.asked
    assert path == "/api/project/main/secrets/list"
    assert headers["Authorization"] == "Bearer a-token"
    assert not [name for name in headers if "version" in name.lower()]


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("0.22.9", []),
        (None, []),
        ("a build of mine", []),
        ("0.21.3", ["the dstack server is 0.21.3, older than what ftui was tried with (0.22)"]),
        ("0.23.0", ["the dstack server is 0.23.0, newer than what ftui was tried with (0.22)"]),
        ("1.0", ["the dstack server is 1.0, newer than what ftui was tried with (0.22)"]),
    ],
)
async def test_another_version_is_said_once(server: Any, version: Any, words: list[str]) -> None:
    server.body = json.dumps({"server_version": version}).encode()
    assert await ask(server, preflight.version_advice) == words


async def test_a_server_that_is_too_old_is_refused(server: Any) -> None:
    server.body = b'{"server_version": "0.19.40"}'
    with pytest.raises(TargetUnavailable, match=r"too old: version 0\.19\.40") as caught:
        await ask(server, preflight.version_advice)
    assert "update it" in caught.value.hint


async def test_a_network_that_accepts_and_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ftui.targets.dstack.api._SECONDS", 0.1)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        async with Api(Login("main", url, "a-token")) as api:
            with pytest.raises(Unreachable, match="does not answer"):
                await api.run("x")
