"""What ftui asks of Modal, through the client of the `modal` package; every failure in words."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Self

from ftui.targets.modal import login
from ftui.targets.modal.failures import (
    CONNECT_SECONDS,
    Missing,
    in_words,
    passing_over_missing,
)

if TYPE_CHECKING:
    import modal

RUNS, STOPS = "ftui-runs", "ftui-stops"
"""The volumes of modal_app.py."""
_FULL = "remove what is not needed: ftui files RUN, modal volume ls ftui-runs"


@dataclass(frozen=True)
class Outcome:
    """How a call ended."""

    code: int
    why: str = ""
    call: str = ""
    """The call that goes on with the work; then this one's code says nothing."""


@dataclass(frozen=True)
class Standing:
    """Where a function's calls stand: those that wait for a machine, and containers that run."""

    waiting: int
    containers: int


@dataclass(frozen=True)
class Entry:
    """A file on a volume: bytes, and when it was written (seconds since the epoch)."""

    size: int
    time: float


class Api:
    """A connection of the person's own login. All methods raise TargetUnavailable."""

    def __init__(self, app: str) -> None:
        self.app = app
        self._client: modal.Client | None = None

    async def __aenter__(self) -> Self:
        """Raises TargetUnavailable for a login that Modal refuses, or no connection."""
        login.require()
        import modal

        with in_words():
            async with asyncio.timeout(CONNECT_SECONDS):  # its own tries take a minute
                self._client = await modal.Client.from_env.aio()
                await self._client.hello.aio()  # type: ignore[no-untyped-call]
        return self

    async def __aexit__(self, *_: object) -> None:
        """The client closes by itself at the end of the process."""

    # ── Files ────────────────────────────────────────────────────────────────────────────────

    async def upload(self, files: Sequence[tuple[Path | bytes, str]], volume: str = RUNS) -> None:
        """Put files, or what is to be in them, on a volume, in place of what is there.

        Raises OSError.
        """
        with in_words("the run could not be uploaded", full=_FULL):
            found = await self._volume(volume)
            async with found.batch_upload.aio(force=True) as batch:
                for here, there in files:
                    batch.put_file(BytesIO(here) if isinstance(here, bytes) else str(here), there)

    async def remove(self, path: str, volume: str = RUNS) -> None:
        """Remove a file or a folder of a volume, if it is there."""
        with in_words(), contextlib.suppress(FileNotFoundError):
            found = await self._volume(volume)
            with passing_over_missing():
                await found.remove_file.aio(path, recursive=True)

    async def sizes(self, folder: str) -> dict[str, int]:
        """The sizes of all files below a folder of the runs' volume, by their paths in it.

        Nothing where there is no such folder.
        """
        return {path: one.size for path, one in (await self.entries(folder)).items()}

    async def entries(self, folder: str) -> dict[str, Entry]:
        """All files below a folder of the runs' volume, by their paths in it."""
        found: dict[str, Entry] = {}
        with in_words(), passing_over_missing(), contextlib.suppress(FileNotFoundError):
            entries = await (await self._volume(RUNS)).listdir.aio(folder, recursive=True)
            files = [one for one in entries if one.type.name == "FILE"]
            found = {
                str(PurePosixPath("/", one.path).relative_to(folder)): Entry(one.size, one.mtime)
                for one in files
            }
        return found

    async def read(self, path: str) -> AsyncIterator[bytes]:
        """A file of the runs' volume, in pieces. Raises Missing."""
        with in_words():
            volume = await self._volume(RUNS)
            try:
                async for piece in volume.read_file.aio(path):
                    yield piece
            except FileNotFoundError as error:
                raise Missing(f"{path} is not on the volume {RUNS}") from error

    # ── Calls ────────────────────────────────────────────────────────────────────────────────

    async def spawn(
        self, function: str, secrets: Sequence[str], sent: Mapping[str, str], *, failed: str
    ) -> str:
        """Have a function of the app called; the call's id. `failed`: what is told if it cannot be.

        `secrets`: names of the workspace's; `sent`: secrets for this call alone.
        """
        import modal

        with in_words(failed):
            wanted = modal.Function.from_name(self.app, function, client=self._client)
            if sent:
                known = {**sent, "FTUI_SENT": ",".join(sent)}
                given = [modal.Secret.from_name(name) for name in secrets]
                given.append(modal.Secret.from_dict(dict(known)))
                wanted = wanted.with_options(secrets=given)
            call = await wanted.spawn.aio()
            return str(call.object_id)

    async def outcome(self, call_id: str) -> Outcome | None:
        """How a call ended; None while it has not."""
        import aiohttp
        import modal

        failed = modal.exception
        call = modal.FunctionCall.from_id(call_id, client=self._client)
        with in_words():
            try:
                told: Any = await call.get.aio(timeout=0)
            except TimeoutError:  # the builtin one: it has not ended
                return None
            except failed.FunctionTimeoutError:
                return Outcome(1, "it took longer than a function may (timeout)")
            except failed.OutputExpiredError:
                return Outcome(1, "it ended so long ago that Modal does not know how")
            except (failed.RemoteError, failed.ExecutionError, failed.InternalFailure) as error:
                return Outcome(1, str(error) or type(error).__name__)
            except Exception as error:  # what the function raised is raised here, of whatever type
                if isinstance(error, (failed.Error, aiohttp.ClientError)):
                    raise  # Modal did not say how it ended
                return Outcome(1, str(error) or type(error).__name__)
        return Outcome(
            int(told.get("code", 0)), str(told.get("why", "")), str(told.get("call", ""))
        )

    async def cancel(self, call_id: str) -> None:
        """End a call at once, and its container."""
        import modal

        with in_words(), passing_over_missing():
            call = modal.FunctionCall.from_id(call_id, client=self._client)
            await call.cancel.aio(terminate_containers=True)

    async def standing(self, function: str) -> Standing:
        """Whether a function's calls wait, or have a container."""
        import modal

        with in_words():
            wanted = modal.Function.from_name(self.app, function, client=self._client)
            told = await wanted.get_current_stats.aio()
            return Standing(told.backlog, told.num_total_runners)

    # ── Endpoints ────────────────────────────────────────────────────────────────────────────

    async def url(self, function: str) -> str:
        """Where a function of the app answers HTTP. Raises Missing where it does not."""
        import modal

        with in_words():
            wanted = modal.Function.from_name(self.app, function, client=self._client)
            url = await wanted.get_web_url.aio()
        if not url:
            raise Missing(f"Modal gave {function} of {self.app} no address")
        return url

    async def said(self, function: str) -> AsyncIterator[str]:
        """What a function's containers print, as it comes."""
        import modal

        with in_words():
            wanted = modal.Function.from_name(self.app, function, client=self._client)
            async for entry in wanted.logs.stream.aio():
                yield entry.message

    # ── The workspace ────────────────────────────────────────────────────────────────────────

    async def has_secret(self, name: str) -> bool:
        """Whether the workspace has a secret of that name."""
        import modal

        with in_words():
            try:
                await modal.Secret.from_name(name).hydrate.aio(self._client)
            except modal.exception.NotFoundError:
                return False
        return True

    async def rates(self) -> tuple[Mapping[str, float], str]:
        """Dollars by Modal's own keys (`gpu_hour_cost_h100`), and the name of the workspace."""
        import modal

        with in_words():
            workspace = modal.Workspace.from_context(client=self._client)
            told = await workspace.billing.rates.aio()
            return {name: float(rate) for name, rate in told.items()}, workspace.name or ""

    async def is_deployed(self) -> bool:
        """Whether the app is in place."""
        import modal

        with in_words():
            try:
                await modal.App.lookup.aio(self.app, client=self._client)
            except modal.exception.NotFoundError:
                return False
        return True

    async def stop_app(self) -> None:
        """Take the app away, if it is there: what it had at work ends."""
        import modal

        with in_words(), passing_over_missing():
            found = await modal.App.lookup.aio(self.app, client=self._client)
            await found.stop.aio(client=self._client)

    async def _volume(self, name: str) -> modal.Volume:
        import modal

        volume = modal.Volume.from_name(name, create_if_missing=True, client=self._client)
        await volume.hydrate.aio()
        return volume
