"""What the containers of web functions ask their control plane."""

from __future__ import annotations

from collections.abc import AsyncIterator

from google.protobuf.empty_pb2 import Empty
from modal_proto import api_pb2 as pb

from tests.standins.modal_server.doors import Door, Request
from tests.standins.modal_server.state import State, Task

_WAIT_SECONDS = 1.0


def door_of(state: State, task: Task | None) -> Door | None:
    """The web function whose container a task is."""
    return next(
        (one for one in state.doors.values() if task is not None and one.task is task), None
    )


async def next_request(state: State, door: Door) -> pb.FunctionGetInputsResponse:
    """What its container is to answer next, if there is something by now."""
    await state.until(lambda: door.stopped or door.waiting() is not None, _WAIT_SECONDS)
    if door.stopped:
        last = pb.FunctionGetInputsItem(kill_switch=True)
        return pb.FunctionGetInputsResponse(inputs=[last])
    request = door.waiting()
    if request is None:
        return pb.FunctionGetInputsResponse()
    request.taken = True
    given = pb.FunctionInput(args=request.arguments, data_format=pb.DATA_FORMAT_PICKLE)
    item = pb.FunctionGetInputsItem(
        input_id=f"in-{request.id}", function_call_id=f"fc-{request.id}", input=given
    )
    return pb.FunctionGetInputsResponse(inputs=[item])


class Web:
    """RPCs of the containers of web functions."""

    state: State
    task: Task | None

    async def FunctionCallGetDataIn(
        self, request: pb.FunctionCallGetDataRequest
    ) -> AsyncIterator[pb.DataChunk]:
        asked = self._request(request.function_call_id)
        index = request.last_index
        while asked is not None:
            for message in asked.said[index:]:
                index += 1
                data = message.SerializeToString()
                yield pb.DataChunk(data_format=pb.DATA_FORMAT_ASGI, data=data, index=index)
            if asked.ended:
                return
            await self._more(asked, index)

    async def _more(self, asked: Request, count: int) -> None:
        """Wait for more of a request than that, or for its end."""
        await self.state.until(lambda: len(asked.said) > count or asked.ended, _WAIT_SECONDS)

    async def FunctionCallPutDataOut(self, request: pb.FunctionCallPutDataRequest) -> Empty:
        asked = self._request(request.function_call_id)
        for chunk in request.data_chunks:
            if asked is not None:
                asked.answers.put_nowait(pb.Asgi.FromString(chunk.data))
        return Empty()

    async def ContainerStop(self, request: pb.ContainerStopRequest) -> pb.ContainerStopResponse:
        if door := door_of(self.state, self.task):
            door.stopped = True
            await self.state.touch()
        return pb.ContainerStopResponse()

    def end_of_request(self, input_id: str) -> None:
        """Its container has answered all of it."""
        asked = self._request(input_id)
        if asked is not None:
            asked.answers.put_nowait(None)

    def _request(self, name: str) -> Request | None:
        door = door_of(self.state, self.task)
        return door.requests.get(name.partition("-")[2]) if door is not None else None
