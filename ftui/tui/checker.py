"""axolotl's own check, kept warm: its worker starts with the wizard and is asked at the review."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TYPE_CHECKING, Any

from ftui.errors import FtuiError
from ftui.tui.services import ConfigChecker

if TYPE_CHECKING:
    from ftui.config.issue import Issue
    from ftui.plan.hardware import Gpu


class Checker:
    """Opens a validator once, on first use or `warm`, and closes it with the app."""

    def __init__(self, open_validator: Callable[[], AbstractAsyncContextManager[ConfigChecker]]):
        self._open = open_validator
        self._stack = AsyncExitStack()
        self._opening: asyncio.Task[ConfigChecker] | None = None

    def warm(self) -> asyncio.Task[ConfigChecker]:
        """Begin to start the worker; what goes wrong is told to the first who asks."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._stack.enter_async_context(self._open()))
            self._opening.add_done_callback(_seen)
        return self._opening

    async def check(self, config_text: str, gpus: Sequence[Gpu] | None) -> list[Issue]:
        """axolotl's issues with a config. Raises RuntimeMissing when there is no axolotl.

        A check that is no longer wanted still ends: cut off, it would cost a new worker.
        """
        try:
            validator = await asyncio.shield(self.warm())
        except FtuiError:
            self._opening = None  # the runtime may be there at the next try
            raise
        answer = asyncio.create_task(validator.validate(config_text, gpus))
        answer.add_done_callback(_seen)
        return await asyncio.shield(answer)

    async def close(self) -> None:
        """End the worker, also one that is still starting; the next check starts another."""
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
            await asyncio.wait([self._opening])
        self._opening = None
        await self._stack.aclose()


def _seen(task: asyncio.Task[Any]) -> None:
    """Mark the task's error as looked at: it is raised by `check`, or nobody asked."""
    if not task.cancelled():
        task.exception()
