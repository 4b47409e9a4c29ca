"""People who resume, launch, stop and clean up one run at once: each is told the truth."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.standins.races import STEPS, Race
from tests.standins.runs import end_processes, make_run

ROUNDS = 120


def test_of_all_that_is_asked_at_once_one_thing_happens_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path))
    monkeypatch.setenv("FTUI_TRAIN_PYTHON", sys.executable)
    run = make_run(STEPS)
    race = Race(run, seed=20261128)
    try:
        for _ in range(ROUNDS):
            race.round()
    finally:
        race.close()
        end_processes(run)
    print(race.answers)
    assert race.answers["resume: from"] >= ROUNDS / 4
    assert race.answers["resume: refused"] >= ROUNDS / 10
    assert race.answers["clean: cleaned"] >= 5
    assert race.answers["clean: refused"] >= 5
    assert race.answers["stop: ASKED"] + race.answers["stop: LOADING"] >= 5
