"""Runs elsewhere that a detached process of this machine starts, follows and brings home."""

from __future__ import annotations

import dataclasses
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from ftui import errors
from ftui.errors import PresetError, TargetUnavailable, UsageError
from ftui.plan.own_config import needs_of
from ftui.plan.plan import Needs, Plan
from ftui.plan.presets import find as find_preset
from ftui.runs import events, process
from ftui.runs.history import History
from ftui.runs.lock import Busy, claimed, turn_or_not
from ftui.runs.model import Run, RunRecord
from ftui.runs.stop import Answer
from ftui.runs.store import read_record
from ftui.runs.tail import EventFollower, read_history
from ftui.runtimes.find import Kind
from ftui.targets.base import GoingOn, NotStarted
from ftui.targets.remote import passed_on

POLL_SECONDS = 2.0
"""How often the other side is asked."""
_AT_ONCE_SECONDS = 2.0
"""Two people who ask within this time ask for the same thing; later, the second means it."""
_TAKE_UP_SECONDS = 30.0
"""So long somebody else may be at a run that is to be stopped."""
_LOOK_SECONDS = 0.1
_DELIVERY_SECONDS = 10.0
"""So long a stop may be on its way before the person is told that it is not there yet."""
_BECAME = {passed_on.INTERRUPTED: Answer.INTERRUPTED, passed_on.OVER: Answer.OVER}


class Orders(Protocol):
    """What a launcher tells the supervisor; a dataclass, sent as a JSON object."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def lock(self) -> int:
        """The two handles of the launcher's claim (runs/lock.py), which it goes on holding."""
        ...

    @property
    def turn(self) -> int:
        """The other one."""
        ...


class Supervised:
    """Launch, attach and stop; what is special about a place is in the methods that raise."""

    needs_runtimes: tuple[Kind, ...] = ()
    """It trains elsewhere. Whoever wants to talk with the result here is told what that needs."""
    title: str
    """For people: `dstack`."""
    module: ClassVar[str]
    """The supervisor's: `ftui.targets.dstack.supervise`."""
    log: ClassVar[str]
    """Where it writes what goes wrong with itself, in the run folder."""
    start_seconds: ClassVar[float]
    """How long it may take to say how it began."""

    def orders(self, record: RunRecord, going_on: GoingOn, *, attach: bool) -> Orders:
        """What the supervisor is told."""
        raise NotImplementedError

    def is_known(self, record: RunRecord) -> bool:
        """Whether the other side was ever told of the run."""
        raise NotImplementedError

    def end(self, run: Run, record: RunRecord) -> bool:
        """End the run at once; whether there was one to end."""
        raise NotImplementedError

    def launch(self, run: Run, going_on: GoingOn | None = None) -> None:
        """Start the run, or take it up again where it is at work already, and follow it detached.

        Takes a few seconds. Raises TargetUnavailable, UsageError, ConfigError, RunNotFound.
        """
        if going_on is not None:
            self._start(run, going_on)
            return
        try:
            with claimed(run) as claim:
                self._start(run, GoingOn(claim))
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise NotStarted(
                "the run could not be started", where=str(run.folder), why=why
            ) from error

    def attach(self, run: Run) -> None:
        """Follow a run that is at work elsewhere, where nobody does any more.

        Raises UsageError when somebody does, or when it is not at work; TargetUnavailable.
        """
        with claimed(run) as claim:
            self._start(run, GoingOn(claim), attach=True)

    def stop(self, run: Run) -> Answer:
        """Ask the run to save and end; asked again, end it at once. Raises OSError, FtuiError.

        Waits a few seconds until the other side was told. Where it does not answer, its follower
        passes the request on once it does.
        """
        record = read_record(run)
        if not self.is_known(record) or read_history(run).exit_code is not None:
            return Answer.NOT_RUNNING
        if not self._is_followed(run):
            return Answer.NOT_RUNNING
        with turn_or_not(run):
            try:
                os.close(os.open(run.stop_file, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            except FileExistsError:
                # The first request's other half, or impatience.
                is_first = False
                if not 0 <= time.time() - run.stop_file.stat().st_mtime < _AT_ONCE_SECONDS:
                    return self._ended(run, record)
            else:
                is_first = True
                events.append(run.events_file, "stop_requested", through=self.title)
        if not _delivered(run):
            return Answer.UNDELIVERED if is_first else Answer.WAITS
        history = read_history(run)
        if history.stop_became:
            return _BECAME.get(history.stop_became, Answer.ALREADY)
        if not is_first:
            return Answer.ALREADY
        return Answer.ASKED if history.training else Answer.LOADING

    def _is_followed(self, run: Run) -> bool:
        """See to it that the run is followed; whether it is at work. Raises FtuiError, OSError."""
        end = time.monotonic() + _TAKE_UP_SECONDS
        while True:
            follower = read_record(run).supervisor
            if follower is not None and process.alive(follower):
                return True
            try:
                self.attach(run)
            except Busy:  # somebody else takes it up, who asks a server that may not answer
                if time.monotonic() > end:
                    raise
                time.sleep(_LOOK_SECONDS)
            except UsageError:
                return False

    def _ended(self, run: Run, record: RunRecord) -> Answer:
        """End it at once, unless its follower has yet to pass the first request on, who then has
        it save. Raises FtuiError, OSError."""
        follower = read_record(run).supervisor
        if read_history(run).stop_waits_for and follower is not None and process.alive(follower):
            return Answer.WAITS
        return Answer.ENDED if self.end(run, record) else Answer.ALREADY

    def _start(self, run: Run, going_on: GoingOn, *, attach: bool = False) -> None:
        """Start the supervisor and hear how it began. Raises what it says."""
        orders = self.orders(read_record(run), going_on, attach=attach)
        answer = self._first_line(run, orders)
        if not answer:
            raise NotStarted(
                "the run could not be started",
                where=str(run.folder),
                why=f"its supervisor gave no sign of life; see {run.folder / self.log}",
            )
        words = json.loads(answer)
        if "kind" in words:
            kind = getattr(errors, words.pop("kind"), TargetUnavailable)
            raise kind(words.pop("what"), **words)

    def _first_line(self, run: Run, orders: Orders) -> bytes:
        """What the supervisor says first; empty when it says nothing in time. Raises OSError."""
        command = [sys.executable, "-m", self.module, str(run.folder)]
        reader, writer = os.pipe()
        try:
            try:
                with (run.folder / self.log).open("ab") as log:
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
            ready, _, _ = select.select([reader], [], [], self.start_seconds)
            return os.read(reader, 65536) if ready else b""
        finally:
            os.close(reader)


def _delivered(run: Run) -> bool:
    """Whether the other side was told of a stop, or has ended, within a few seconds."""
    follower, history = EventFollower(run), History()
    limit = time.monotonic() + _DELIVERY_SECONDS
    while True:
        history.extend(follower.poll())
        if not history.stop_waits_for:
            return True
        if history.silence is not None or time.monotonic() > limit:
            return False
        time.sleep(_LOOK_SECONDS)


def needs_of_run(record: RunRecord) -> Needs:
    """What a run's preset asks of a machine, or its config where that is a person's own."""
    try:
        return find_preset(record.preset).needs
    except PresetError:
        return needs_of(record.settings)


def written(write: Callable[[Run, Plan], None], run: Run, plan: Plan) -> None:
    """Write a target's files into a run folder. Raises TargetUnavailable where that fails."""
    try:
        write(run, plan)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise TargetUnavailable(
            "the run folder cannot be written", where=str(error.filename or ""), why=why
        ) from error
