"""Functions and their calls."""

from __future__ import annotations

import asyncio

from google.protobuf.empty_pb2 import Empty
from grpclib import GRPCError, Status
from modal_proto import api_pb2 as pb

from tests.standins.modal_server.doors import Door
from tests.standins.modal_server.state import Call, State
from tests.standins.modal_server.worker import cancel, work

_LONGEST_WAIT = 55.0
_PICKLE_AND_CBOR = [pb.DATA_FORMAT_PICKLE, pb.DATA_FORMAT_CBOR]


class Functions:
    """RPCs about functions and calls."""

    state: State

    async def FunctionPrecreate(
        self, request: pb.FunctionPrecreateRequest
    ) -> pb.FunctionPrecreateResponse:
        function_id = request.existing_function_id or self.state.new("fu")
        handle = self._known(
            function_id, request.app_id, request.function_name, request.function_type
        )
        return pb.FunctionPrecreateResponse(function_id=function_id, handle_metadata=handle)

    async def FunctionCreate(self, request: pb.FunctionCreateRequest) -> pb.FunctionCreateResponse:
        function_id = request.existing_function_id or self.state.new("fu")
        function = request.function
        if request.function_data.ranked_functions:
            function = request.function_data.ranked_functions[0].function
        return pb.FunctionCreateResponse(
            function_id=function_id,
            function=function,
            handle_metadata=self._kept(function_id, request.app_id, function),
            function_data=self._data(function_id),
        )

    async def FunctionGet(self, request: pb.FunctionGetRequest) -> pb.FunctionGetResponse:
        app, tag = self.state.app(request.app_name), request.object_tag
        function_id = app.functions.get(tag, "") if app else ""
        if not function_id:
            words = f"Lookup failed for Function '{tag}' from the '{request.app_name}' app"
            raise GRPCError(Status.NOT_FOUND, words)
        return pb.FunctionGetResponse(
            function_id=function_id,
            handle_metadata=self.state.handles[function_id],
            function=self._data(function_id),
        )

    async def FunctionBindParams(
        self, request: pb.FunctionBindParamsRequest
    ) -> pb.FunctionBindParamsResponse:
        options, function = request.function_options, pb.Function()
        function.CopyFrom(self.state.functions[request.function_id])
        if options.HasField("resources"):
            function.resources.MergeFrom(options.resources)
        if options.HasField("timeout_secs"):
            function.timeout_secs = options.timeout_secs
        if options.replace_secret_ids:
            del function.secret_ids[:]
        function.secret_ids.extend(options.secret_ids)
        bound = self.state.new("fu")
        app_id = self.state.function_apps[request.function_id]
        handle = self._kept(bound, app_id, function)
        return pb.FunctionBindParamsResponse(bound_function_id=bound, handle_metadata=handle)

    async def FunctionGetCurrentStats(
        self, request: pb.FunctionGetCurrentStatsRequest
    ) -> pb.FunctionStats:
        if door := self.state.doors.get(request.function_id):
            running = int(door.task is not None and door.task.process is not None)
            return pb.FunctionStats(backlog=len(door.requests), num_total_tasks=running)
        calls = [c for c in self.state.calls.values() if self._is_of(c, request.function_id)]
        going = [call for call in calls if call.result is None]
        running = sum(call.task is not None for call in going)
        return pb.FunctionStats(backlog=len(going) - running, num_total_tasks=running)

    def _is_of(self, call: Call, function_id: str) -> bool:
        """Whether a call is one of a function, with whatever options."""
        mine, asked = self.state.functions[call.function_id], self.state.functions[function_id]
        same_app = call.app_id == self.state.function_apps[function_id]
        return same_app and mine.function_name == asked.function_name

    async def FunctionMap(self, request: pb.FunctionMapRequest) -> pb.FunctionMapResponse:
        [item] = request.pipelined_inputs
        function = self.state.functions[request.function_id]
        call = Call(
            id=self.state.new("fc"),
            function_id=request.function_id,
            app_id=self.state.function_apps[request.function_id],
            input_id=self.state.new("in"),
            input=item.input,
        )
        self.state.calls[call.id] = call
        call.runner = asyncio.create_task(work(self.state, call))
        put = pb.FunctionPutInputsResponseItem(
            idx=item.idx, input_id=call.input_id, input_jwt=call.input_id
        )
        return pb.FunctionMapResponse(
            function_call_id=call.id,
            retry_policy=function.retry_policy,
            function_call_jwt=call.id,
            max_inputs_outstanding=1000,
            pipelined_inputs=[put],
        )

    async def FunctionCallFromId(
        self, request: pb.FunctionCallFromIdRequest
    ) -> pb.FunctionCallFromIdResponse:
        call = self.state.call(request.function_call_id)
        metadata = pb.FunctionCallHandleMetadata(app_id=call.app_id, function_id=call.function_id)
        return pb.FunctionCallFromIdResponse(
            function_call_id=call.id, num_inputs=1, metadata=metadata
        )

    async def FunctionGetOutputs(
        self, request: pb.FunctionGetOutputsRequest
    ) -> pb.FunctionGetOutputsResponse:
        call = self.state.call(request.function_call_id)
        wait = min(request.timeout, _LONGEST_WAIT)
        await self.state.until(lambda: call.result is not None, wait)
        if call.result is None:
            return pb.FunctionGetOutputsResponse(last_entry_id="0-0", num_unfinished_inputs=1)
        item = pb.FunctionGetOutputsItem(
            result=call.result,
            idx=0,
            input_id=call.input_id,
            data_format=pb.DataFormat.ValueType(call.data_format),
            task_id=call.task.id if call.task else "",
        )
        return pb.FunctionGetOutputsResponse(idxs=[0], outputs=[item], last_entry_id="1-0")

    async def FunctionCallCancel(self, request: pb.FunctionCallCancelRequest) -> Empty:
        await cancel(self.state, self.state.call(request.function_call_id))
        return Empty()

    def _kept(self, function_id: str, app_id: str, own: pb.Function) -> pb.FunctionHandleMetadata:
        kept = pb.Function()
        kept.CopyFrom(own)
        self.state.functions[function_id] = kept
        if own.webhook_config.type:
            door = self.state.doors.setdefault(function_id, Door(function_id, app_id))
            door.stopped = True  # a container of an earlier deployment takes no more
        return self._known(function_id, app_id, own.function_name, own.function_type)

    def _known(
        self, function_id: str, app_id: str, name: str, kind: pb.Function.FunctionType.ValueType
    ) -> pb.FunctionHandleMetadata:
        self.state.function_apps[function_id] = app_id
        handle = pb.FunctionHandleMetadata(
            function_name=name,
            function_type=kind,
            definition_id=f"de-{function_id}",
            app_id=app_id,
            web_url=self._url(function_id),
            supported_input_formats=_PICKLE_AND_CBOR,
            supported_output_formats=_PICKLE_AND_CBOR,
        )
        self.state.handles[function_id] = handle
        return handle

    def _url(self, function_id: str) -> str:
        return f"{self.state.http}/web/{function_id}" if function_id in self.state.doors else ""

    def _data(self, function_id: str) -> pb.FunctionData:
        function = self.state.functions[function_id]
        ranked = pb.FunctionData.RankedFunction(rank=0, function=function)
        return pb.FunctionData(ranked_functions=[ranked])
