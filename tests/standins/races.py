"""People who do something to one run at the same moment, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import random
import signal
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ftui.errors import FtuiError
from ftui.runs import process
from ftui.runs.cleanup import Level, clean
from ftui.runs.events import Event
from ftui.runs.members import members
from ftui.runs.model import Run
from ftui.runs.stop import stop
from ftui.runs.tail import EventFollower
from ftui.targets.local import LocalTarget
from ftui.targets.resume import resume
from tests.standins.kills import settle
from tests.standins.runs import allow, history, wait_for
from tests.standins.scripted_trainer import NO_CHECKPOINT

PEOPLE = 4
DEEDS = ("resume", "resume", "launch", "stop", "stop", "clean")
STEPS = 100_000
WITHIN_SECONDS = 0.3


@dataclass(frozen=True)
class Said:
    """What one of them did, and what they were told."""

    deed: str
    answer: str


def act(deed: str, folder: Path, moment: float) -> Said:
    """Do something at a moment of the monotonic clock, which all processes share."""
    run = Run(folder)
    while time.monotonic() < moment:
        pass
    try:
        return Said(deed, _done(deed, run))
    except FtuiError as error:
        return Said(deed, f"refused: {error}")


def _done(deed: str, run: Run) -> str:
    match deed:
        case "resume":
            found = resume(run)
            return f"from {found.checkpoint.step if found.checkpoint else 0}"
        case "launch":
            LocalTarget().launch(run)
            return "from 0"
        case "stop":
            return stop(run).name
        case _:
            clean(run, Level.LEFTOVERS)
            return "cleaned"


class Race:
    """Rounds of a race for one run. Between two of them nothing of it is at work."""

    def __init__(self, run: Run, seed: int) -> None:
        self.run = run
        self.answers: Counter[str] = Counter()
        self._chance = random.Random(seed)
        self._pool = ProcessPoolExecutor(PEOPLE, multiprocessing.get_context("spawn"))
        self._events = EventFollower(run)

    def close(self) -> None:
        self._pool.shutdown()

    def round(self) -> None:
        """Let them all act, look at what came of it, and leave a run with checkpoints that ended.

        Fails where any of them was told what is not so.
        """
        allow(self.run, history(self.run).step + 5)
        said = self._act()
        self._come_to_rest()
        told = self._events.poll()
        for each in said:
            refused = each.answer.startswith("refused")
            self.answers[f"{each.deed}: {'refused' if refused else each.answer.split()[0]}"] += 1
        _check(said, told)

    def _act(self) -> list[Said]:
        now = time.monotonic() + 0.05
        deeds = self._chance.choices(DEEDS, k=PEOPLE)
        within = self._chance.choice((0.001, 0.01, WITHIN_SECONDS))
        asked = [
            self._pool.submit(act, deed, self.run.folder, now + within * self._chance.random())
            for deed in deeds
        ]
        return [each.result(60) for each in asked]

    def _come_to_rest(self) -> None:
        """Whoever was asked to stop does so by itself; else it trains on until it is killed."""
        wait_for(self._is_at_rest, "the last try to end or to wait", 60)
        if not history(self.run).stop_requested:
            process.send(members(self.run), signal.SIGKILL)
        settle(self.run)

    def _is_at_rest(self) -> bool:
        if not members(self.run):
            return True
        told, allowed = history(self.run), int((self.run.folder / "allowed").read_text())
        return told.training and not told.stop_requested and told.step >= allowed


def _check(said: list[Said], told: list[Event]) -> None:
    """What the people heard and what happened are the same thing."""
    context = f"{said}\n{[(each.kind, each.step, dict(each.values)) for each in told]}"
    launches = [each for each in told if each.kind == "launched"]
    won = [each.answer for each in said if each.answer.startswith("from")]
    assert sorted(won) == sorted(_from(each) for each in launches), context
    asked = sum(each.answer in ("ASKED", "LOADING") for each in said)
    assert asked == sum(each.kind == "stop_requested" for each in told), context
    _check_tries(told, context)


def _from(launch: Event) -> str:
    return f"from {launch.values.get('from_step', 0)}"


def _check_tries(told: list[Event], context: str) -> None:
    """One try after the other, each from where its launch said, and to an end of its own."""
    begun, at_work = "", False
    for each in told:
        if each.kind == "launched":
            assert not at_work, context
            begun, at_work = _from(each), True
        elif each.kind == "train_begin":
            assert f"from {each.step}" == begun, context
        elif each.kind == "exit":
            assert at_work, context
            assert each.values["code"] != NO_CHECKPOINT, context
            at_work = False
        else:
            assert at_work, context
    assert not at_work, context
