"""Volumes of the second kind: files put together from blocks, which travel over HTTP."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator

from google.protobuf.empty_pb2 import Empty
from grpclib import GRPCError, Status
from modal_proto import api_pb2 as pb

from tests.standins.modal_server.state import State

BLOCK = 8 * 1024 * 1024
_FILE, _FOLDER = pb.FileEntry.FILE, pb.FileEntry.DIRECTORY


class Volumes:
    """RPCs about volumes."""

    state: State

    async def VolumeGetOrCreate(
        self, request: pb.VolumeGetOrCreateRequest
    ) -> pb.VolumeGetOrCreateResponse:
        name = request.deployment_name
        known = (i for i, one in self.state.volumes.items() if one.name == name)
        volume_id = next(known, "")
        if not volume_id:
            if request.object_creation_type == pb.OBJECT_CREATION_TYPE_UNSPECIFIED:
                words = f"Volume '{name}' not found in environment 'main'"
                raise GRPCError(Status.NOT_FOUND, words)
            volume_id = self.state.new("vo")
            metadata = pb.VolumeMetadata(name=name, version=pb.VOLUME_FS_VERSION_V2)
            self.state.volumes[volume_id] = metadata
            self.state.volume_path(volume_id).mkdir(parents=True)
        return pb.VolumeGetOrCreateResponse(
            volume_id=volume_id,
            version=pb.VOLUME_FS_VERSION_V2,
            metadata=self.state.volumes[volume_id],
        )

    async def VolumeHeartbeat(self, request: pb.VolumeHeartbeatRequest) -> Empty:
        return Empty()

    async def VolumeReload(self, request: pb.VolumeReloadRequest) -> Empty:
        self.state.reload(request.volume_id)
        return Empty()

    async def VolumeCommit(self, request: pb.VolumeCommitRequest) -> pb.VolumeCommitResponse:
        self.state.commit(request.volume_id)
        return pb.VolumeCommitResponse(skip_reload=True)

    async def VolumeListFiles2(
        self, request: pb.VolumeListFiles2Request
    ) -> AsyncIterator[pb.VolumeListFiles2Response]:
        base = self.state.volume_path(request.volume_id)
        top = self.state.volume_path(request.volume_id, request.path)
        if not top.exists():
            raise GRPCError(Status.NOT_FOUND, f"{request.path} not found")
        found = [top] if top.is_file() else top.rglob("*") if request.recursive else top.iterdir()
        entries = []
        for path in sorted(found):
            status = path.stat()
            kind = _FOLDER if path.is_dir() else _FILE
            name = str(path.relative_to(base))
            entries.append(
                pb.FileEntry(path=name, type=kind, mtime=int(status.st_mtime), size=status.st_size)
            )
        yield pb.VolumeListFiles2Response(entries=entries)

    async def VolumePutFiles2(
        self, request: pb.VolumePutFiles2Request
    ) -> pb.VolumePutFiles2Response:
        missing = [
            pb.VolumePutFiles2Response.MissingBlock(
                file_index=number, block_index=index, put_url=f"{self.state.http}/block"
            )
            for number, file in enumerate(request.files)
            for index, block in enumerate(file.blocks)
            if block.contents_sha256.hex() not in self.state.blocks
        ]
        if not missing:
            for file in request.files:
                self._put(request.volume_id, file, request.disallow_overwrite_existing_files)
        return pb.VolumePutFiles2Response(missing_blocks=missing)

    def _put(self, volume_id: str, file: pb.VolumePutFiles2Request.File, new: bool) -> None:
        path = self.state.volume_path(volume_id, file.path)
        if path.exists() and new:
            raise GRPCError(Status.ALREADY_EXISTS, f"{file.path}: already exists")
        path.parent.mkdir(parents=True, exist_ok=True)
        data = b""
        for block in file.blocks:  # a client may leave out the zeros at the end of one
            size = min(BLOCK, file.size - len(data))
            data += self.state.blocks[block.contents_sha256.hex()].ljust(size, b"\0")
        path.write_bytes(data)

    async def VolumeGetFile2(self, request: pb.VolumeGetFile2Request) -> pb.VolumeGetFile2Response:
        path = self.state.volume_path(request.volume_id, request.path)
        if not path.is_file():
            raise GRPCError(Status.NOT_FOUND, f"{request.path} not found")
        size = path.stat().st_size
        end = min(size, request.start + request.len) if request.len else size
        base = f"{self.state.http}/read/{request.volume_id}"
        name = request.path.lstrip("/")
        urls = [f"{base}/{at}/{length}/{name}" for at, length in _pieces(request.start, end)]
        length = max(0, end - request.start)
        return pb.VolumeGetFile2Response(get_urls=urls, size=size, start=request.start, len=length)

    async def VolumeRemoveFile2(self, request: pb.VolumeRemoveFile2Request) -> Empty:
        path = self.state.volume_path(request.volume_id, request.path)
        if not path.exists():
            raise GRPCError(Status.NOT_FOUND, f"{request.path} not found")
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        return Empty()


def _pieces(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Begin and length of each part of a file, cut where its blocks are."""
    while start < end:
        length = min(BLOCK - start % BLOCK, end - start)
        yield start, length
        start += length
