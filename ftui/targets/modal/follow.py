"""Following a run on Modal into its folder, from wherever an earlier follower came to."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from ftui.errors import FtuiError, TargetUnavailable
from ftui.runs import events
from ftui.runs.history import History
from ftui.runs.model import Run
from ftui.runs.tail import EventFollower
from ftui.targets.modal import position, results, states
from ftui.targets.modal.api import STOPS, Api, Outcome
from ftui.targets.modal.app import place_of
from ftui.targets.modal.failures import Missing, Unreachable
from ftui.targets.modal.meter import Meter
from ftui.targets.remote import passed_on
from ftui.targets.remote.contact import Contact
from ftui.targets.remote.wires import Wires
from ftui.text import counted

_WHOM = "Modal"
_SILENT_SECONDS = 600.0
"""So long it is waited for Modal when only the results are still to come home."""
_LOST_CODE = 1
_FETCH_TRIES = 3
_T = TypeVar("_T")


class Follower:
    """Brings the log, the events and the results of one run home, and passes on a stop."""

    def __init__(self, run: Run, gpu: str, poll_seconds: float) -> None:
        """Raises OSError, RunNotFound."""
        self._run, self._gpu, self._poll_seconds = run, gpu, poll_seconds
        self._place = place_of(run)
        self._sink = position.Sink(run)
        self._events, self._history = EventFollower(run), History()
        self._wires, self._meter = Wires(run, _WHOM), Meter(run)
        self._contact = Contact(run, _WHOM, Unreachable, note=self.note, keep=self._sink.keep)
        self._heard = self._stop_passed_on = False

    def begin(self, function: str, call: str) -> None:
        """Follow a call from now on. Raises OSError."""
        self._heard = False
        self._sink.keep(function=function, call=call)

    async def follow(self, api: Api) -> None:
        """Follow the run to its end, which is written into its events. Raises OSError."""
        while True:
            ended = None
            with contextlib.suppress(Unreachable):  # told by the contact, once it has lasted
                ended = await self._look(api)
            if ended is not None and not ended.call:
                await self._finish(api, ended)
                return
            if ended is not None:
                self.begin("train", ended.call)
                continue
            await asyncio.sleep(self._poll_seconds)

    def give_up(self, error: FtuiError) -> None:
        """Say why nobody follows the run any more. It goes on; another follower takes it up."""
        with contextlib.suppress(OSError):
            self.note(f"ftui cannot follow the run any more, it goes on without: {error}")

    async def _look(self, api: Api) -> Outcome | None:
        """Take in what is new, and pass a stop on; how the call ended, once it has."""
        here = self._sink.position
        # before the feed: then nothing comes after it
        ended = await self._contact.heard(api.outcome(here.call))
        await self._pull(api)
        if ended is not None:
            return ended
        self._history.extend(self._events.poll())
        with contextlib.suppress(Missing):  # somebody took the app away: the next look says so
            await self._tell_standing(api)
        self._wires.look(self._history)
        if self._run.stop_file.exists() and not self._stop_passed_on:
            await self._pass_stop_on(api)
        return None

    async def _tell_standing(self, api: Api) -> None:
        """Say what it waits for, and what it costs; steps speak for themselves."""
        function = self._sink.position.function
        standing = await self._contact.heard(api.standing(function))
        self._heard = self._heard and standing.containers > 0
        words = states.words(function, standing, self._gpu, heard=self._heard)
        if words and not (self._heard and self._history.training):
            self.tell(words)
        at_work = standing.containers > 0
        await self._contact.heard(self._meter.look(api, function, at_work=at_work))

    async def _pull(self, api: Api) -> None:
        """All that the feed has by now, beyond what was taken in."""
        sizes = await self._contact.heard(api.sizes(f"/{self._place}/feed"))
        for name, size in sorted(sizes.items()):
            here = self._sink.position
            if not name.isdigit() or int(name) < here.segment:
                continue
            offset = here.offset if int(name) == here.segment else 0
            if size <= offset:
                continue
            said = await self._contact.heard(_whole(api.read(f"{self._place}/feed/{name}")))
            whole, newline, _ = said[offset:].rpartition(b"\n")
            if newline:
                lines = whole.split(b"\n")
                end = offset + len(whole) + 1
                self._sink.append(position.taken(lines), segment=int(name), offset=end)
                self._heard = True

    async def _pass_stop_on(self, api: Api) -> None:
        """Have the trainer save and end; one that trains not yet has nothing to save."""
        if self._history.training or self._history.newest_try.again:
            await self._contact.heard(api.upload([(b"stop\n", f"/{self._place}")], STOPS))
            self.tell("asked to save and end")
        else:
            await self._contact.heard(api.cancel(self._sink.position.call))
        self._passed_on()

    def _passed_on(self, became: str = "") -> None:
        if not self._stop_passed_on:
            self._stop_passed_on = True
            passed_on.note(self._run, became)
            self._sink.keep()

    async def _finish(self, api: Api, ended: Outcome) -> None:
        """Bring the results home, take the app away, and write the end down."""
        self._passed_on(passed_on.OVER)  # there is nobody left to tell
        code, why = ended.code, ended.why
        until = time.monotonic() + _SILENT_SECONDS
        if code == 0:
            why = await self._fetched(api, until) or why
            code = _LOST_CODE if why.startswith(_LOST) else 0
        else:
            await self._fetch_checkpoint(api, until)
        try:
            await api.stop_app()
        except TargetUnavailable as error:  # nothing of it runs, and nothing of it costs
            self.note(f"its app could not be taken away: {error}")
        await self._meter.end(api)
        self.end(code, why)

    async def _insisted(self, api: Api, bring: Callable[[], Awaitable[_T]], until: float) -> _T:
        """What was brought, whenever Modal answers again before that time. Raises what it says."""
        told = ""
        while True:
            try:
                return await bring()
            except Unreachable as error:
                if time.monotonic() >= until:
                    raise
                if str(error) != told:
                    told = str(error)
                    self.note(f"{told}; this tries again")
            with contextlib.suppress(TargetUnavailable):  # a small question, to tell a silence by
                await self._contact.heard(api.outcome(self._sink.position.call))
            await asyncio.sleep(self._poll_seconds)

    async def _fetched(self, api: Api, until: float) -> str:
        """Bring the results home, with a few tries; why not, if they could not be."""
        self.tell("bringing the results home")
        why = ""
        for _ in range(_FETCH_TRIES):
            try:
                count = await self._insisted(api, lambda: results.fetch(api, self._run), until)
            except (TargetUnavailable, OSError) as error:
                why = str(error)
                self.note(f"the results could not be brought home: {error}")
                await asyncio.sleep(self._poll_seconds)
            else:
                self.tell(
                    f"the results are here: {counted(count, 'file')}, each verified by its sha256"
                )
                return ""
        return f"{_LOST}: {why}; they are kept: modal volume get ftui-runs {self._place}/out"

    async def _fetch_checkpoint(self, api: Api, until: float) -> None:
        """Bring home from where a run that failed can go on, if there is such a checkpoint."""
        try:
            name = await self._insisted(
                api, lambda: results.fetch_checkpoint(api, self._run), until
            )
        except (TargetUnavailable, OSError) as error:
            self.note(f"its newest checkpoint could not be brought home: {error}")
            self.note(f"it is kept: modal volume get ftui-runs {self._place}/out")
        else:
            if name:
                self.note(f"its newest checkpoint is here: {name}")

    # ── What is said ─────────────────────────────────────────────────────────────────────────

    def end(self, code: int, why: str, *, unavailable: bool = False) -> None:
        """Write down that the run is over. Raises OSError."""
        values: dict[str, Any] = {"why": why} if why else {}
        values |= {"unavailable": True} if unavailable else {}
        size = self._run.log_file.stat().st_size if self._run.log_file.exists() else 0
        events.append(self._run.events_file, "exit", code=code, log_size=size, **values)

    def tell(self, words: str) -> None:
        """Write the run's state into its log and its events, once."""
        if words != self._sink.position.told:
            self.note(words)
            events.append(self._run.events_file, "phase", words=words)
            self._sink.keep(told=words)

    def note(self, words: str) -> None:
        """Write a line into the run's log."""
        self._sink.note(f"modal: {words}")


async def _whole(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


_LOST = "the results could not be brought home"
