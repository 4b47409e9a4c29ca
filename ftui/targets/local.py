"""This machine as a target: runs are started detached and outlive ftui."""

from __future__ import annotations

import dataclasses
import json
import os
import select
import shutil
import subprocess
import sys
from pathlib import Path

from ftui import paths
from ftui.errors import RuntimeMissing
from ftui.estimate.architecture import CannotSay
from ftui.estimate.estimate import estimate
from ftui.estimate.fit import Fit, fits, usable_gib
from ftui.estimate.memory import Memory
from ftui.estimate.words import memory_words
from ftui.plan.hardware import Gpu, Hardware
from ftui.plan.plan import Plan
from ftui.runs.lock import claimed
from ftui.runs.model import Run
from ftui.runs.stop import Answer, stop
from ftui.runs.supervise import Orders
from ftui.runtimes import Kind, find, require
from ftui.runtimes.model_shape import find_shape
from ftui.targets.base import GoingOn, NotStarted, Problem
from ftui.targets.machine import detect
from ftui.targets.refusals import only_on_dstack

_START_SECONDS = 60.0
_STRAGGLERS_SECONDS = 30.0
_GUARD_SECONDS = 2.0
"""What a supervisor is told of its patience (supervise.py)."""
_FREE_GIB = 1.0
"""Room for checkpoints, the prepared dataset and the log of a small run."""
_ELSEWHERE = "--dry-run writes the files, to train elsewhere"
_TRY = f"try --preset nano-sql-lora here; {_ELSEWHERE}"


class LocalTarget:
    """The machine that ftui runs on."""

    name = "local"
    title = "This machine"
    needs_runtimes: tuple[Kind, ...] = (Kind.TRAIN, Kind.SERVE)

    def hardware(self, plan: Plan | None = None) -> Hardware:
        """What this machine offers, whatever the plan."""
        return detect()

    def problems(self, plan: Plan) -> list[Problem]:
        """GPUs, their memory, or disk space that the plan needs and this machine lacks."""
        found = [*only_on_dstack(plan, "this machine")]
        if not found:
            found += filter(None, [_gpu_problem(plan, self.hardware())])
        return [*found, *filter(None, [_disk_problem(paths.runs_dir())])]

    def command(self, plan: Plan) -> tuple[str, ...]:
        """Python alone for one process; accelerate, which starts one a GPU, for more."""
        try:
            runtime = find(Kind.TRAIN)
        except RuntimeMissing:  # launch() says so; the files can be written all the same
            runtime = None
        train = ("-m", "axolotl.cli.train", "config.yml")
        if plan.gpus <= 1:
            return (str(runtime.python) if runtime else "python", *train)
        accelerate = str(runtime.bin / "accelerate") if runtime else "accelerate"
        # Port 0: any free one, so that two runs on one machine do not collide.
        processes = ("--num_processes", str(plan.gpus), "--main_process_port", "0")
        return (accelerate, "launch", *processes, *train)

    def launch(self, run: Run, going_on: GoingOn | None = None) -> None:
        """Start the run under a supervisor of its own; returns when its trainer has started.

        Takes well under a second. Raises RuntimeMissing, RunNotFound, UsageError when it is running
        already, or NotStarted with the reason.
        """
        require(Kind.TRAIN)
        if going_on is not None:
            _launch(run, going_on)
            return
        try:
            with claimed(run) as claim:
                _launch(run, GoingOn(claim))
        except OSError as error:
            raise _not_started(run, (error.strerror or str(error)).lower()) from error

    def stop(self, run: Run) -> Answer:
        """Ask the run to save and end; asked again, end it at once. Raises OSError."""
        return stop(run)


def _launch(run: Run, going_on: GoingOn) -> None:
    """Raises NotStarted."""
    try:
        words = json.loads(_start_supervisor(run, going_on))
    except ValueError:
        words = {"why": f"its supervisor gave no sign of life; see {run.log_file}"}
    if "why" in words:
        raise _not_started(run, str(words["why"]))


def _not_started(run: Run, why: str) -> NotStarted:
    return NotStarted("the run could not be started", where=str(run.folder), why=why)


def _start_supervisor(run: Run, going_on: GoingOn) -> bytes:
    """What the supervisor says in its first line; empty when it says nothing in time."""
    claim, checkpoint = going_on.claim, going_on.checkpoint
    orders = Orders(
        lock=claim.lock,
        turn=claim.turn,
        stragglers_seconds=_STRAGGLERS_SECONDS,
        guard_seconds=_GUARD_SECONDS,
        told=going_on.told,
    )
    command = [sys.executable, "-m", "ftui.runs.supervise", str(run.folder)]
    command.append(json.dumps(dataclasses.asdict(orders)))
    command += [f"--resume_from_checkpoint={checkpoint}"] if checkpoint else []
    reader, writer = os.pipe()
    try:
        try:
            with run.log_file.open("ab") as log:
                subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=writer,
                    stderr=log,
                    cwd="/",
                    start_new_session=True,
                    pass_fds=(claim.lock, claim.turn),
                    timeout=_START_SECONDS,
                    check=False,
                )
        finally:
            os.close(writer)
        ready, _, _ = select.select([reader], [], [], _START_SECONDS)
        return os.read(reader, 4096) if ready else b""
    except OSError as error:
        return json.dumps({"why": (error.strerror or str(error)).lower()}).encode()
    except subprocess.TimeoutExpired:
        return b""
    finally:
        os.close(reader)


def _gpu_problem(plan: Plan, hardware: Hardware) -> Problem | None:
    count = plan.gpus or min(plan.preset.needs.gpus, 1)
    used = hardware.gpus[:count]  # train.sh takes the first ones
    needed = _estimated(plan, count)
    if len(used) == count:
        return _memory_problem(plan, used, needed) if used else None
    memory = needed.expected if needed else plan.preset.needs.gpu_memory_gib
    gpus = f"{count} GPU{'s' if count > 1 else ''}"
    about = "about " if needed else ""
    each = f" with {about}{memory:.0f} GiB" + (" each" if count > 1 else "") if memory else ""
    what = f"needs {gpus}{each}; this machine has {hardware.gpu_words}"
    if not plan.preset.needs.gpus:
        return Problem(what, "use --gpus 0: it needs none", "esc: it can train without a GPU")
    hint = _ELSEWHERE if plan.preset.text else _TRY
    return Problem(what, hint, "w writes the files, to train elsewhere")


def _estimated(plan: Plan, gpus: int) -> Memory | None:
    """None where nobody can say."""
    try:
        model = find_shape(str(plan.settings.get("base_model")), plan.preset.path.parent, hub=False)
        return estimate(plan.settings, model, gpus).memory
    except CannotSay:
        return None


def _memory_problem(plan: Plan, used: tuple[Gpu, ...], needed: Memory | None) -> Problem | None:
    """By the estimate; where nobody can say, by what the preset asks for."""
    smallest = min(used, key=lambda gpu: gpu.memory_gib)
    if needed is None:
        memory = plan.preset.needs.gpu_memory_gib
        if smallest.holds(memory):
            return None
        what = f"needs a GPU with {memory:.0f} GiB; {smallest.name} has {smallest.memory_gib:.0f}"
        return Problem(what, _TRY, "w writes the files, to train elsewhere")
    if fits(needed, smallest) is not Fit.NO:
        return None
    told = f"needs about {memory_words(needed, len(used))}; {smallest.name} has"
    return Problem(
        f"{told} {usable_gib(smallest):.1f} for programs",
        "ftui fit says what would need less",
        "m shows what would need less",
    )


def _disk_problem(folder: Path) -> Problem | None:
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 2**30
    if free >= _FREE_GIB:
        return None
    return Problem(
        f"needs {_FREE_GIB:.0f} GiB of free disk; {folder} has {free:.1f} GiB",
        "make room, or set FTUI_HOME to a folder on another disk",
    )
