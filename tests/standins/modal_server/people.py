"""What a person does with the target in a test: prepare a run, launch it, wait for it."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

from ftui.plan.plan import Plan, start
from ftui.plan.presets import find
from ftui.runs import process, store
from ftui.runs.model import Run
from ftui.targets.documents import write_documents
from ftui.targets.modal.target import ModalTarget
from ftui.targets.prepare import prepare
from tests.standins.modal_server.lab import Lab
from tests.standins.runs import failure_words, history, state, wait_for

LIMIT = 120.0
"""Seconds for a container to start or to end, on a busy machine too."""


def plan_of(preset: str = "nano-sql-lora", **settings: object) -> Plan:
    return replace(start(find(preset)).with_settings(**settings), target="modal")


def prepared(plan: Plan) -> Run:
    """The folder of a run that was not started."""
    run = prepare(plan, ModalTarget())
    write_documents(run, plan)
    return run


def launched(plan: Plan | None = None) -> Run:
    run = prepared(plan or plan_of())
    ModalTarget().launch(run)
    return run


def end_follower(run: Run) -> None:
    """Kill who follows the run, as a crash or a shutdown does."""
    supervisor = store.read_record(run).supervisor
    if supervisor and process.alive(supervisor):
        os.kill(supervisor.pid, signal.SIGKILL)
        wait_for(lambda: not process.alive(supervisor), "the end of the follower")


def come_to(run: Run, step: int) -> None:
    wait_for(lambda: history(run).step >= step or state(run).ended, f"step {step}", LIMIT)
    assert history(run).step >= step, failure_words(run) + log_of(run)


def let(modal: Lab, run: Run, steps: int) -> None:
    """Let the trainer go on to this step, wherever it is by now."""
    wait_for(modal.kept(run).is_dir, "the upload", LIMIT)
    modal.allow(run, steps)


def come_to_end(run: Run) -> None:
    wait_for(lambda: state(run).ended, "the end", LIMIT)


def log_of(run: Run) -> str:
    return run.log_file.read_text() if run.log_file.exists() else ""
