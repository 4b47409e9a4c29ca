"""What a container asks its control plane."""

from __future__ import annotations

import asyncio

from google.protobuf.empty_pb2 import Empty
from modal_proto import api_pb2 as pb

from tests.standins.modal_server.web import Web, door_of, next_request

_HEARTBEAT_SECONDS = 10.0


class Containers(Web):
    """RPCs of containers; `task` is the one that speaks."""

    async def ContainerHello(self, request: Empty) -> Empty:
        return Empty()

    async def ContainerHeartbeat(
        self, request: pb.ContainerHeartbeatRequest
    ) -> pb.ContainerHeartbeatResponse:
        await asyncio.sleep(_HEARTBEAT_SECONDS)
        return pb.ContainerHeartbeatResponse()

    async def FunctionGetInputs(
        self, request: pb.FunctionGetInputsRequest
    ) -> pb.FunctionGetInputsResponse:
        assert self.task is not None
        if door := door_of(self.state, self.task):
            return await next_request(self.state, door)
        call = self.task.call
        item = pb.FunctionGetInputsItem(kill_switch=True)
        if not self.task.served:
            self.task.served = True
            item = pb.FunctionGetInputsItem(
                input_id=call.input_id,
                input=call.input,
                function_call_id=call.id,
                retry_count=call.retries,
            )
        return pb.FunctionGetInputsResponse(inputs=[item])

    async def FunctionPutOutputs(self, request: pb.FunctionPutOutputsRequest) -> Empty:
        assert self.task is not None
        for output in request.outputs:
            self.end_of_request(output.input_id)
            self.task.call.attempt = output.result
            self.task.call.data_format = output.data_format
        return Empty()

    async def TaskResult(self, request: pb.TaskResultRequest) -> Empty:
        assert self.task is not None
        if request.result.status != pb.GenericResult.GENERIC_STATUS_SUCCESS:
            self.task.call.attempt = request.result
        return Empty()
