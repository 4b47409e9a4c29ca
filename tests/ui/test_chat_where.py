"""Where a model is served: asked before anything is rented, with its price and its end."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.screen import Screen

from ftui.errors import TargetUnavailable
from ftui.runs import store
from ftui.runs.model import Run
from ftui.serve.place import Serve
from ftui.serve.server import serve_run
from ftui.targets import TARGETS
from ftui.targets.endpoint import Endpoint, Phase, Stage
from ftui.tui.app import Chat, FtuiApp, Runs
from ftui.tui.screens.chat import ChatScreen
from tests.ui.conftest import shows, until
from tests.ui.test_chat import Models, models, run

__all__ = ("models", "run")

TERMS = "Cloud · L4 · $1.12/h · until 14:05"


class Cloud:
    """A target that rents a machine for a model."""

    name, title = "cloud", "Cloud"

    def __init__(self) -> None:
        self.price: str | TargetUnavailable = "L4 · $1.12/h"
        self.hours: list[float] = []
        self.phases: list[Phase] = []
        self.go_on = asyncio.Event()

    def serving_terms(self, run: Run) -> str:
        if isinstance(self.price, TargetUnavailable):
            raise self.price
        return self.price

    @asynccontextmanager
    async def serve(
        self, run: Run, on_phase: Callable[[Phase], None], hours: float
    ) -> AsyncIterator[Endpoint]:
        self.hours.append(hours)
        log = run.folder / "serve-2.log"
        for phase in self.phases:
            on_phase(dataclasses.replace(phase, log_file=log))
        try:
            await self.go_on.wait()
            yield Endpoint("http://loopback", tuned="tuned", terms=TERMS)
        finally:
            log.write_text("modal: ended; about $0.06: [b]L4[/b] for 3 min\n")


class Opened(FtuiApp):
    """The app, from which a chat is opened; chats talk with scripted models."""

    def __init__(self, models: Models) -> None:
        super().__init__(Runs())
        self.models = models
        self.serves: list[Serve | None] = []
        self.said = ""

    def exit(self, result: Any = None, return_code: int = 0, message: Any = None) -> None:
        self.said = str(message)
        super().exit(result, return_code, message)

    def _chat(self, run: Run, serve: Serve | None = None) -> Screen[Any]:  # type: ignore[override]
        self.serves.append(serve)
        scripted = self.models.serve if serve in (None, serve_run) else serve
        assert scripted is not None
        return ChatScreen(run, serve=scripted, stream=self.models.stream)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    made = Cloud()
    monkeypatch.setitem(TARGETS, "cloud", lambda: made)
    return made


def trained_on(run: Run, target: str) -> None:
    store.write_record(run, dataclasses.replace(store.read_record(run), target=target))


async def test_a_run_of_this_machine_is_talked_to_at_once(
    run: Run, models: Models, cloud: Cloud
) -> None:
    app = Opened(models)
    async with app.run_test(size=(80, 24)) as pilot:
        app.open_chat(run)
        await shows(pilot, "ask both …")
        assert app.serves == [None]


async def test_one_that_was_trained_on_a_rented_machine_is_asked_about(
    run: Run, models: Models, cloud: Cloud, size: tuple[int, int]
) -> None:
    trained_on(run, "cloud")
    app = Opened(models)
    async with app.run_test(size=size) as pilot:
        app.open_chat(run)
        text = await shows(pilot, "Where is the model to be served?", "L4 · $1.12/h")
        assert "This machine  costs nothing" in text
        assert "Cloud         L4 · $1.12/h · ends after 1 h" in text
        assert app.serves == []
        await pilot.press("enter")
        await shows(pilot, "ask both …")
        assert (app.serves, cloud.hours) == ([serve_run], [])


async def test_the_rented_machine_is_told_of_while_it_starts_and_while_one_talks(
    run: Run, models: Models, cloud: Cloud, size: tuple[int, int]
) -> None:
    trained_on(run, "cloud")
    cloud.phases = [Phase(Stage.IMAGE, 1), Phase(Stage.MACHINE, 40), Phase(Stage.STARTING, 70)]
    app = Opened(models)
    async with app.run_test(size=size) as pilot:
        app.open_chat(run)
        await shows(pilot, "L4 · $1.12/h")
        await pilot.press("down", "enter")
        text = await shows(pilot, "✓ the image is made ready   40 s", "● vLLM starts")
        assert "✓ a machine is found   1 min 10 s" in text
        assert "◌ the model is loaded" in text
        assert "The machine costs from when it is found." in text
        assert "On a CPU" not in text
        cloud.go_on.set()
        await shows(pilot, "ask both …", f"ftui · chat · {TERMS}")
        assert cloud.hours == [1.0]


@pytest.mark.parametrize("ready", [False, True])
async def test_who_leaves_is_told_what_it_cost_even_before_it_was_ready(
    run: Run, models: Models, cloud: Cloud, ready: bool
) -> None:
    trained_on(run, "cloud")
    cloud.phases = [Phase(Stage.IMAGE, 1), Phase(Stage.STARTING, 70)]
    app = Opened(models)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.open_chat(run)
        await shows(pilot, "L4 · $1.12/h")
        await pilot.press("down", "enter")
        await shows(pilot, "● vLLM starts")
        if ready:
            cloud.go_on.set()
            await shows(pilot, "ask both …")
        await pilot.press("escape")
        await shows(pilot, "about $0.06", "[b]L4[/b]")
        assert len(app.screen_stack) == 1
        await pilot.press("ctrl+q")
    assert "about $0.06: [b]L4[/b] for 3 min" in app.said  # on the terminal that is left


async def test_a_price_that_nobody_can_tell_says_why_and_esc_rents_nothing(
    run: Run, models: Models, cloud: Cloud
) -> None:
    trained_on(run, "cloud")
    cloud.price = TargetUnavailable("not logged in to [b]Cloud[/b]")
    app = Opened(models)
    async with app.run_test(size=(80, 24)) as pilot:
        app.open_chat(run)
        assert "ends after" not in await shows(pilot, "✗ not logged in to [b]Cloud[/b]")
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert (app.serves, cloud.hours) == ([], [])


async def test_anywhere_offers_the_rented_ones_for_a_run_of_this_machine(
    run: Run, models: Models, cloud: Cloud
) -> None:
    app = Opened(models)
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_chat(run, anywhere=True)
        text = await shows(pilot, "Where is the model to be served?", "L4 · $1.12/h")
        assert "Modal" in text


async def test_a_local_start_says_nothing_of_rented_machines(run: Run, models: Models) -> None:
    models.ready.clear()
    async with FtuiApp(Chat(run, models.serve)).run_test(size=(80, 24)) as pilot:
        text = await shows(pilot, "● the model is loaded", "On a CPU this takes 20 s")
        assert "a machine is found" not in text
        models.ready.set()
