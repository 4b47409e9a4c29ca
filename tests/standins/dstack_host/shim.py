"""dstack-shim and dstack-runner: what the server asks of a host over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from tests.standins.dstack_host import VERSION
from tests.standins.dstack_host.job import Job

Handler = Callable[[Request], Awaitable[Response]]
PULL_SECONDS = 0.5
"""How long an image takes to be pulled."""


class Runner:
    """The runner in a container: takes one job and tells how it goes."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._body: dict[str, Any] = {}
        self._archives: dict[str, bytes] = {}
        self._running: asyncio.Task[None] | None = None

    def routes(self) -> list[BaseRoute]:
        """What it answers to."""
        return [
            Route("/api/healthcheck", _says(service="dstack-runner", version=VERSION)),
            Route("/api/metrics", self._metrics),
            Route("/api/submit", self._submit, methods=["POST"]),
            Route("/api/upload_archive", self._upload, methods=["POST"]),
            Route("/api/upload_code", _says(), methods=["POST"]),
            Route("/api/run", self._run, methods=["POST"]),
            Route("/api/pull", self._pull),
            Route("/api/stop", self._stop, methods=["POST"]),
            WebSocketRoute("/logs_ws", self._live),
        ]

    async def _metrics(self, request: Request) -> Response:
        return JSONResponse(
            {
                "timestamp_micro": self.job.clock.next() * 1000,
                "cpu_usage_micro": 0,
                "memory_usage_bytes": 0,
                "memory_working_set_bytes": 0,
                "gpus": [],
            }
        )

    async def _submit(self, request: Request) -> Response:
        self._body = await request.json()
        return JSONResponse({})

    async def _upload(self, request: Request) -> Response:
        async with request.form() as form:
            for part in form.values():
                assert not isinstance(part, str)
                self._archives[part.filename or ""] = await part.read()
        return JSONResponse({})

    async def _run(self, request: Request) -> Response:
        self._running = asyncio.create_task(self.job.run(self._body, self._archives))
        where = self._body["job_spec"].get("working_dir") or "/dstack/run"
        return JSONResponse({"working_dir": where, "username": "root"})

    async def _pull(self, request: Request) -> Response:
        after = int(request.query_params.get("timestamp", 0))
        job, over = self.job, self.job.over.is_set()
        return JSONResponse(
            {
                "job_states": [one for one in job.states if one["timestamp"] > after],
                "job_logs": [one for one in job.logs if one["timestamp"] > after],
                "runner_logs": [],
                "last_updated": job.clock.last,
                "no_connections_secs": 0,
                "has_more": not over,
            }
        )

    async def _stop(self, request: Request) -> Response:
        self._stopping = asyncio.create_task(self.job.stop())
        return JSONResponse({})

    async def _live(self, socket: WebSocket) -> None:
        await socket.accept()
        sent = 0
        while sent < len(self.job.raw) or not self.job.over.is_set():
            for data in self.job.raw[sent:]:
                await socket.send_bytes(data)
                sent += 1
            await asyncio.sleep(0.1)
        await socket.close()


class Shim:
    """The shim of a host: starts a container a task."""

    def __init__(self, root: Path, path: str, serve: Callable[[Starlette], Awaitable[int]]) -> None:
        self._root, self._path, self._serve = root, path, serve
        self._tasks: dict[str, dict[str, Any]] = {}
        self._starting: set[asyncio.Task[None]] = set()
        self.runners: dict[str, Runner] = {}
        self.ports: dict[str, int] = {}
        """By task: where its runner listens."""

    def app(self) -> Starlette:
        """What it answers to."""
        components = [
            {"name": name, "version": VERSION, "status": "installed"}
            for name in ("dstack-runner", "dstack-shim")
        ]
        driver = {"gpu_vendor": "nvidia", "gpu_driver_version": "575.57.08"}
        return Starlette(
            routes=[
                Route("/api/healthcheck", _says(service="dstack-shim", version=VERSION)),
                Route("/api/instance/health", _says(dcgm=None)),
                Route("/api/instance/info", _says(**driver)),
                Route("/api/components", _says(components=components)),
                Route("/api/components/install", _says(), methods=["POST"]),
                Route("/api/shutdown", _says(), methods=["POST"]),
                Route("/api/tasks", self._list, methods=["GET"]),
                Route("/api/tasks", self._submit, methods=["POST"]),
                Route("/api/tasks/{id}", self._get),
                Route("/api/tasks/{id}/terminate", self._terminate, methods=["POST"]),
                Route("/api/tasks/{id}/remove", self._remove, methods=["POST"]),
                Route("/metrics/tasks/{id}", self._metrics),
            ]
        )

    @property
    def current(self) -> tuple[str, Runner] | None:
        """The newest container."""
        return next(reversed(self.runners.items()), None)

    async def _list(self, request: Request) -> Response:
        tasks = [{"id": id, "status": task["status"]} for id, task in self._tasks.items()]
        return JSONResponse({"ids": list(self._tasks), "tasks": tasks})

    async def _submit(self, request: Request) -> Response:
        task = await request.json() | {
            "status": "pulling",
            "termination_reason": "",
            "termination_message": "",
        }
        self._tasks[task["id"]] = task
        (self._root / f"task-{task['id']}.json").write_text(json.dumps(task, indent=1))
        starting = asyncio.create_task(self._start(task))
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)
        return JSONResponse({})

    async def _start(self, task: dict[str, Any]) -> None:
        await asyncio.sleep(PULL_SECONDS)
        runner = Runner(Job(self._root / task["id"], self._path))
        self.ports[task["id"]] = await self._serve(Starlette(routes=runner.routes()))
        self.runners[task["id"]] = runner
        task["status"] = "running"

    async def _get(self, request: Request) -> Response:
        task = self._tasks.get(request.path_params["id"])
        return JSONResponse(_told(task)) if task else Response(status_code=404)

    async def _terminate(self, request: Request) -> Response:
        task = self._tasks.get(request.path_params["id"])
        if not task:
            return Response(status_code=404)
        asked = await request.json()
        if task["id"] in self.runners:
            await self.runners[task["id"]].job.stop()
        task.update(
            status="terminated",
            termination_reason=asked["termination_reason"],
            termination_message=asked["termination_message"],
        )
        return JSONResponse(_told(task))

    async def _remove(self, request: Request) -> Response:
        self._tasks.pop(request.path_params["id"], None)
        self.runners.pop(request.path_params["id"], None)
        return JSONResponse({})

    async def _metrics(self, request: Request) -> Response:
        return Response("")


def _told(task: dict[str, Any]) -> dict[str, Any]:
    known = ("id", "status", "termination_reason", "termination_message")
    return {key: task[key] for key in known} | {"ports": [], "image_pull_progress": None}


def _says(**answer: Any) -> Handler:
    """Something that always answers the same."""

    async def answering(request: Request) -> Response:
        return JSONResponse(answer)

    return answering
