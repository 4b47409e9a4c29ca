"""A run elsewhere of which nothing is heard, and a stop that nobody was told of, in the monitor."""

from __future__ import annotations

import time
from dataclasses import replace

from ftui.runs import store
from tests.ui.conftest import screen_text, shows, until
from tests.ui.monitors import Stage, make_run, tell


async def test_it_stands_below_the_head_until_it_is_over(size: tuple[int, int]) -> None:
    run = make_run()
    store.write_record(run, replace(store.read_record(run), target="dstack"))
    for kind, step in (("launched", 0), ("train_begin", 0), ("log", 1)):
        tell(run, kind, step, at=1000.0 + step, **({"loss": 2.0} if step else {}))
    app = Stage(run)
    async with app.run_test(size=size) as pilot:
        await shows(pilot, "● training")
        tell(run, "silent", whom="the dstack [server]", since=time.time() - 30)
        tell(run, "stop_requested", through="dstack")
        silence = "▲ nothing is heard from the dstack [server] since"
        await shows(pilot, silence, "▲ the stop waits: it is passed on as soon as dstack answers")
        tell(run, "heard", whom="the dstack [server]")
        tell(run, "stop_passed_on")
        await until(pilot, lambda: "▲" not in screen_text(app))
        assert "● stopping" in screen_text(app)
