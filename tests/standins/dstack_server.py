"""A dstack server in a thread: the part of its REST API that serving needs, and its own proxy.

A test says what becomes of a run: `states` are handed out one a look, the last one again and again.
Shapes are those of dstack 0.22.5 (shared/facts/dstack.md); behind the proxy is a real HTTP server.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN = "token-of-the-stand-in"
INSTANCE = {"name": "g6.xlarge", "resources": {"gpus": [{"name": "L4", "memory_mib": 24576}]}}
PLACE = {"backend": "aws", "region": "eu-west-1", "price": 1.25}
MACHINE = {**PLACE, "hostname": "10.0.0.1", "instance_type": INSTANCE}
OFFER = {**PLACE, "availability": "available", "instance": INSTANCE}
WAY = [("submitted", "submitted"), ("provisioning", "pulling"), ("running", "running")]
"""How a run comes to its machine: what dstack says of it and of its job."""

State = tuple[str, str] | tuple[str, str, dict[str, Any]]


class Denied(Exception):
    """Only managers of the project may ask that."""


class Taken(Exception):
    """A run of that name is at work."""


@dataclass
class DstackServer:
    """A server on a free loopback port; `model_port` is what runs in the container."""

    model_port: int = 0
    states: list[State] = field(default_factory=lambda: list[State](WAY))
    fleets: list[str] = field(default_factory=lambda: ["default"])
    offers: list[dict[str, Any]] = field(default_factory=lambda: [OFFER])
    version: str = "0.22.5"
    secrets: list[str] = field(default_factory=lambda: ["hf_token"])
    printed: bytes = b""
    late: int = 0
    """So many looks into the log find nothing yet."""
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By name: what was submitted, and the id that it got."""
    ended: list[str] = field(default_factory=list)
    archives: dict[str, bytes] = field(default_factory=dict)
    stubborn: bool = False
    """Whether its containers do not end when they are asked to."""
    silent: bool = False
    """Whether it hangs up on everybody."""
    refuses: bool = False
    """Whether its proxy takes no token."""
    manages: bool = True
    """Whether the person manages the project: only managers are told its secrets."""
    overtaken_by: str = ""
    """The id of somebody's service that begins, with the name that is planned, after a plan."""
    garbles: bool = False
    """Whether something on the way spoils its answer to a submission."""

    def __enter__(self) -> DstackServer:
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def log_in(self, home: Path) -> None:
        """Write a person's login."""
        file = home / ".dstack" / "config.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        login = {"name": "main", "url": self.url, "token": TOKEN, "default": True}
        file.write_text(json.dumps({"projects": [login]}))

    def begin(self, name: str, id: str) -> None:
        """Have a run at work."""
        self.runs[name] = {"id": id, "states": [("running", "running")], "spec": {}}

    def at_work(self) -> list[str]:
        """The names of the runs that were not ended."""
        return [name for name in self.runs if name not in self.ended]

    # ── What it answers, by the end of the path ──────────────────────────────────────────────

    def answer(self, path: str, body: dict[str, Any]) -> Any:
        """The answer to a question; KeyError where it knows nothing of it."""
        return getattr(self, "_" + path.rpartition("/api/")[2].rpartition("/")[2])(path, body)

    def _list(self, path: str, body: dict[str, Any]) -> Any:
        names = self.fleets if "fleets" in path else self.secrets
        if "secrets" in path and not self.manages:
            raise Denied
        return [{"name": name, "instances": []} for name in names]

    def _get_plan(self, path: str, body: dict[str, Any]) -> Any:
        spec, jobs = body["run_spec"], [{"offers": self.offers}]
        active = self._is_active(spec["run_name"])
        current = {"id": self.runs[spec["run_name"]]["id"]} if active else None
        if self.overtaken_by and not active and spec["file_archives"]:
            self.begin(spec["run_name"], self.overtaken_by)
        action = "update" if active else "create"
        return {"run_spec": spec, "current_resource": current, "job_plans": jobs, "action": action}

    def _apply(self, path: str, body: dict[str, Any]) -> Any:
        spec, current = body["plan"]["run_spec"], body["plan"]["current_resource"]
        if self._is_active(spec["run_name"]):
            if current is None:
                raise Taken
            return {"id": self.runs[spec["run_name"]]["id"], "status": "running"}  # it is changed
        made = {"id": f"id-{len(self.runs)}", "states": list(self.states), "spec": spec}
        self.runs[spec["run_name"]] = made
        return "garbled" if self.garbles else {"id": made["id"], "status": "submitted"}

    def _is_active(self, name: str) -> bool:
        states = self.runs[name]["states"] if name in self.runs else [("done",)]
        return states[0][0] not in ("done", "failed", "terminated")

    def _get(self, path: str, body: dict[str, Any]) -> Any:
        name = body["run_name"]
        states = self.runs[name]["states"]
        status, job, *more = states.pop(0) if len(states) > 1 else states[0]
        submission = {"id": "try-1", "status": job, "submitted_at": "2026-11-28T10:00:00Z"}
        submission |= {"job_provisioning_data": None if job == "submitted" else MACHINE}
        submission |= more[0] if more else {}
        return {
            "id": self.runs[name]["id"],
            "status": status,
            "cost": 0.42,
            "submitted_at": "2026-11-28T10:00:00Z",
            "service": {"url": f"/proxy/services/main/{name}/"},
            "run_spec": self.runs[name]["spec"],
            "jobs": [{"job_submissions": [submission]}],
            "latest_job_submission": submission,
        }

    def _stop(self, path: str, body: dict[str, Any]) -> Any:
        for name in body["runs_names"]:
            if self.stubborn and not body["abort"]:
                self.runs[name]["states"] = [("terminating", "terminating")]
                continue
            self.ended.append(name)
            reason = {"termination_reason": "terminated_by_user"}
            self.runs[name]["states"] = [("terminated", "terminated", reason)]

    def _poll(self, path: str, body: dict[str, Any]) -> Any:
        self.late -= 1
        if body["start_time"] or not self.printed or self.late >= 0:
            return {"logs": []}
        message = base64.b64encode(self.printed).decode()
        return {"logs": [{"timestamp": "2026-11-28T10:00:01Z", "message": message}]}

    def _get_archive_by_hash(self, path: str, body: dict[str, Any]) -> Any:
        return {"id": {known: known for known in self.archives}[body["hash"]]}

    def _get_info(self, path: str, body: dict[str, Any]) -> Any:
        return {"server_version": self.version}

    def _get_my_user(self, path: str, body: dict[str, Any]) -> Any:
        return {"ssh_private_key": "key"}


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    owner: DstackServer


class _Handler(BaseHTTPRequestHandler):
    server: _Http

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"] or 0)))

    def _answer(self, sent: bytes) -> None:
        owner = self.server.owner
        if owner.silent:
            self.close_connection = True
            return
        known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if self.path.startswith("/proxy/services/main/"):
            name, _, path = self.path.removeprefix("/proxy/services/main/").partition("/")
            self._through(name, path, sent, known=known and not owner.refuses)
        elif not known:
            self._send(403, {"detail": {"msg": "Invalid token", "code": None}})
        elif self.path.endswith("upload_archive"):
            digest = hashlib.sha256(sent).hexdigest()
            owner.archives[digest] = sent
            self._send(200, {"id": digest})
        else:
            try:
                self._send(200, owner.answer(self.path, json.loads(sent or b"{}")))
            except Denied:
                self._send(403, {"detail": {"msg": "Access denied", "code": None}})
            except Taken:
                wrong = {"msg": "Cannot override active run. Stop the run first.", "code": "error"}
                self._send(400, {"detail": [wrong]})
            except KeyError:
                wrong = {"msg": "Resource not found", "code": "resource_not_exists"}
                self._send(400, {"detail": [wrong]})

    def _through(self, name: str, path: str, sent: bytes, *, known: bool) -> None:
        """As dstack's service proxy answers."""
        owner = self.server.owner
        run = owner.runs.get(name)
        if run is None or run["states"][0][1] != "running":
            self._send(404, {"detail": f"Service main/{name} not found"})
        elif not known:
            self._send(403, {"detail": "Access to project main denied"})
        else:
            try:
                self._pass_on(path, sent)
            except ConnectionRefusedError:
                self._send(502, {"detail": "Error requesting upstream"})

    def _pass_on(self, path: str, sent: bytes) -> None:
        behind = http.client.HTTPConnection("127.0.0.1", self.server.owner.model_port)
        behind.request(self.command, f"/{path}", sent or None)
        answer = behind.getresponse()
        self.send_response(answer.status)
        for name in ("Content-Type", "Content-Length"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.end_headers()
        while piece := answer.read1():
            self.wfile.write(piece)
        behind.close()

    def _send(self, status: int, body: Any) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
