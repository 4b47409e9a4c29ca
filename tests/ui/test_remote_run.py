"""A run on a rented machine, in the monitor: where it stands, and what it costs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ftui.runs import store
from ftui.runs.model import Run
from tests.ui.conftest import screen_text, shows
from tests.ui.monitors import Stage, make_run, say, tell


@pytest.fixture
def run() -> Run:
    made = make_run()
    store.write_record(made, replace(store.read_record(made), target="modal"))
    tell(made, "launched")
    return made


async def test_what_it_waits_for_is_told_until_it_trains(run: Run, size: tuple[int, int]) -> None:
    app = Stage(run)
    async with app.run_test(size=size) as pilot:
        await shows(pilot, "◌ starting", "axolotl loads its libraries", "modal")
        tell(run, "phase", words="building the image, which takes minutes the first time")
        say(run, "modal: => RUN python -m pip --version")
        await shows(pilot, "building the image", "=> RUN python -m pip")
        assert "axolotl loads" not in screen_text(app)
        tell(run, "phase", words="waiting for a machine with H100:2 (queued)")
        await shows(pilot, "waiting for a machine with H100:2 (queued)")
        tell(run, "train_begin", at=1000.0)
        tell(run, "log", 1, at=1001.0, loss=2.0)
        await shows(pilot, "● training", without=("queued",))


async def test_another_try_says_where_it_begins_and_what_it_waits_for(run: Run) -> None:
    tell(run, "train_begin", at=1000.0)
    tell(run, "log", 5, at=1001.0, loss=2.0)
    tell(run, "launched", again=True, from_step=4)
    tell(run, "phase", words="the container is starting")
    app = Stage(run)
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "goes on from step 4", "the container is starting")


async def test_words_of_elsewhere_are_made_safe_to_show(run: Run) -> None:
    tell(run, "phase", words="waiting\x1b[31m in red\x07")
    app = Stage(run)
    async with app.run_test(size=(80, 24)) as pilot:
        assert "\x1b" not in await shows(pilot, "waiting in red")


async def test_what_it_costs_is_on_the_screen(run: Run, size: tuple[int, int]) -> None:
    tell(run, "train_begin", at=1000.0)
    tell(run, "log", 1, at=1001.0, loss=2.0)
    tell(run, "cost", at=1001.0, dollars=1.26, an_hour=4.27)
    app = Stage(run)
    async with app.run_test(size=size) as pilot:
        await shows(pilot, "$1.26")
