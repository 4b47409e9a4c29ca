"""An OpenAI-compatible server that says what a test tells it to, in vLLM's own shapes.

In a test: `with OpenAIServer(reply) as server: …`, where `reply(request)` gives a `Reply` for each
chat request. As a program it takes the place of `python -m vllm.entrypoints.cli.main serve`: it
prints two of vLLM's log lines, serves what the command line names, checks VLLM_API_KEY, and
FTUI_STANDIN tells it to `refuse` (end as vLLM does on a bad adapter), to be `mute` (never become
healthy) or to `break` (call itself healthy and fail each request).
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Request = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What to answer: an error body, or pieces of text streamed or joined as the client asks."""

    pieces: Sequence[str] = ()
    status: int = 200
    body: str = ""
    """Sent instead of the pieces, or after them in a stream."""
    finish_reason: str = "stop"
    done: bool = True
    """Whether the stream ends with `data: [DONE]`."""
    cut: bool = False
    """Whether the connection breaks off before the answer is finished."""
    endless: bool = False
    """Whether the last piece is repeated until the client is gone."""


@dataclass
class OpenAIServer:
    """A server on a free loopback port (or `port`) in a thread of its own."""

    reply: Callable[[Request], Reply]
    port: int = 0
    key: str = ""
    host: str = "127.0.0.1"
    requests: list[Request] = field(default_factory=list)
    client_gone: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> OpenAIServer:
        self._http = _Http((self.host, self.port), _Handler)
        self._http.owner = self
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # the default of 5 resets connections that come at once
    owner: OpenAIServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def do_GET(self) -> None:
        self._send(200, b"")

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        owner = self.server.owner
        if owner.key and self.headers.get("Authorization") != f"Bearer {owner.key}":
            self._send(401, b'{"error":"Unauthorized"}')
            return
        owner.requests.append(request)
        reply = owner.reply(request)
        if reply.body and not reply.pieces:
            self._send(reply.status, reply.body.encode())
        elif request.get("stream"):
            try:
                self._stream(reply)
            except (BrokenPipeError, ConnectionResetError):
                owner.client_gone.set()
        else:
            message = {"role": "assistant", "content": "".join(reply.pieces)}
            choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
            self._send(200, json.dumps({"choices": [choice]}).encode())

    def _stream(self, reply: Reply) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Connection", "close")
        self.end_headers()
        self._event({"role": "assistant", "content": ""}, tokens=0)
        for number, piece in enumerate(reply.pieces, 1):
            self._event({"content": piece}, tokens=number)
        while reply.endless:
            self._event({"content": reply.pieces[-1]}, tokens=len(reply.pieces))
            time.sleep(0.005)
        if reply.body:
            self.wfile.write(f"data: {reply.body}\n\n".encode())
        if reply.body or reply.cut:
            return
        self._event({"content": ""}, tokens=len(reply.pieces), finish=reply.finish_reason)
        self._write({"choices": [], "usage": _usage(len(reply.pieces))})
        if reply.done:
            self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, delta: dict[str, str], tokens: int, finish: str | None = None) -> None:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        self._write({"choices": [choice], "usage": _usage(tokens)})

    def _write(self, event: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        self.wfile.flush()

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _usage(tokens: int) -> dict[str, int]:
    return {"prompt_tokens": 7, "completion_tokens": tokens, "total_tokens": 7 + tokens}


def main(arguments: list[str]) -> int:
    behaviour = os.environ.get("FTUI_STANDIN", "")
    print("(APIServer pid=1) INFO [api_utils.py:286] non-default args", flush=True)
    if behaviour == "refuse":
        print("ValueError: vLLM does not yet support DoRA.\nnanobind: leaked 1 instances!")
        return 1
    if behaviour == "mute":
        threading.Event().wait()
    print("(Worker pid=3) INFO [cpu_model_runner.py:68] Starting to load model x...", flush=True)
    broken = Reply(status=500, body='{"error":{"message":"EngineCore encountered an issue."}}')
    port = int(arguments[arguments.index("--port") + 1])
    with OpenAIServer(
        lambda request: broken if behaviour == "break" else Reply([f"I am {request['model']}"]),
        port=port,
        key=os.environ["VLLM_API_KEY"],
        host=arguments[arguments.index("--host") + 1],
    ):
        threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
