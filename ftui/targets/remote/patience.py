"""Asking somebody elsewhere again and again: a network may be back by then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

_SECONDS = 600.0
_PAUSE_SECONDS = 2.0
_T = TypeVar("_T")


async def patiently(ask: Callable[[], Awaitable[_T]], passing: tuple[type[Exception], ...]) -> _T:
    """The first answer within ten minutes. Raises what `ask` raises: `passing` errors at last."""
    limit = time.monotonic() + _SECONDS
    while True:
        try:
            return await ask()
        except passing:
            if time.monotonic() > limit:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)
