"""What containers printed, and how far a call has come."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from google.protobuf.timestamp_pb2 import Timestamp
from modal_proto import api_pb2 as pb

from tests.standins.modal_server.state import Entry, State

_SECONDS = 55.0
_Counted = pb.FunctionCallInfo
_FIELDS = {
    None: "pending_inputs",
    pb.GenericResult.GENERIC_STATUS_SUCCESS: "succeeded_inputs",
    pb.GenericResult.GENERIC_STATUS_TERMINATED: "cancelled_inputs",
    pb.GenericResult.GENERIC_STATUS_TIMEOUT: "timeout_inputs",
}


class Logs:
    """RPCs about logs."""

    state: State

    async def FunctionCallGetInfo(
        self, request: pb.FunctionCallGetInfoRequest
    ) -> pb.FunctionCallGetInfoResponse:
        call = self.state.call(request.function_call_id)
        info = _Counted(function_call_id=call.id, created_at=call.created, total_inputs=1)
        status = call.result.status if call.result else None
        getattr(info, _FIELDS.get(status, "failed_inputs")).total = 1
        return pb.FunctionCallGetInfoResponse(info=info)

    async def AppGetLogs(self, request: pb.AppGetLogsRequest) -> AsyncIterator[pb.TaskLogsBatch]:
        at, end = int(request.last_entry_id or 0), time.monotonic() + (request.timeout or _SECONDS)
        while time.monotonic() < end:
            for entry in self.state.log[at:]:
                at = entry.number
                if _fits(entry, request.app_id, request.function_call_id, request.file_descriptor):
                    yield _batch(entry)
            if self.state.is_over(request.app_id):
                yield pb.TaskLogsBatch(app_done=True)
                return
            await self._news(at, request.app_id, end - time.monotonic())

    async def _news(self, count: int, app_id: str, seconds: float) -> None:
        """Wait for more lines than that, or for the end of an app."""
        state = self.state
        await state.until(lambda: len(state.log) > count or state.is_over(app_id), seconds)

    async def AppFetchLogs(self, request: pb.AppFetchLogsRequest) -> pb.AppFetchLogsResponse:
        found = [_batch(entry) for entry in self._between(request)]
        return pb.AppFetchLogsResponse(batches=found[-(request.limit or len(found)) :])

    async def AppCountLogs(self, request: pb.AppCountLogsRequest) -> pb.AppCountLogsResponse:
        buckets: dict[int, pb.AppCountLogsResponse.LogBucket] = {}
        for entry in self._between(request):
            at = entry.nanoseconds // 10**9 // request.bucket_secs * request.bucket_secs
            stamp = Timestamp(seconds=at)
            bucket = pb.AppCountLogsResponse.LogBucket(bucket_start_at=stamp)
            buckets.setdefault(at, bucket).stdout_logs += 1
        ordered = [buckets[at] for at in sorted(buckets)]
        return pb.AppCountLogsResponse(app_id=request.app_id, buckets=ordered)

    def _between(self, request: pb.AppFetchLogsRequest | pb.AppCountLogsRequest) -> list[Entry]:
        first, last = request.since.ToNanoseconds(), request.until.ToNanoseconds()
        return [
            entry
            for entry in self.state.log
            if first <= entry.nanoseconds < last
            and _fits(entry, request.app_id, request.function_call_id, request.source)
        ]


def _fits(entry: Entry, app_id: str, call_id: str, fd: int) -> bool:
    call = entry.task.call
    return call.app_id == app_id and call_id in ("", call.id) and fd in (0, entry.fd)


def _batch(entry: Entry) -> pb.TaskLogsBatch:
    call = entry.task.call
    line = pb.TaskLogs(
        data=entry.text,
        timestamp=entry.nanoseconds / 1e9,
        timestamp_ns=entry.nanoseconds,
        file_descriptor=pb.FileDescriptor.ValueType(entry.fd),
        function_call_id=call.id,
        input_id=call.input_id,
    )
    return pb.TaskLogsBatch(
        task_id=entry.task.id,
        function_id=call.function_id,
        input_id=call.input_id,
        entry_id=str(entry.number),
        items=[line],
    )
