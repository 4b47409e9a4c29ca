"""The gRPC service: every RPC of Modal's protocol, the unknown ones answered by their name."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from grpclib import GRPCError, Status
from grpclib.const import Handler
from grpclib.protocol import H2Protocol
from grpclib.server import Server, Stream
from modal._utils.grpc_utils import custom_detail_codec
from modal_proto.api_grpc import ModalClientBase

from tests.standins.modal_server.apps import Apps
from tests.standins.modal_server.containers import Containers
from tests.standins.modal_server.functions import Functions
from tests.standins.modal_server.images import Images
from tests.standins.modal_server.logs import Logs
from tests.standins.modal_server.state import TOKEN, State, Task
from tests.standins.modal_server.volumes import Volumes


class Service(Apps, Images, Volumes, Functions, Logs, Containers):
    """The control plane as a client sees it, or as the container of one task does."""

    def __init__(self, state: State, task: Task | None) -> None:
        self.state, self.task = state, task

    def __mapping__(self) -> Mapping[str, Handler]:
        known: Mapping[str, Handler] = _protocol().__mapping__()
        return {
            path: handler._replace(func=self._answering(path.rpartition("/")[2]))
            for path, handler in known.items()
        }

    def _answering(self, name: str) -> Callable[[Stream[Any, Any]], Awaitable[None]]:
        async def answer(stream: Stream[Any, Any]) -> None:
            request = await stream.recv_message()
            self._refuse(name, stream)
            method = getattr(self, name, None)
            if method is None:
                raise GRPCError(Status.UNIMPLEMENTED, f"the stand-in has no {name}")
            try:
                if inspect.isasyncgenfunction(method):
                    async for item in method(request):
                        await stream.send_message(item)
                else:
                    await stream.send_message(await method(request))
            except (KeyError, ValueError, AssertionError, OSError) as error:
                traceback.print_exc()
                raise GRPCError(Status.INTERNAL, f"{name}: {error!r}") from error

        return answer

    def _refuse(self, name: str, stream: Stream[Any, Any]) -> None:
        """Raises GRPCError for what a test ordered, and for a wrong token."""
        self.state.requests.append(name)
        if self.task is not None:
            return
        if self.state.faults.offline:
            raise GRPCError(Status.UNAVAILABLE, "the stand-in is offline")
        metadata: Mapping[str, Any] = stream.metadata or {}
        given = (metadata.get("x-modal-token-id"), metadata.get("x-modal-token-secret"))
        if given != TOKEN:
            raise GRPCError(Status.UNAUTHENTICATED, "Token validation failed")
        if self.state.faults.refusals[name]:
            raise self.state.faults.refusals[name].pop(0)


def _protocol() -> Any:
    """The protocol with nothing in it: all its RPCs are abstract."""
    empty: Any = type("Protocol", (ModalClientBase,), {})
    empty.__abstractmethods__ = frozenset()
    return empty()


@contextlib.asynccontextmanager
async def serving(state: State, task: Task | None = None) -> AsyncIterator[int]:
    """A server on loopback; its port."""
    server = _Server([Service(state, task)], status_details_codec=custom_detail_codec)
    await server.start("127.0.0.1", 0)
    listening: Any = server._server
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.hang_up()


class _Server(Server):
    """One that ends its connections as well when it ends."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._protocols: list[H2Protocol] = []

    def _protocol_factory(self) -> H2Protocol:
        protocol = super()._protocol_factory()
        self._protocols.append(protocol)
        return protocol

    async def hang_up(self) -> None:
        for protocol in self._protocols:
            protocol.connection.close()
        await asyncio.sleep(0)
