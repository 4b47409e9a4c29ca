"""Mounts (the code that travels), images and secrets."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator

from grpclib import GRPCError, Status
from modal_proto import api_pb2 as pb

from tests.standins.modal_server.state import State

BUILT = pb.GenericResult(status=pb.GenericResult.GENERIC_STATUS_SUCCESS)
_POLL_SECONDS = 0.1
METADATA = pb.ImageMetadata(image_builder_version="2025.06")


def image_env(state: State, image_id: str) -> dict[str, str]:
    """The environment that an image sets."""
    image = pb.Image.FromString(state.images[image_id][0])
    found: dict[str, str] = {}
    for base in image.base_images:
        found |= image_env(state, base.image_id)
    for line in image.dockerfile_commands:
        if match := re.match(r"ENV ([^=\s]+)=(.*)$", line):
            found[match[1]] = match[2].strip().strip("'\"")
    return found


class Images:
    """RPCs about mounts, images and secrets."""

    state: State

    async def MountPutFile(self, request: pb.MountPutFileRequest) -> pb.MountPutFileResponse:
        if request.WhichOneof("data_oneof") == "data":
            self.state.files[request.sha256_hex] = request.data
        return pb.MountPutFileResponse(exists=request.sha256_hex in self.state.files)

    async def MountBatchedCheckExistence(
        self, request: pb.MountBatchedCheckExistenceRequest
    ) -> pb.MountBatchedCheckExistenceResponse:
        missing = [one for one in request.sha256_hex_hashes if one not in self.state.files]
        return pb.MountBatchedCheckExistenceResponse(missing_sha256_hex_hashes=missing)

    async def MountGetOrCreate(
        self, request: pb.MountGetOrCreateRequest
    ) -> pb.MountGetOrCreateResponse:
        mount_id = self.state.new("mo")
        self.state.mounts[mount_id] = {one.filename: one.sha256_hex for one in request.files}
        checksum = hashlib.sha256(mount_id.encode()).hexdigest()
        metadata = pb.MountHandleMetadata(content_checksum_sha256_hex=checksum)
        return pb.MountGetOrCreateResponse(mount_id=mount_id, handle_metadata=metadata)

    async def ImageGetOrCreate(
        self, request: pb.ImageGetOrCreateRequest
    ) -> pb.ImageGetOrCreateResponse:
        definition = request.image.SerializeToString(deterministic=True)
        known = (i for i, (other, _) in self.state.images.items() if other == definition)
        image_id = next(known, "") or self.state.new("im")
        _, built = self.state.images.setdefault(image_id, (definition, False))
        if not built:
            return pb.ImageGetOrCreateResponse(image_id=image_id)
        return pb.ImageGetOrCreateResponse(image_id=image_id, result=BUILT, metadata=METADATA)

    async def ImageJoinStreaming(
        self, request: pb.ImageJoinStreamingRequest
    ) -> AsyncIterator[pb.ImageJoinStreamingResponse]:
        definition, _ = self.state.images[request.image_id]
        for command in pb.Image.FromString(definition).dockerfile_commands:
            line = pb.TaskLogs(data=f"=> {command}\n", timestamp=time.time())
            yield pb.ImageJoinStreamingResponse(entry_id="1", task_logs=[line])
        while self.state.faults.building:
            await asyncio.sleep(_POLL_SECONDS)
        if error := self.state.faults.image_error:
            failed = pb.GenericResult(
                status=pb.GenericResult.GENERIC_STATUS_FAILURE, exception=error
            )
            yield pb.ImageJoinStreamingResponse(entry_id="2", eof=True, result=failed)
            return
        self.state.images[request.image_id] = (definition, True)
        yield pb.ImageJoinStreamingResponse(entry_id="2", eof=True, result=BUILT, metadata=METADATA)

    async def SecretGetOrCreate(
        self, request: pb.SecretGetOrCreateRequest
    ) -> pb.SecretGetOrCreateResponse:
        name = request.deployment_name
        secret_id = self.state.secret_names.get(name, "") if name else ""
        if not secret_id:
            if request.object_creation_type == pb.OBJECT_CREATION_TYPE_UNSPECIFIED:
                words = f"Secret '{name}' not found in environment 'main'"
                raise GRPCError(Status.NOT_FOUND, words)
            secret_id = self.state.new("st")
            self.state.secrets[secret_id] = dict(request.env_dict)
        metadata = pb.SecretMetadata(name=name)
        return pb.SecretGetOrCreateResponse(secret_id=secret_id, metadata=metadata)
