"""The way to web functions over plain HTTP, and the containers that wake when somebody asks.

As Modal's: a request waits for a container, however long that takes to start; one that nobody has
asked for as long as its function says ends; where it cannot start, it is tried again while somebody
waits; an app that was stopped answers 404.
"""

from __future__ import annotations

import asyncio
import pickle
import time

from aiohttp import web
from modal_proto import api_pb2 as pb

from tests.standins.modal_server.doors import Door, Request
from tests.standins.modal_server.state import Call, State, Task
from tests.standins.modal_server.worker import kill, run_container

_AGAIN_SECONDS = 0.5
"""Between two containers of which the first could not start."""
_POLL_SECONDS = 0.2
_OF_ONE_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length")


async def front(state: State, request: web.Request) -> web.StreamResponse:
    """Take a request to its function's container, and its answer back."""
    door = state.doors.get(request.match_info["function"])
    if door is None or not state.is_deployed(door.app_id):
        return web.Response(status=404, text="modal-http: app for invoked web endpoint is stopped")
    body = pb.Asgi.HttpRequest(body=await request.read(), more_body=False)
    asked = Request(_scope(request), said=[pb.Asgi(http_request=body)])
    door.requests[asked.id] = asked
    if door.runner is None or door.runner.done():
        door.runner = asyncio.create_task(_attend(state, door))
    await state.touch()
    try:
        return await _answered(request, asked)
    finally:
        asked.ended = True
        asked.said.append(pb.Asgi(http_disconnect=pb.Asgi.HttpDisconnect()))
        del door.requests[asked.id]
        await state.touch()


async def close_all(state: State) -> None:
    """Stop every app, and see the containers of web functions end."""
    for app in state.apps.values():
        app.state = pb.APP_STATE_STOPPED
    runners = [door.runner for door in state.doors.values() if door.runner is not None]
    await asyncio.gather(*runners, return_exceptions=True)


def _scope(request: web.Request) -> bytes:
    """The arguments of the call: the scope of ASGI, pickled."""
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": f"/{request.match_info['path']}",
        "query_string": request.query_string.encode(),
        "headers": [(k.lower().encode(), v.encode()) for k, v in request.headers.items()],
        "client": ("127.0.0.1", 1),
    }
    return pickle.dumps(((scope,), {}))


async def _answered(request: web.Request, asked: Request) -> web.StreamResponse:
    response: web.StreamResponse | None = None
    while (answer := await asked.answers.get()) is not None:
        if answer.HasField("http_response_start"):
            start = answer.http_response_start
            response = web.StreamResponse(status=start.status)
            for name, value in zip(start.headers[::2], start.headers[1::2], strict=True):
                if name.decode().lower() not in _OF_ONE_HOP:
                    response.headers[name.decode()] = value.decode()
            await response.prepare(request)
        elif answer.HasField("http_response_body") and response is not None:
            await response.write(answer.http_response_body.body)
    if response is None:
        return web.Response(status=500, text="modal-http: internal error: the function has ended")
    await response.write_eof()
    return response


async def _attend(state: State, door: Door) -> None:
    """One container after the other, for as long as somebody waits."""
    while door.requests and state.is_deployed(door.app_id):
        if not state.faults.machines:
            await asyncio.sleep(_POLL_SECONDS)
            continue
        door.starts, door.stopped = door.starts + 1, False
        call = Call(f"fc-{door.function_id}", door.function_id, door.app_id, "", pb.FunctionInput())
        door.task = Task(state.new("ta"), call)
        watch = asyncio.create_task(_watch(state, door, door.task))
        try:
            await run_container(state, door.task, state.functions[door.function_id])
        finally:
            watch.cancel()
            door.task = None
            for request in door.requests.values():
                if request.taken:
                    request.answers.put_nowait(None)
        await asyncio.sleep(_AGAIN_SECONDS)
    for request in door.requests.values():
        request.answers.put_nowait(None)


async def _watch(state: State, door: Door, task: Task) -> None:
    """End a container that nobody asks any more, and at once the one of an app that was stopped."""
    idle = state.functions[door.function_id].task_idle_timeout_secs or 60
    asked = time.monotonic()
    while True:
        if not state.is_deployed(door.app_id):
            kill(task)
        if door.requests:
            asked = time.monotonic()
        elif time.monotonic() - asked >= idle:
            door.stopped = True
            await state.touch()
        await asyncio.sleep(_POLL_SECONDS)
