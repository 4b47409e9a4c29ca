"""Modal as a target: runs are deployed and spawned, followed detached, and outlive ftui."""

from __future__ import annotations

import dataclasses
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping

from ftui import errors
from ftui.errors import PresetError, TargetUnavailable, UsageError
from ftui.plan.hardware import Hardware
from ftui.plan.own_config import needs_of
from ftui.plan.plan import Needs, Plan
from ftui.plan.presets import find as find_preset
from ftui.runs import events, process
from ftui.runs.lock import claimed, turn_or_not
from ftui.runs.model import Run, RunRecord
from ftui.runs.stop import Answer
from ftui.runs.store import read_record
from ftui.runs.tail import read_history
from ftui.targets.base import GoingOn, Problem
from ftui.targets.modal import app, gpu, login, options, position
from ftui.targets.modal.ending import abort
from ftui.targets.modal.orders import Orders
from ftui.targets.modal.submit import remember, remembered, write_files

_START_SECONDS = 120.0
"""Nothing is built or uploaded before the supervisor says how it began."""
_POLL_SECONDS = 2.0
_AT_ONCE_SECONDS = 2.0
"""Two people who ask within this time ask for the same thing; later, the second means it."""
_LOG = "modal.log"


class ModalTarget:
    """Machines that Modal rents by the second."""

    name = "modal"
    title = "Modal"

    def hardware(self) -> Hardware:
        """Nobody's in particular: whatever is asked for. Asks no server."""
        try:
            place = login.require()
        except TargetUnavailable as error:
            place = error.what
        return gpu.Rented(cores=0, memory_gib=0.0, place=place)

    def problems(self, plan: Plan) -> list[Problem]:
        """No package, no login, or GPUs that Modal has not. Modal itself is asked at the launch."""
        found = []
        try:
            login.require()
        except TargetUnavailable as error:
            found.append(Problem(error.what, error.hint))
        try:
            found += _gpu_problems(plan)
        except UsageError as error:
            found.append(Problem(error.what, error.hint))
        return found

    def command(self, plan: Plan) -> tuple[str, ...]:
        """What starts the run by hand."""
        return ("modal", "run", "--detach", app.FILE)

    def check(self, machine: Mapping[str, str]) -> None:
        """Raises UsageError for what cannot be asked of a machine."""
        options.parse(machine)

    def write(self, run: Run, plan: Plan) -> None:
        """Write modal_app.py and what travels, and keep in run.json what is asked of the machine.

        Asks no server: a launch writes them again, with the secrets that the workspace has. Raises
        ConfigError, UsageError, RunNotFound, TargetUnavailable.
        """
        try:
            remember(run, {"options": dataclasses.asdict(options.parse(plan.machine))})
            write_files(run, plan.preset.needs.gpu_memory_gib)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise TargetUnavailable(
                "the run folder cannot be written", where=str(error.filename or ""), why=why
            ) from error

    def launch(self, run: Run, going_on: GoingOn | None = None) -> None:
        """Check what can be checked, then have a detached process deploy, spawn and follow the run.

        Takes a few seconds. Raises TargetUnavailable, UsageError, ConfigError, RunNotFound.
        """
        if going_on is not None:
            _start(run, going_on)
            return
        try:
            with claimed(run) as claim:
                _start(run, GoingOn(claim))
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise TargetUnavailable(
                "the run could not be started", where=str(run.folder), why=why
            ) from error

    def attach(self, run: Run) -> None:
        """Follow a run that is at work on Modal, where nobody does any more.

        Raises UsageError when somebody does, or when it is not at work; TargetUnavailable.
        """
        with claimed(run) as claim:
            _start(run, GoingOn(claim), attach=True)

    def stop(self, run: Run) -> Answer:
        """Ask the run to save and end; asked again, end it at once. Raises OSError, FtuiError."""
        record = read_record(run)
        if not remembered(record) or read_history(run).exit_code is not None:
            return Answer.NOT_RUNNING
        if not _followed(record):
            try:
                self.attach(run)
            except UsageError:
                return Answer.NOT_RUNNING
        with turn_or_not(run):
            try:
                os.close(os.open(run.stop_file, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            except FileExistsError:
                return self._again(run, record)
            events.append(run.events_file, "stop_requested")
        return Answer.ASKED if read_history(run).training else Answer.LOADING

    def _again(self, run: Run, record: RunRecord) -> Answer:
        """The second request: the first one's other half, or impatience."""
        call = position.read(run).call
        if not call or 0 <= time.time() - run.stop_file.stat().st_mtime < _AT_ONCE_SECONDS:
            return Answer.ALREADY
        ended = abort(str(remembered(record)["app"]), call)
        return Answer.ENDED if ended else Answer.ALREADY


def _gpu_problems(plan: Plan) -> list[Problem]:
    """A GPU that is too small. Raises UsageError for GPUs that Modal has not."""
    memory = plan.preset.needs.gpu_memory_gib
    usual = gpu.cheapest(memory)
    name = options.parse(plan.machine).gpu or usual.name
    gpu.request(name, plan.gpus)
    offer = gpu.find(name)
    if not plan.gpus or offer.gpu.holds(memory):
        return []
    what = f"needs a GPU with {memory:.0f} GiB; {offer.name} has {offer.gpu.memory_gib:.0f}"
    return [Problem(what, f"--machine gpu={usual.name}")]


def _followed(record: RunRecord) -> bool:
    return record.supervisor is not None and process.alive(record.supervisor)


def _needs(record: RunRecord) -> Needs:
    try:
        return find_preset(record.preset).needs
    except PresetError:  # a config of the person's own
        return needs_of(record.settings)


def _start(run: Run, going_on: GoingOn, *, attach: bool = False) -> None:
    """Start the supervisor and hear how it began. Raises what it says."""
    record = read_record(run)
    orders = Orders(
        lock=going_on.claim.lock,
        turn=going_on.claim.turn,
        gpu_memory_gib=_needs(record).gpu_memory_gib,
        poll_seconds=_POLL_SECONDS,
        checkpoint=going_on.checkpoint,
        told=going_on.told,
        attach=attach,
    )
    answer = _first_line(run, orders)
    if not answer:
        raise TargetUnavailable(
            "the run could not be started",
            where=str(run.folder),
            why=f"its supervisor gave no sign of life; see {run.folder / _LOG}",
        )
    words = json.loads(answer)
    if "kind" in words:
        kind = getattr(errors, words.pop("kind"), TargetUnavailable)
        raise kind(words.pop("what"), **words)


def _first_line(run: Run, orders: Orders) -> bytes:
    """What the supervisor says first; empty when it says nothing in time. Raises OSError."""
    command = [sys.executable, "-m", "ftui.targets.modal.supervise", str(run.folder)]
    reader, writer = os.pipe()
    try:
        try:
            with (run.folder / _LOG).open("ab") as log:
                subprocess.run(
                    [*command, json.dumps(dataclasses.asdict(orders))],
                    stdin=subprocess.DEVNULL,
                    stdout=writer,
                    stderr=log,
                    cwd="/",
                    start_new_session=True,
                    pass_fds=(orders.lock, orders.turn),
                    check=False,
                )
        finally:
            os.close(writer)
        ready, _, _ = select.select([reader], [], [], _START_SECONDS)
        return os.read(reader, 65536) if ready else b""
    finally:
        os.close(reader)
