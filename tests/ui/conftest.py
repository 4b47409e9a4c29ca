"""Helpers of the UI tests: the screen as text, and waiting for what it should say."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Static

from tests.ui.quiet import wait_for_messages

SIZES = ((80, 24), (120, 40), (200, 60))
"""The sizes that every screen is made for, columns x rows."""
LIMIT = 40.0
"""Seconds until what should happen never will, on a machine that does much else."""


@pytest.fixture(autouse=True)
def ftui_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees another one's runs, nor the person's."""
    home = tmp_path / "ftui-home"
    monkeypatch.setenv("FTUI_HOME", str(home))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # with what a person is logged in to
    return home


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key comes when the one before has done all that it does, however busy the machine is.

    And a notification stays until the test has looked at it.
    """
    wait_for_messages(monkeypatch)
    monkeypatch.setattr(App, "NOTIFICATION_TIMEOUT", LIMIT)


def screen_text(app: App[Any]) -> str:
    """What a person sees now: the compositor's lines, without trailing blanks."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


async def until(pilot: Pilot[Any], happens: Callable[[], bool], limit: float = LIMIT) -> None:
    """Wait until `happens()`; fails with the screen when it does not within `limit` seconds.

    What happens in the same turn is on the screen then, too; what a thread, a worker or a timer
    brings is waited for by name.
    """
    end = time.monotonic() + limit
    while not happens():
        assert pilot.app.is_running, "the app ended"
        assert time.monotonic() < end, f"it never happened:\n{screen_text(pilot.app)}"
        await pilot.pause(0.01)
    await pilot.pause()


async def shows(
    pilot: Pilot[Any], *texts: str, without: Sequence[str] = (), limit: float = LIMIT
) -> str:
    """Wait until the screen shows every text and none `without`; the screen then."""

    def as_wanted() -> bool:
        screen = screen_text(pilot.app)
        return all(text in screen for text in texts) and not any(text in screen for text in without)

    await until(pilot, as_wanted, limit)
    return screen_text(pilot.app)


def words_of(app: App[Any], selector: str) -> str:
    """What one Static of the screen says, wherever its lines are broken on the screen.

    Where that is depends on how long a path is, and a path is another one on each machine.
    """
    return str(app.screen.query_one(selector, Static).render())


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Each of SIZES in turn."""
    chosen: tuple[int, int] = request.param
    return chosen
