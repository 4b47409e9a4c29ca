"""A Hugging Face hub on loopback with one dataset, someone/rows, or with an answer it gives to all.

What it says is what huggingface.co says (huggingface_hub/utils/_http.py, hf_raise_for_status).
"""

from __future__ import annotations

import json
import re
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

REVISION = "a" * 40
NAME = "someone/rows"


class Refusal(NamedTuple):
    """An answer to every request."""

    status: int
    headers: Mapping[str, str] = {}


MISSING = Refusal(404, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
PRIVATE = Refusal(401, {"X-Error-Message": "Invalid username or password."})
GATED = Refusal(401, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted."})
NOT_ALLOWED = Refusal(403, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Not in the list."})
BAD_TOKEN = Refusal(401, {"X-Error-Message": "Invalid credentials in Authorization header"})
FORBIDDEN = Refusal(403, {"X-Error-Message": "Forbidden"})
DISABLED = Refusal(403, {"X-Error-Message": "Access to this resource is disabled."})
TOO_MANY = Refusal(429)
DOWN = Refusal(503)
NO_ENTRY = Refusal(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": REVISION})


class Hub(ThreadingHTTPServer):
    """The server. `asked` holds the Authorization header of each request."""

    daemon_threads = True

    def __init__(self, files: Mapping[str, bytes], refusal: Refusal | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.refusal = refusal
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        """What HF_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(self.headers.get("Authorization", ""))
        path = urllib.parse.unquote(urllib.parse.urlparse(self.path).path)
        if self.server.refusal is not None:
            self._refuse(self.server.refusal)
        elif path.startswith(f"/api/datasets/{NAME}"):
            self._tell(path.removeprefix(f"/api/datasets/{NAME}"), body)
        else:
            name = re.fullmatch(rf"/datasets/{NAME}/resolve/[^/]+/(.+)", path)
            content = self.server.files.get(name[1]) if name else None
            self._answer(*NO_ENTRY) if content is None else self._send(content)

    do_HEAD = do_POST = do_GET

    def _refuse(self, refusal: Refusal) -> None:
        """It repeats the token, as no server should: a message must not pass it on."""
        told = refusal.headers.get("X-Error-Message", "")
        if refusal is not DISABLED:  # which is known by the very words
            told = f"{told} {self.headers.get('Authorization', '')}"
        self._answer(refusal.status, {**refusal.headers, "X-Error-Message": told})

    def _tell(self, path: str, body: bytes) -> None:
        listed = [
            {"type": "file", "path": name, "size": len(content), "oid": "b" * 40}
            for name, content in self.server.files.items()
        ]
        if path.startswith("/tree/"):
            below = path.count("/") > 2
            self._answer(*NO_ENTRY) if below else self._json(listed)
        elif path.startswith("/paths-info/"):
            self._json([one for one in listed if str(one["path"]).encode() in body])
        else:
            about = {"id": NAME, "sha": REVISION, "private": False, "tags": [], "downloads": 0}
            files = [{"rfilename": name} for name in self.server.files]
            self._json({**about, "siblings": files, "gated": False, "likes": 0})

    def _send(self, content: bytes) -> None:
        headers = {"ETag": '"1"', "X-Repo-Commit": REVISION, "Accept-Ranges": "bytes"}
        wanted = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            self._answer(200, headers, content)
            return
        start, end = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
        headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        self._answer(206, headers, content[start : end + 1])

    def _json(self, value: object) -> None:
        self._answer(200, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def hub(files: Mapping[str, bytes] = {}, refusal: Refusal | None = None) -> Iterator[Hub]:
    """The server, running."""
    server = Hub(files, refusal)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
