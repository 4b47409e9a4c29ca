"""SIGKILL to the real axolotl ten times, at moments of chance: the run still comes to its end."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

from ftui.plan.plan import start
from ftui.plan.presets import find
from ftui.runs.model import Run, RunState
from ftui.runs.tail import EventFollower
from ftui.targets import get
from ftui.targets.prepare import prepare
from ftui.targets.resume import resume
from tests.standins.kills import kill_something, settle, working
from tests.standins.runs import end_processes, failure_words, history, state, wait_for

KILLED = "killed|gone without a word|died without a word|lost another one"
KILLS = 10
STEPS = 80
LONGEST = 22.0
"""Seconds from a launch to the last moment of a kill: axolotl loads for 10 to 20 s."""
MOST_STEPS = 4
"""Of one try: however fast the machine is, the run is not done before it was killed ten times."""


def _moment(run: Run, seconds: float) -> None:
    """Wait for a moment of chance, and no longer than for the last step that a try may do."""
    end, last = time.monotonic() + seconds, history(run).step + MOST_STEPS
    wait_for(lambda: time.monotonic() >= end or history(run).step >= last, "a moment", 60)


def test_a_run_that_is_killed_ten_times_comes_to_its_end(home: Path) -> None:
    chance = random.Random(20261128)
    settings = {"val_set_size": None, "evals_per_epoch": None, "saves_per_epoch": None}
    plan = start(find("nano-sql-lora")).with_settings(**settings, max_steps=STEPS, save_steps=2)
    run = prepare(plan, get("local"))
    reached = []
    try:
        get("local").launch(run)
        for _ in range(KILLS):
            _moment(run, chance.uniform(0.0, LONGEST))
            kill_something(run, 0.0, chance)
            while working(run):  # the supervisor was killed: training goes on, till it is killed
                kill_something(run, chance.uniform(0.0, 2.0), chance)
            settle(run)
            assert state(run) in (RunState.FAILED, RunState.INTERRUPTED)
            # "lost another one": a helper was killed, and the trainer found its connection closed.
            assert re.search(KILLED, failure_words(run))
            reached.append(resume(run).reached)
        settle(run, 300)
    finally:
        end_processes(run)
    assert state(run) is RunState.DONE
    told = history(run)
    assert [point.step for point in told.series["loss"]] == list(range(1, STEPS + 1))
    assert len(reached) == KILLS
    assert max(reached) > 0
    begun = [event.step for event in EventFollower(run).poll() if event.kind == "train_begin"]
    assert begun == sorted(begun)  # no try begins before an earlier one did
    assert begun[-1] > 0
