"""The tripwires that were named on the command line reach the run that the screens launch."""

from __future__ import annotations

from pathlib import Path

from ftui.plan.plan import Plan
from ftui.plan.steps import begin
from ftui.runs.model import Run
from ftui.runs.stop_on import asked
from ftui.runs.store import read_record
from ftui.runs.tripwires import Tripwire
from ftui.tui.app import Launch
from tests.standins.runs import make_run
from tests.ui.conftest import until
from tests.ui.stage import MACHINE, Stage, StageApp, preset


async def test_they_are_in_its_record_before_it_is_launched(tmp_path: Path) -> None:
    told: list[tuple[Tripwire, ...]] = []

    def launch(plan: Plan, run: Run) -> None:
        told.append(asked(read_record(run)))

    services = Stage(tmp_path).services(prepare=lambda plan, text: make_run(), launch=launch)
    app = StageApp(Launch(begin(preset("small-lora"), MACHINE)), services)
    app.stop_on = (Tripwire.NAN, Tripwire.STALL)
    async with app.run_test() as pilot:
        await until(pilot, lambda: bool(told))
    assert told == [(Tripwire.NAN, Tripwire.STALL)]
