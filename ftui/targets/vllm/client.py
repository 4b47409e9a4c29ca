"""Talks to an OpenAI-compatible server: answers as they come, and every failure in words."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftui.errors import FtuiError, RunFailed, TargetUnavailable, TimedOut, UsageError
from ftui.targets.endpoint import Endpoint
from ftui.targets.loopback import is_here

if TYPE_CHECKING:
    import httpx2

Message = Mapping[str, str]
"""`{"role": "user", "content": "…"}`"""

_CONNECT_SECONDS = 5.0
_FORBIDDEN = (401, 403)
_NOT_THERE = (404, 502, 503, 504)
"""What a proxy answers when nothing stands behind it."""
_SILENCE_SECONDS = 300.0
"""The longest silence in an answer. A long prompt on a busy CPU takes minutes to be read."""


class ContextFull(UsageError):
    """The conversation is longer than the model can read; drop its oldest turns and ask again."""


@dataclass(frozen=True)
class Chunk:
    """A piece of an answer. The token counts are the server's own, of everything so far."""

    text: str
    tokens: int = 0
    """Tokens answered so far; a piece may hold several, or none that can be shown yet."""
    prompt_tokens: int = 0
    finish_reason: str | None = None
    """`stop`, `length` (cut off), or None while there is more to come."""


@dataclass
class Timing:
    """How fast an answer comes: seconds to its first token, tokens per second after that."""

    started: float
    first_seconds: float | None = None
    tokens: int = 0
    _first_tokens: int = 0
    _last: float = 0.0

    @classmethod
    def start(cls) -> Timing:
        """Begin to measure, now."""
        return cls(time.monotonic())

    def add(self, chunk: Chunk, now: float | None = None) -> None:
        """Take a chunk in that came `now` (monotonic seconds)."""
        now = time.monotonic() if now is None else now
        if chunk.tokens and self.first_seconds is None:
            self.first_seconds = now - self.started
            self._first_tokens = chunk.tokens
        if chunk.tokens > self.tokens:
            self.tokens, self._last = chunk.tokens, now

    @property
    def tokens_per_second(self) -> float | None:
        """The speed of generation alone, or None while there are too few tokens to tell."""
        if self.first_seconds is None or self.tokens <= self._first_tokens:
            return None
        seconds = self._last - self.started - self.first_seconds
        return (self.tokens - self._first_tokens) / seconds if seconds > 0 else None


async def stream(
    endpoint: Endpoint,
    model: str,
    messages: Sequence[Message],
    *,
    max_tokens: int | None = None,
    temperature: float | None = None,
) -> AsyncGenerator[Chunk, None]:
    """The answer of `model`, piece by piece. Closing it (contextlib.aclosing) ends the generation.

    None leaves a limit to the server: all the context that is left, the model's own temperature.
    Raises ContextFull, UsageError (the server refuses the question), TargetUnavailable (a wrong
    key), RunFailed (the server is gone or broken) and TimedOut.
    """
    request = _request(model, messages, max_tokens, temperature)
    request["stream"] = True
    request["stream_options"] = {"include_usage": True, "continuous_usage_stats": True}
    finished = False
    async with _post(endpoint, request) as response:
        from httpx2 import EventSource

        async for event in EventSource(response):
            if event.data == "[DONE]":  # not every server says so
                break
            chunk = _chunk(_decode(event.data, endpoint))
            finished = finished or chunk.finish_reason is not None
            yield chunk
    if not finished:
        raise _gone(endpoint, "the answer broke off")


async def answer(
    endpoint: Endpoint,
    model: str,
    messages: Sequence[Message],
    *,
    max_tokens: int | None = None,
    temperature: float | None = None,
) -> str:
    """The whole answer of `model`. Raises as `stream` does."""
    request = _request(model, messages, max_tokens, temperature)
    async with _post(endpoint, request) as response:
        body = _decode(await response.aread(), endpoint)
    choices = body.get("choices") or [{}]
    return str((choices[0].get("message") or {}).get("content") or "")


async def is_up(endpoint: Endpoint) -> bool:
    """Whether the server says that it is healthy. It may still fail at its first question.

    Raises TargetUnavailable when it is not for us to ask.
    """
    import httpx2

    try:
        async with _client(endpoint) as client:
            response = await client.get("/health", timeout=_CONNECT_SECONDS)
    except httpx2.TransportError:
        return False
    if response.status_code in _FORBIDDEN:
        raise _refusal(endpoint, response.status_code, response.content)
    return response.status_code == httpx2.codes.OK


def _request(
    model: str, messages: Sequence[Message], max_tokens: int | None, temperature: float | None
) -> dict[str, Any]:
    wishes = {"max_tokens": max_tokens, "temperature": temperature}
    given = {key: value for key, value in wishes.items() if value is not None}
    return {"model": model, "messages": list(messages)} | given


def _client(endpoint: Endpoint) -> httpx2.AsyncClient:
    import httpx2

    return httpx2.AsyncClient(
        base_url=endpoint.base_url,
        headers={"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {},
        timeout=httpx2.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS),
        trust_env=not is_here(endpoint.base_url),  # a proxy must not see what stays here
        verify=endpoint.base_url.startswith("https:"),  # reading certificates costs 60 ms
    )


@asynccontextmanager
async def _post(endpoint: Endpoint, request: dict[str, Any]) -> AsyncIterator[httpx2.Response]:
    """The server's answer, its body not read yet; every way to fail as an FtuiError."""
    import httpx2

    try:
        async with (
            _client(endpoint) as client,
            client.stream("POST", "/v1/chat/completions", json=request) as response,
        ):
            if response.status_code != httpx2.codes.OK:
                raise _refusal(endpoint, response.status_code, await response.aread())
            yield response
    except httpx2.TimeoutException as error:
        raise TimedOut(
            "the model server does not answer",
            where=endpoint.base_url,
            why=f"nothing came for {_SILENCE_SECONDS:.0f} s",
            hint=_log_hint(endpoint),
        ) from error
    except httpx2.TransportError as error:
        raise _gone(endpoint, str(error) or type(error).__name__) from error


def _chunk(body: dict[str, Any]) -> Chunk:
    """The chunk in one event. The last event has usage only, and no choices."""
    usage = body.get("usage") or {}
    choice = (body.get("choices") or [{}])[0]
    return Chunk(
        text=(choice.get("delta") or {}).get("content") or "",
        tokens=usage.get("completion_tokens") or 0,
        prompt_tokens=usage.get("prompt_tokens") or 0,
        finish_reason=choice.get("finish_reason"),
    )


def _decode(text: str | bytes, endpoint: Endpoint) -> dict[str, Any]:
    """The JSON object in `text`; an error that comes in the middle of an answer is raised."""
    try:
        body = json.loads(text)
    except ValueError as error:
        raise _gone(endpoint, "what it sent is not JSON") from error
    if not isinstance(body, dict):
        raise _gone(endpoint, "what it sent is not a JSON object")
    if "error" in body:
        raise _refusal(endpoint, 500, text)
    return body


def _refusal(endpoint: Endpoint, status: int, body: str | bytes) -> FtuiError:
    """An answer that is an error, in words."""
    message, field = _message(body)
    if status in _FORBIDDEN and endpoint.front:
        return TargetUnavailable(
            f"{endpoint.front} refuses the token",
            where=endpoint.base_url,
            why=message,
            hint="log in again, then serve the run again",
        )
    if status in _NOT_THERE and endpoint.front and not _is_of_vllm(body):
        return _gone(endpoint, message or f"HTTP {status}")
    if status == 401:
        return TargetUnavailable(
            "the model server wants another key",
            where=endpoint.base_url,
            why=message,
            hint="another program may have taken its port; serve the run again",
        )
    if status == 400 and (field == "input_tokens" or "maximum context length" in message):
        return ContextFull(
            "the conversation is longer than the model can read",
            why=message,
            hint="start a new one, or leave out its first turns",
        )
    if status < 500:
        return UsageError(
            "the model server refuses the question", where=endpoint.base_url, why=message
        )
    return RunFailed(
        "the model server has failed",
        where=endpoint.base_url,
        why=message or f"HTTP {status}",
        hint=_log_hint(endpoint),
    )


def _message(body: str | bytes) -> tuple[str, str]:
    """What an error body says, and which field it is about.

    vLLM writes `{"error": {"message", "param", …}}`, `{"error": "Unauthorized"}` and, where there
    is no such path, `{"detail": "Not Found"}`; what stands between may write anything.
    """
    text = body.decode(errors="replace") if isinstance(body, bytes) else body
    try:
        raw = json.loads(text)
    except ValueError:
        return text.strip()[:300], ""
    error = raw.get("error", raw.get("detail")) if isinstance(raw, dict) else raw
    if isinstance(error, dict):
        return str(error.get("message", "")), str(error.get("param", ""))
    return str(error), ""


def _is_of_vllm(body: str | bytes) -> bool:
    """Whether an error is the model server's own, and not of what stands before it."""
    try:
        raw = json.loads(body)
    except ValueError:
        return False
    return isinstance(raw, dict) and "error" in raw


def _gone(endpoint: Endpoint, why: str) -> RunFailed:
    again = "a rented machine is given back after its hours: serve the run again"
    hints = (again if endpoint.front else "", _log_hint(endpoint))
    return RunFailed(
        "the model server is gone",
        where=endpoint.base_url,
        why=why,
        hint="; ".join(filter(None, hints)),
    )


def _log_hint(endpoint: Endpoint) -> str:
    return f"its log: {endpoint.log_file}" if endpoint.log_file else ""
