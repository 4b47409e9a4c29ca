"""The streaming client: answers piece by piece, speed, and every failure in words."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from ftui.errors import ExitCode, FtuiError, RunFailed, TargetUnavailable, TimedOut, UsageError
from ftui.serve.server import free_port
from ftui.targets.endpoint import Endpoint
from ftui.targets.vllm import client
from ftui.targets.vllm.client import Chunk, ContextFull, Timing, answer, is_up, stream
from tests.standins.openai_server import OpenAIServer, Reply, Request

HELLO = [{"role": "user", "content": "Hello"}]


def endpoint_of(server: OpenAIServer, key: str = "") -> Endpoint:
    return Endpoint(server.url, tuned="tuned", api_key=key, log_file=Path("/run/serve.log"))


def always(reply: Reply) -> Callable[[Request], Reply]:
    return lambda _: reply


async def all_chunks(endpoint: Endpoint) -> list[Chunk]:
    return [chunk async for chunk in stream(endpoint, "tuned", HELLO)]


@pytest.mark.parametrize("done", [True, False], ids=["with [DONE]", "without [DONE]"])
async def test_an_answer_comes_in_pieces_with_the_servers_own_counts(done: bool) -> None:
    with OpenAIServer(always(Reply(["SELECT ", "näh ", "🚣"], done=done))) as server:
        chunks = await all_chunks(endpoint_of(server))
    assert [chunk.text for chunk in chunks if chunk.text] == ["SELECT ", "näh ", "🚣"]
    assert chunks[-1].tokens == 3
    assert chunks[-1].prompt_tokens == 7
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]


async def test_limits_are_sent_and_what_is_not_named_is_left_to_the_server() -> None:
    with OpenAIServer(always(Reply(["x"]))) as server:
        endpoint = endpoint_of(server)
        assert await answer(endpoint, "base", HELLO, max_tokens=5, temperature=0.0) == "x"
        assert await answer(endpoint, "base", HELLO) == "x"
    limited, free = server.requests
    assert (limited["model"], limited["max_tokens"], limited["temperature"]) == ("base", 5, 0.0)
    assert set(free) == {"model", "messages"}


async def test_closing_the_stream_ends_the_generation() -> None:
    with OpenAIServer(always(Reply(["on and on "], endless=True))) as server:
        async with aclosing(stream(endpoint_of(server), "tuned", HELLO)) as chunks:
            async for chunk in chunks:
                if chunk.text:
                    break
        assert await asyncio.to_thread(server.client_gone.wait, 60)


async def test_cancelling_the_reader_ends_the_generation() -> None:
    with OpenAIServer(always(Reply(["on and on "], endless=True))) as server:
        heard = asyncio.Event()

        async def read() -> None:
            async for _ in stream(endpoint_of(server), "tuned", HELLO):
                heard.set()

        reader = asyncio.create_task(read())
        await asyncio.wait_for(heard.wait(), 60)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert await asyncio.to_thread(server.client_gone.wait, 60)


async def test_a_key_is_sent_and_a_wrong_one_is_told() -> None:
    with OpenAIServer(always(Reply(["x"])), key="right") as server:
        assert await answer(endpoint_of(server, "right"), "base", HELLO) == "x"
        with pytest.raises(TargetUnavailable, match="Unauthorized") as caught:
            await answer(endpoint_of(server, "wrong-key"), "base", HELLO)
    assert "wrong-key" not in str(caught.value) + caught.value.hint
    assert "wrong-key" not in repr(endpoint_of(server, "wrong-key"))


ERRORS = [
    (404, '{"error":{"message":"The model `x` does not exist.","param":"model"}}', UsageError),
    (404, '{"detail":"Not Found"}', UsageError),
    (
        400,
        '{"error":{"message":"This model\'s maximum context length is 512 tokens. However, your '
        'prompt contains at least 513 input tokens","param":"input_tokens"}}',
        ContextFull,
    ),
    (400, '{"error":{"message":"max_tokens=2000 cannot be greater","param":"x"}}', UsageError),
    (500, '{"error":{"message":"EngineCore encountered an issue.","code":500}}', RunFailed),
    (502, "<html>Bad Gateway</html>", RunFailed),
]


@pytest.mark.parametrize(("status", "body", "kind"), ERRORS)
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
async def test_a_refusal_is_told_in_words(
    status: int, body: str, kind: type[FtuiError], streamed: bool
) -> None:
    with OpenAIServer(always(Reply(status=status, body=body))) as server:
        endpoint = endpoint_of(server)
        with pytest.raises(kind) as caught:
            await (all_chunks(endpoint) if streamed else answer(endpoint, "x", HELLO))
    assert type(caught.value) is kind
    assert caught.value.why in body
    assert caught.value.why
    if status >= 500:
        assert "serve.log" in caught.value.hint


async def test_a_server_that_goes_away_in_the_middle_is_told() -> None:
    with (
        OpenAIServer(always(Reply(["SELECT"], cut=True))) as server,
        pytest.raises(RunFailed, match=r"gone.*broke off") as caught,
    ):
        await all_chunks(endpoint_of(server))
    assert "serve.log" in caught.value.hint


async def test_an_error_in_the_middle_of_a_stream_is_told() -> None:
    body = '{"error":{"message":"EngineCore encountered an issue.","code":500}}'
    with (
        OpenAIServer(always(Reply(["SELECT"], body=body))) as server,
        pytest.raises(RunFailed, match="EngineCore"),
    ):
        await all_chunks(endpoint_of(server))


async def test_no_server_at_all_is_told() -> None:
    endpoint = Endpoint(f"http://127.0.0.1:{free_port()}", tuned="tuned")
    assert not await is_up(endpoint)
    with pytest.raises(RunFailed, match="gone") as caught:
        await answer(endpoint, "tuned", HELLO)
    assert caught.value.exit_code is ExitCode.RUN_FAILED


async def test_a_server_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_SILENCE_SECONDS", 0.1)
    silent = asyncio.Event()

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent.wait()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TimedOut):
            await answer(Endpoint(f"http://127.0.0.1:{port}"), "base", HELLO)
        silent.set()


async def test_a_proxy_never_sees_the_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, nobody)
    with OpenAIServer(always(Reply(["x"]))) as server:
        assert await answer(endpoint_of(server), "base", HELLO) == "x"


async def test_a_server_elsewhere_is_reached_as_the_person_reaches_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with OpenAIServer(always(Reply(["x"]))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert await answer(Endpoint("http://model.example"), "base", HELLO) == "x"


FRONT = "the dstack server"
ELSEWHERE = [
    (403, '{"detail":"Unauthenticated or unauthorized"}', TargetUnavailable, "refuses the token"),
    (401, '{"detail":"Not authenticated"}', TargetUnavailable, "refuses the token"),
    (404, '{"detail":"Service main/serve-x not found"}', RunFailed, "gone"),
    (502, '{"detail":"Error requesting upstream"}', RunFailed, "gone"),
    (503, "<html>none</html>", RunFailed, "gone"),
    (404, '{"error":{"message":"The model `x` does not exist.","param":"model"}}', UsageError, "x"),
]


@pytest.mark.parametrize(("status", "body", "kind", "word"), ELSEWHERE)
async def test_what_stands_before_a_server_elsewhere_is_told_from_it(
    status: int, body: str, kind: type[FtuiError], word: str
) -> None:
    with OpenAIServer(always(Reply(status=status, body=body))) as server:
        endpoint = replace(endpoint_of(server), front=FRONT)
        with pytest.raises(kind) as caught:
            await answer(endpoint, "x", HELLO)
    assert type(caught.value) is kind
    assert word in str(caught.value)
    if "token" in word:
        assert caught.value.what.startswith(FRONT)
    if word == "gone":
        assert "hours" in caught.value.hint


def test_speed_counts_tokens_not_pieces() -> None:
    timing = Timing(started=100.0)
    assert timing.tokens_per_second is None
    timing.add(Chunk(""), now=100.1)
    timing.add(Chunk("a", tokens=1), now=100.5)
    timing.add(Chunk("", tokens=3), now=101.0)
    timing.add(Chunk("bcde", tokens=11), now=102.5)
    timing.add(Chunk("", tokens=11, finish_reason="stop"), now=109.0)
    assert timing.first_seconds == pytest.approx(0.5)
    assert timing.tokens == 11
    assert timing.tokens_per_second == pytest.approx(5.0)
