"""Environments, the workspace, and apps."""

from __future__ import annotations

import time

from google.protobuf.empty_pb2 import Empty
from grpclib import GRPCError, Status
from modal_proto import api_pb2 as pb

from tests.standins.modal_server.state import App, State
from tests.standins.modal_server.worker import cancel

BUILDER = "2025.06"


def layout(state: State, app: App) -> pb.AppLayout:
    """An app as its containers see it: every object that it depends on must be in it."""
    ids = app.functions.values()
    objects = [pb.Object(object_id=i, function_handle_metadata=state.handles[i]) for i in ids]
    objects += [pb.Object(object_id=i, volume_metadata=v) for i, v in state.volumes.items()]
    objects += [pb.Object(object_id=i) for i in [*state.images, *state.secrets]]
    return pb.AppLayout(objects=objects, function_ids=app.functions)


class Apps:
    """RPCs about apps."""

    state: State

    async def ClientHello(self, request: Empty) -> pb.ClientHelloResponse:
        return pb.ClientHelloResponse()

    async def EnvironmentGetOrCreate(
        self, request: pb.EnvironmentGetOrCreateRequest
    ) -> pb.EnvironmentGetOrCreateResponse:
        settings = pb.EnvironmentSettings(image_builder_version=BUILDER)
        name = request.deployment_name or "main"
        metadata = pb.EnvironmentMetadata(name=name, settings=settings)
        return pb.EnvironmentGetOrCreateResponse(environment_id="en-000001", metadata=metadata)

    async def WorkspaceNameLookup(self, request: Empty) -> pb.WorkspaceNameLookupResponse:
        return pb.WorkspaceNameLookupResponse(workspace_name="standin", username="standin")

    async def WorkspaceBillingRates(
        self, request: pb.WorkspaceBillingRatesRequest
    ) -> pb.WorkspaceBillingRatesResponse:
        return pb.WorkspaceBillingRatesResponse(rates=self.state.rates)

    async def AppGetByDeploymentName(
        self, request: pb.AppGetByDeploymentNameRequest
    ) -> pb.AppGetByDeploymentNameResponse:
        app = self.state.app(request.name)
        return pb.AppGetByDeploymentNameResponse(app_id=app.id if app else "")

    async def AppCreate(self, request: pb.AppCreateRequest) -> pb.AppCreateResponse:
        app = App(self.state.new("ap"), request.description, request.app_state)
        self.state.apps[app.id] = app
        url = f"{self.state.http}/apps/{app.id}"
        return pb.AppCreateResponse(app_id=app.id, app_page_url=url, app_logs_url=url)

    async def AppGetOrCreate(self, request: pb.AppGetOrCreateRequest) -> pb.AppGetOrCreateResponse:
        app = self.state.app(request.app_name)
        if app is None:
            raise GRPCError(Status.NOT_FOUND, f"App '{request.app_name}' not found")
        return pb.AppGetOrCreateResponse(app_id=app.id)

    async def AppGetLayout(self, request: pb.AppGetLayoutRequest) -> pb.AppGetLayoutResponse:
        app = self.state.apps[request.app_id]
        return pb.AppGetLayoutResponse(app_layout=layout(self.state, app))

    async def AppPublish(self, request: pb.AppPublishRequest) -> pb.AppPublishResponse:
        app = self.state.apps[request.app_id]
        app.functions, app.state = dict(request.function_ids), request.app_state
        app.name = request.name or app.name
        url = f"{self.state.http}/apps/{app.id}"
        return pb.AppPublishResponse(url=url, deployed_at=time.time())

    async def AppHeartbeat(self, request: pb.AppHeartbeatRequest) -> Empty:
        return Empty()

    async def AppClientDisconnect(self, request: pb.AppClientDisconnectRequest) -> Empty:
        app = self.state.apps[request.app_id]
        if app.state in (pb.APP_STATE_EPHEMERAL, pb.APP_STATE_INITIALIZING):
            await self._stop(app)
        elif app.state == pb.APP_STATE_DETACHED:
            app.state = pb.APP_STATE_DETACHED_DISCONNECTED
            await self.state.touch()
        return Empty()

    async def AppStop(self, request: pb.AppStopRequest) -> Empty:
        await self._stop(self.state.apps[request.app_id])
        return Empty()

    async def _stop(self, app: App) -> None:
        app.state = pb.APP_STATE_STOPPED
        for call in self.state.calls.values():
            if call.app_id == app.id:
                await cancel(self.state, call)
        await self.state.touch()
