"""SIGKILL to any process of a run, at any moment: nothing is lost, nothing wrong is told.

Many short runs of the scripted trainer. It writes down each event that it is about to tell and each
that it has told in a file of its own, which no part of ftui reads: that is the truth.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from ftui.runs.members import members
from ftui.runs.model import Run, RunState
from ftui.runs.tail import EventFollower
from ftui.targets.local import LocalTarget
from ftui.targets.resume import resume
from tests.standins import runs
from tests.standins.kills import kill_something, settle, working
from tests.standins.runs import allow, failure_words, history, state, wait_for

KILLS = 200
STEPS = 12
SEED = 20261128
MANNERS = ("", "launcher")
"""One process, and one that starts another in a session of its own, as torchrun does."""
LAUNCH = "import sys, pathlib; from ftui.runs.model import Run; "
LAUNCH += "from ftui.targets import local; local._STRAGGLERS_SECONDS = 0.2; "
LAUNCH += "local.LocalTarget().launch(Run(pathlib.Path(sys.argv[1])))"


@dataclass(frozen=True)
class Killed:
    """A run after something of it was killed, and again after it was resumed."""

    victim: str
    told: list[tuple[str, int]]
    truth: list[str]
    state: RunState
    words: str
    left: int
    after: RunState
    steps: list[int]
    left_after: int


def _at_step(run: Run, step: int) -> bool:
    return history(run).step == step


def _once(number: int) -> Killed:
    chance = random.Random(SEED + number)
    run = runs.make_run(STEPS, MANNERS[number % 2])
    allow(run, STEPS)
    launcher = subprocess.Popen([sys.executable, "-c", LAUNCH, str(run.folder)])
    if number % 4 >= 2:  # half of them, however long it takes to come so far on a busy machine
        wait_for(lambda: bool(members(run)) or launcher.poll() is not None, "the trainer", 60)
        victim = kill_something(run, chance.uniform(0.0, 0.4), chance)
    else:
        victim = kill_something(run, chance.uniform(0.1, 0.8), chance)
    launcher.wait(60)
    settle(run)
    told = [
        (event.kind, event.step)
        for event in EventFollower(run).poll()
        if event.kind not in ("launched", "exit")
    ]
    truth = (run.folder / "truth").read_text().split() if (run.folder / "truth").exists() else []
    standing = state(run)
    words = failure_words(run) if standing in (RunState.FAILED, RunState.INTERRUPTED) else "-"
    left = len(working(run))
    if standing is RunState.CREATED:
        LocalTarget().launch(run)
    elif standing is not RunState.DONE:
        resume(run)
    settle(run)
    steps = [point.step for point in history(run).series.get("loss", [])]
    return Killed(victim, told, truth, standing, words, left, state(run), steps, len(working(run)))


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Killed]]:
    """All of them, four at a time."""
    with pytest.MonkeyPatch.context() as patch:
        home: Path = tmp_path_factory.mktemp("kills")
        patch.setenv("FTUI_HOME", str(home))
        patch.setenv("FTUI_TRAIN_PYTHON", sys.executable)
        patch.setattr("ftui.targets.local._STRAGGLERS_SECONDS", 0.2)
        patch.setenv("SCRIPTED_STEP_SECONDS", "0.02")
        with ThreadPoolExecutor(4) as pool:
            yield list(pool.map(_once, range(KILLS)))


def test_every_part_of_a_run_was_killed(killed: list[Killed]) -> None:
    victims = Counter(one.victim for one in killed)
    assert all(victims[kind] >= 10 for kind in ("ftui", "supervisor", "trainer")), victims
    states = Counter(one.state for one in killed)
    assert all(states[each] >= 5 for each in (RunState.DONE, RunState.FAILED)), states


def test_no_event_is_lost_torn_or_invented(killed: list[Killed]) -> None:
    for one in killed:
        told = [f"{kind}:{step}" for kind, step in one.told]
        # The last one may be in the file though nobody came to say that it is.
        assert told in (one.truth, one.truth[:-1]), one


def test_the_state_is_right(killed: list[Killed]) -> None:
    for one in killed:
        saved = f"saved:{STEPS}" in one.truth
        if one.state is RunState.DONE:
            assert saved, one
        elif one.state is RunState.CREATED:
            assert one.truth == [], one
        else:
            assert one.victim in ("trainer", "supervisor", "ftui"), one
            assert one.state in (RunState.FAILED, RunState.INTERRUPTED), one
            assert not saved or one.truth[-1] == f"saved:{STEPS}", one
            assert one.words, one
        if one.victim == "trainer" and not saved:
            assert one.state in (RunState.FAILED, RunState.INTERRUPTED, RunState.CREATED), one


def test_every_run_can_be_brought_to_its_end(killed: list[Killed]) -> None:
    for one in killed:
        assert one.after is RunState.DONE, one
        assert one.steps == list(range(1, STEPS + 1)), one


def test_no_process_remains(killed: list[Killed]) -> None:
    assert sum(one.left + one.left_after for one in killed) == 0


def test_viewers_and_stops_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two viewers read on while two people ask to stop; 100 times."""
    from ftui.runs.stop import Answer, stop

    monkeypatch.setenv("FTUI_HOME", str(tmp_path))
    monkeypatch.setenv("FTUI_TRAIN_PYTHON", sys.executable)

    def view(run: Run) -> tuple[RunState, list[int]]:
        follower, seen = EventFollower(run), []
        while True:
            standing = state(run)
            events = follower.poll()
            seen += [event.step for event in events if event.kind == "step"]
            if standing.ended and not events:
                return standing, seen

    for _ in range(100):
        run = runs.make_run(STEPS)
        LocalTarget().launch(run)
        allow(run, 2)
        wait_for(partial(_at_step, run, 2), "step 2")
        with ThreadPoolExecutor(4) as pool:
            views = [pool.submit(view, run) for _ in range(2)]
            answers = [each.result() for each in [pool.submit(stop, run) for _ in range(2)]]
            assert [each.result() for each in views] == [(RunState.STOPPED, [1, 2])] * 2
        assert Counter(answers)[Answer.ASKED] == 1
        assert set(answers) <= {Answer.ASKED, Answer.ALREADY, Answer.NOT_RUNNING}
        settle(run)
