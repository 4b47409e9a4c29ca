"""Following a run on dstack into its folder, from wherever an earlier follower came to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ftui.errors import FtuiError, TargetUnavailable
from ftui.runs import events, process
from ftui.runs.history import History
from ftui.runs.model import Run
from ftui.runs.store import read_record
from ftui.runs.tail import EventFollower
from ftui.targets.dstack import machine, position, results, shell, states
from ftui.targets.dstack.api import LOGS_AT_ONCE, Api, Json, Unreachable
from ftui.targets.dstack.cost import Meter
from ftui.targets.dstack.lines import Lines, Taken
from ftui.targets.dstack.live import Live
from ftui.targets.dstack.machine import Left
from ftui.targets.dstack.shell import Shell, ShellFailed
from ftui.targets.dstack.submit import remembered
from ftui.targets.remote import passed_on
from ftui.targets.remote.contact import Contact
from ftui.targets.remote.wires import Wires
from ftui.text import duration

_LOST_CODE = 1
_SEE_OFF_SECONDS = 10.0
"""How often the server is asked whether a machine is given back."""
_FETCH_SECONDS = 60.0
"""The longest pause between two tries to bring the results home."""
_UNTOLD_SECONDS = 60.0
"""So long a container may be out of reach before its trainer is interrupted, not asked to save."""
_AGAIN = {"again": True}
"""What the event `launched` says of a try that dstack began by itself."""
_T = TypeVar("_T")


class Follower:
    """Brings the log, the events and the results of one run home, and passes on a stop."""

    def __init__(self, run: Run, name: str, poll_seconds: float) -> None:
        """Raises OSError, RunNotFound."""
        self._run, self._name, self._poll_seconds = run, name, poll_seconds
        self._id = str(remembered(read_record(run)).get("id", ""))
        self._sink = position.Sink(run)
        self._lines = Lines(position.rest_of(self._sink.position))
        self._events, self._history = EventFollower(run), History()
        self._live, self._wires = Live(self._sink.append_live), Wires(run, "dstack")
        self._meter = Meter(run, self._sink.position.before)
        self._left = Left()
        self._stop_passed_on = False
        self._untold_since: float | None = None
        """When the trainer could not be asked to save, while the server answers."""
        self._fetches, self._fetch_at = 0, 0.0
        self._fetch_problem = ""
        self._contact = Contact(
            run, "the dstack server", Unreachable, note=self._note, keep=self._sink.keep
        )

    async def follow(self, api: Api) -> None:
        """Follow the run to its end, which is told in its events. Raises FtuiError, OSError."""
        try:
            await self._follow(api)
        finally:
            await self._live.close()

    async def _follow(self, api: Api) -> None:
        while True:
            try:
                run = await self._contact.heard(api.own_run(self._name, self._id))
                if run is None:
                    self._meter.end()
                    self._end(_LOST_CODE, "dstack does not know the run any more")
                    return
                await self._pull_all(api, run)
            except Unreachable:
                self._untold_since = None  # then it says nothing of the container
                await asyncio.sleep(self._poll_seconds)
                continue
            self._tell(_words(run))
            if await self._act(api, run):
                return
            await asyncio.sleep(self._poll_seconds)

    async def see_off(self, api: Api) -> None:
        """Once the run is over: wait until its machine is given back, and say so."""
        if not self._left.costs:
            return
        words = await machine.given_back(api, self._left, _SEE_OFF_SECONDS)
        with contextlib.suppress(FtuiError, OSError):
            follower = read_record(self._run).supervisor
            if follower == process.identify(os.getpid()):  # else the run has gone on meanwhile
                self._tell(words)

    def give_up(self, error: FtuiError | OSError) -> None:
        """Say why nobody follows the run any more. It goes on; another follower takes it up."""
        with contextlib.suppress(OSError):
            self._note(f"ftui cannot follow the run any more, it goes on without: {error}")

    # ── What comes ───────────────────────────────────────────────────────────────────────────

    async def _pull_all(self, api: Api, run: Json) -> None:
        """All that every try has printed by now, one try after the other."""
        tries = states.submissions(run)
        known = self._sink.position.submission
        for submission in tries[tries.index(known) if known in tries else 0 :]:
            if submission != self._sink.position.submission:
                self._begin_try(run, submission)
            await self._pull(api, submission)

    async def _pull(self, api: Api, submission: str) -> None:
        while True:
            after = self._sink.position.after
            pieces = await self._contact.heard(api.logs(self._name, submission, after))
            if not pieces:
                return
            taken = self._lines.feed(b"".join(piece.data for piece in pieces))
            ready = {} if taken.ready is None else {"ready": taken.ready}
            rest = position.encoded(self._lines.rest)
            self._sink.append(taken, after=pieces[-1].time, rest=rest, **ready)
            if len(pieces) < LOGS_AT_ONCE:
                return

    def _begin_try(self, run: Json, submission: str) -> None:
        """A try begins; a later one on another machine, and from nothing."""
        self._sink.append(Taken(self._lines.end()), rest="")
        self._stop_passed_on, self._untold_since = False, None
        taken = Taken()
        before = self._sink.position.submission
        if before and (words := states.tried_again(run, before)):
            self._tell(words)
            event = {"event": "launched", "ts": _moment(run, submission), "values": _AGAIN}
            taken.events.append(json.dumps({"v": events.VERSION, **event}).encode())
        known: dict[str, Any] = {"submission": submission, "after": "", "ready": None}
        self._sink.append(taken, fetched=False, **known)

    # ── What is done ─────────────────────────────────────────────────────────────────────────

    async def _act(self, api: Api, run: Json) -> bool:
        """Bring results home, pass a stop on; whether the run is over and all is written down."""
        standing = states.standing(run)
        self._history.extend(self._events.poll())
        self._meter.look(run)
        if standing.over:
            with contextlib.suppress(Unreachable):  # the end of the run is known all the same
                self._left = await machine.left(api, run)
                self._tell(self._left.words)
            self._end(*self._verdict(standing))
            return True
        self._wires.look(self._history)
        here = self._sink.position
        if standing.running and here.ready is None and self._live.wanted:
            with contextlib.suppress(TargetUnavailable):
                self._live.see_to_it(run, await api.ssh_key())
        if standing.running and here.ready is not None and not here.fetched:
            self._passed_on(passed_on.OVER)  # there is nobody left to tell
            await self._fetch(api, run)
        elif self._run.stop_file.exists() and not self._stop_passed_on:
            await self._pass_stop_on(api, run, standing)
        return False

    async def _fetch(self, api: Api, run: Json) -> None:
        """Bring the results home; where that fails, again and again, ever less often."""
        if time.monotonic() < self._fetch_at:
            return
        await self._live.close()  # everything came with the log by now
        self._fetches += 1
        self._fetch_at = time.monotonic() + min(2.0**self._fetches, _FETCH_SECONDS)
        self._tell("bringing the results home")
        stopped = self._run.stop_file.exists() or self._history.stop_requested

        def bring(door: Shell) -> int:
            count = results.fetch(door, self._run, with_checkpoint=stopped)
            self._sink.keep(fetched=True)
            results.let_go(door)
            return count

        try:
            count = await self._in_container(api, run, bring)
        except (ShellFailed, OSError) as error:
            self._fetch_problem = str(error)
            self._note(f"the results could not be brought home: {error}")
        else:
            self._tell(f"the results are here: {count} files, each verified by its sha256")

    async def _pass_stop_on(self, api: Api, run: Json, standing: states.Standing) -> None:
        """Have the trainer save and end, or a run that does not train yet end; at the next look
        again, where nobody could be told."""
        trains = standing.running and self._history.training
        if trains:
            try:
                await self._in_container(api, run, lambda door: door.run("touch stop"))
            except (ShellFailed, OSError) as error:
                if self._may_be_told_later(error):
                    return
            else:
                self._tell("asked to save and end")
                self._passed_on()
                return
        with contextlib.suppress(TargetUnavailable):
            await self._contact.heard(api.stop_own(self._name, self._id, abort=False))
            if trains:
                self._tell("interrupted, unsaved: its container stays out of reach")
            self._passed_on(passed_on.INTERRUPTED if trains else "")

    def _may_be_told_later(self, error: FtuiError | OSError) -> bool:
        """Whether a trainer that could not be asked to save may be, at a later look."""
        now = time.monotonic()
        if self._untold_since is None:
            self._untold_since = now
            lasts = duration(_UNTOLD_SECONDS)
            self._note(f"the trainer could not be asked to save; tried again for {lasts}: {error}")
        return now < self._untold_since + _UNTOLD_SECONDS

    def _passed_on(self, became: str = "") -> None:
        if not self._stop_passed_on:
            self._stop_passed_on = True
            passed_on.note(self._run, became)
            self._sink.keep()

    async def _in_container(self, api: Api, run: Json, action: Callable[[Shell], _T]) -> _T:
        """Do something in the container. Raises ShellFailed, OSError."""
        try:
            key = await api.ssh_key()
        except TargetUnavailable as error:
            raise ShellFailed("no key to the container", why=str(error)) from error

        def act() -> _T:
            with shell.opened(run, key) as door:
                return action(door)

        return await asyncio.to_thread(act)

    def _verdict(self, standing: states.Standing) -> tuple[int, str]:
        """The exit code and the reason of a run that is over: done is only what is here."""
        here = self._sink.position
        if standing.code == 0 and not here.fetched:
            why = self._fetch_problem or "nobody fetched them while its container waited"
            return _LOST_CODE, f"the results could not be brought home: {why}"
        return standing.code, standing.why

    # ── What is said ─────────────────────────────────────────────────────────────────────────

    def _end(self, code: int, why: str) -> None:
        self._sink.append(Taken(self._lines.end()), rest="")
        values = {"why": why} if why else {}
        size = self._run.log_file.stat().st_size if self._run.log_file.exists() else 0
        events.append(self._run.events_file, "exit", code=code, log_size=size, **values)

    def _tell(self, words: str) -> None:
        """Write the run's state into its log and its events, once."""
        if words and words != self._sink.position.told:
            self._note(words)
            events.append(self._run.events_file, "phase", words=words)
            self._sink.keep(told=words)

    def _note(self, words: str) -> None:
        self._sink.note(f"dstack: {words}")


def _words(run: Json) -> str:
    standing, place = states.standing(run), states.place(run)
    cost = f" · ${run['cost']:.2f} so far" if standing.over and run.get("cost") else ""
    return standing.words + (f" · {place}" if place else "") + cost


def _moment(run: Mapping[str, Any], submission: str) -> float:
    """When a try was submitted, in seconds since the epoch."""
    from datetime import datetime

    tries = run["jobs"][0]["job_submissions"]
    text = next(one["submitted_at"] for one in tries if str(one["id"]) == submission)
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp(), 3)
