"""A run of the real axolotl on this machine: launched, followed, stopped, and explained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ftui.plan.plan import start
from ftui.plan.presets import find
from ftui.runs import store
from ftui.runs.checkpoints import checkpoints
from ftui.runs.lookout import Lookout
from ftui.runs.members import members
from ftui.runs.model import Run, RunState
from ftui.runs.stop import Answer
from ftui.runs.stop_on import remember
from ftui.runs.tail import EventFollower, LogFollower
from ftui.runs.tripwires import Trip, Tripwire
from ftui.targets import get
from ftui.targets.prepare import prepare
from ftui.targets.resume import resume
from tests.standins import runs, secrets
from tests.standins.runs import failure_words, fix_of, history, state, wait_for

LIMIT = 600.0
"""Seconds for axolotl to start and make a few steps, on a busy machine too."""


@pytest.fixture
def made(home: Path) -> Iterator[list[Run]]:
    """The runs of a test; nothing of them is left running after it."""
    made: list[Run] = []
    yield made
    for run in made:
        runs.end_processes(run)


def prepared(made: list[Run], **settings: Any) -> Run:
    """The smallest preset, made shorter still."""
    settings = {"val_set_size": None, "evals_per_epoch": None, "saves_per_epoch": None, **settings}
    plan = start(find("nano-sql-lora")).with_settings(**settings)
    run = prepare(plan, get(plan.target))
    made.append(run)
    return run


def come_to(run: Run, step: int) -> None:
    """Wait until a run has come to a step; a run that ended first never will."""
    wait_for(lambda: history(run).step >= step or state(run).ended, f"step {step}", LIMIT)
    assert history(run).step >= step, failure_words(run)


def test_a_run_reaches_its_end_though_ftui_is_killed(
    made: list[Run], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = secrets.plant(monkeypatch)
    run = prepared(made, max_steps=8, save_steps=4, val_set_size=0.005, eval_steps=4)
    remember(run, tuple(Tripwire))
    with runs.launched_by_another(run) as kill_it:
        come_to(run, 1)
        kill_it()
    assert state(run) is RunState.TRAINING
    watch = Lookout(run)
    trips: list[Trip] = []

    def ended() -> bool:
        trips.extend(watch.look(history(run)))
        return state(run).ended

    wait_for(ended, "the end", LIMIT)
    assert trips == []
    assert secrets.found(values, home) == []

    assert state(run) is RunState.DONE
    told = history(run)
    assert [point.step for point in told.series["loss"]] == list(range(1, 9))
    assert told.series["loss"][-1].value < told.series["loss"][0].value
    assert [point.step for point in told.series["eval_loss"]] == [0, 4, 8]
    assert {"learning_rate", "grad_norm", "memory/rss (GiB)"} <= set(told.series)
    assert [point.step for point in told.checkpoints] == [4, 8]
    assert (told.max_steps, told.exit_code) == (8, 0)
    assert members(run) == []
    kinds = [event.kind for event in EventFollower(run).poll()]
    assert kinds.index("evaluating") < kinds.index("eval") < kinds.index("saving")
    assert told.vocabulary > 100
    assert told.warmup_steps == 10  # the preset's
    assert told.seconds_a_step is not None
    log = LogFollower(run).poll()
    assert any("'train_loss'" in line for line in log)
    assert not any("\r" in line or "\x1b" in line for line in log)


def test_a_run_is_stopped_and_goes_on_where_it_was(made: list[Run]) -> None:
    run = prepared(made, max_steps=14, save_steps=1000)
    target = get("local")
    target.launch(run)
    come_to(run, 2)
    assert target.stop(run) is Answer.ASKED
    wait_for(lambda: state(run).ended, "the end", 60)
    assert state(run) is RunState.STOPPED
    assert store.has_weights(run)
    assert members(run) == []
    stopped = history(run)
    assert stopped.step < 14
    assert (stopped.exit_code, stopped.saved) == (0, True)

    found = resume(run)
    assert found.checkpoint is not None
    assert (found.checkpoint.step, found.checkpoint.weights_only) == (stopped.step, False)
    wait_for(lambda: state(run).ended, "the end", LIMIT)
    assert state(run) is RunState.DONE
    told = history(run)
    assert [point.step for point in told.series["loss"]] == list(range(1, 15))
    rates = [point.value for point in told.series["learning_rate"]]
    assert rates[-1] < rates[stopped.step - 1]  # the schedule went on, too
    begun = [event.step for event in EventFollower(run).poll() if event.kind == "train_begin"]
    assert begun == [0, stopped.step]


def test_numbers_that_are_lost_stop_the_run_and_it_begins_anew_with_smaller_steps(
    made: list[Run],
) -> None:
    run = prepared(
        made, max_steps=200, save_steps=50, learning_rate=1e30, max_grad_norm=1e30, warmup_steps=0
    )
    remember(run, [Tripwire.NAN])
    get("local").launch(run)
    wait_for(lambda: state(run).ended, "the end", LIMIT)
    assert state(run) is RunState.NUMBERS_LOST
    assert "numbers lost" in history(run).stop_reason
    fix = fix_of(run)
    assert fix is not None
    assert resume(run, fix).checkpoint is None
    come_to(run, 1)
    assert yaml.safe_load(run.config_file.read_text())["learning_rate"] == 2e-4


def test_a_config_that_axolotl_refuses_is_explained(made: list[Run]) -> None:
    run = prepared(made, max_steps=2, optimizer="adamwx")
    get("local").launch(run)
    wait_for(lambda: state(run).ended, "the end", LIMIT)
    assert state(run) is RunState.FAILED
    assert "adamwx" in failure_words(run)


CPU_WORKERS = """
import os
from axolotl.integrations.base import BasePlugin

class OnCpu(BasePlugin):
    def load_datasets(self, cfg, preprocess=False):
        cfg.device_map = {"": "cpu"}  # axolotl would ask for GPU 0 and GPU 1
"""


def test_two_processes_stop_at_the_same_step(made: list[Run]) -> None:
    """torchrun gives each a session of its own: no signal to the launcher's group reaches them."""
    run = prepared(made, max_steps=500, save_steps=1000)
    (run.folder / "workers.py").write_text(CPU_WORKERS)
    config = yaml.safe_load(run.config_file.read_text())
    config["plugins"].append("workers.OnCpu")
    run.config_file.write_text(yaml.safe_dump(config))
    alone = "python -m axolotl.cli.train"
    both = "torchrun --standalone --nproc_per_node 2 -m axolotl.cli.train"
    script = run.script_file.read_text()
    assert alone in script
    command = script.replace(alone, both).replace("exec ", "export ACCELERATE_USE_CPU=true\nexec ")
    run.script_file.write_text(command)
    target = get("local")
    target.launch(run)
    come_to(run, 2)
    assert len(members(run)) >= 3
    target.stop(run)
    wait_for(lambda: state(run).ended, "the end", 120)
    assert state(run) is RunState.STOPPED
    [checkpoint] = checkpoints(run)
    assert (checkpoint.step, checkpoint.problem) == (history(run).step, "")
    assert len(list(checkpoint.path.glob("rng_state_*.pth"))) == 2
    assert members(run) == []
