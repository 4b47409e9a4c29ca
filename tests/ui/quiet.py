"""Waiting until nothing on the screen is half done, whatever the machine is busy with.

Textual's own `wait_for_idle` asks how much processor time went by in a fiftieth of a second: on a
busy machine that is little in the middle of the work, too, and the next key comes too early. Here
what counts is what is still to be handled: a message in some queue, a callback, a handler at work,
a widget to be drawn. A thread, a worker or a timer that has yet to report is none of that; a test
waits for what those will show.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import pytest
from textual._context import active_app
from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump

_CALM = 4
"""Turns of the event loop without anything to do: what is handed over between tasks takes some."""
_PATIENCE = 10.0
"""Seconds. What never comes to rest, such as an action that waits for an answer, is left to it."""


class Handlers:
    """How many handlers are at work."""

    def __init__(self) -> None:
        self.at_work = 0

    def count(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """From now on, until the end of the test."""
        dispatch = MessagePump._dispatch_message

        async def counted(pump: MessagePump, message: Message) -> None:
            self.at_work += 1
            try:
                await dispatch(pump, message)
            finally:
                self.at_work -= 1

        monkeypatch.setattr(MessagePump, "_dispatch_message", counted)

    def rest(self, app: App[Any]) -> bool:
        """Whether there is nothing to do now."""
        return not self.at_work and not any(map(_has_work, _pumps(app)))


def wait_for_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the keys and pauses of every pilot wait for messages instead of the processor."""
    handlers = Handlers()
    handlers.count(monkeypatch)

    async def quiet(min_sleep: float = 0, max_sleep: float = 1) -> None:
        app = active_app.get()
        end, calm = time.monotonic() + _PATIENCE, 0
        while calm < _CALM and time.monotonic() < end and app.is_running:
            await asyncio.sleep(0)
            if not handlers.rest(app):
                calm = 0
            elif _is_drawn(app):
                calm += 1

    monkeypatch.setattr("textual.app.wait_for_idle", quiet)
    monkeypatch.setattr("textual.pilot.wait_for_idle", quiet)


def _pumps(app: App[Any]) -> Iterable[MessagePump]:
    return (app, *app._registry)


def _has_work(pump: MessagePump) -> bool:
    if pump._closing or pump._closed:
        return False
    return bool(pump._next_callbacks) or bool(pump.message_queue_size)


def _is_drawn(app: App[Any]) -> bool:
    """Whether all that has changed is on the screen; draws it where it is not."""
    if not app._screen_stack:  # it is being closed
        return True
    screen = app.screen
    waits = (
        screen._layout_required,
        screen._scroll_required,
        screen._repaint_required,
        screen._recompose_required,
        screen._dirty_widgets,
        screen._callbacks,
    )
    if not any(waits):
        return True
    screen._on_timer_update()
    return False
