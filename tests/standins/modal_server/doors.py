"""Web functions: who asks them, and the one container that answers."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modal_proto import api_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.standins.modal_server.state import Task

_NUMBERS: Iterator[int] = itertools.count(1)


@dataclass
class Request:
    """One HTTP request on its way through a container."""

    arguments: bytes
    """Of the call, pickled."""
    said: list[pb.Asgi]
    """What the asker sent, in its order."""
    id: str = field(default_factory=lambda: f"web{next(_NUMBERS):06d}")
    answers: asyncio.Queue[pb.Asgi | None] = field(default_factory=asyncio.Queue)
    """What the container answers; None where that is all."""
    taken: bool = False
    ended: bool = False


@dataclass
class Door:
    """A web function; `stopped`: its container is to take no more."""

    function_id: str
    app_id: str
    requests: dict[str, Request] = field(default_factory=dict)
    task: Task | None = None
    runner: asyncio.Task[None] | None = None
    starts: int = 0
    """How many containers were begun."""
    stopped: bool = False

    def waiting(self) -> Request | None:
        """The next request that no container has."""
        return next((one for one in self.requests.values() if not one.taken), None)
