"""What the keys of the list do to its runs: stop, resume, end an endpoint, clean up."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from textual import work
from textual.screen import Screen

from ftui.errors import FtuiError
from ftui.runs.cleanup import Level, clean, finish_removals, size_words
from ftui.runs.listing import Entry
from ftui.runs.model import Run, RunState
from ftui.runs.resume import resumption
from ftui.serve.place import end_left
from ftui.text import printable
from ftui.tui import theme
from ftui.tui.app import FtuiApp
from ftui.tui.background import in_background
from ftui.tui.run_actions import STOP_MEANS, Resume, Stop, rented_again
from ftui.tui.runs_watcher import RunsWatcher
from ftui.tui.screens.clean import CleanScreen
from ftui.tui.screens.confirm import ConfirmScreen
from ftui.tui.widgets.run_table import RunTable


class Deeds(Screen[None]):
    """A screen with a table of runs; each deed asks before, and says what it could not do."""

    app: FtuiApp

    def __init__(self, stop: Stop, resume: Resume) -> None:
        super().__init__()
        self._stop, self._resume = stop, resume
        self._watcher = RunsWatcher()
        self._entries: Sequence[Entry] | None = None
        # Kept, not queried: a look may come back when the screen is being taken down.
        self._table = RunTable(id="table")

    def _look_again(self) -> None:
        """Something was done to runs."""
        raise NotImplementedError

    def action_stop(self) -> None:
        """Ask once; while it is stopping, end it at once."""
        entry = self._table.current
        if entry is None:
            return

        def answered(sure: bool | None) -> None:
            if sure and not self._is_stopping(entry.run):
                self._ask_to_stop(entry.run)

        if entry.state is RunState.STOPPING:
            self._ask_to_stop(entry.run)
            return
        self.app.push_screen(ConfirmScreen(f"Stop {entry.run.name}?", STOP_MEANS), answered)

    def _is_stopping(self, run: Run) -> bool:
        """Whether somebody asked it to stop while the question was on the screen."""
        found = (entry for entry in self._entries or () if entry.run == run)
        return any(entry.state is RunState.STOPPING for entry in found)

    @work(exclusive=True, group="act")
    async def action_resume(self) -> None:
        """Say from where the run would go on, and after a yes launch and watch it."""
        entry = self._table.current
        if entry is None:
            return
        run = entry.run
        try:
            found = await in_background(lambda: resumption(run))
            again = await in_background(lambda: rented_again(run))
            question = ConfirmScreen(f"Resume {run.name}?", f"It {found.words}. {again}".rstrip())
            if not await self.app.push_screen_wait(question):
                return
            await in_background(lambda: self._resume(run, None, found))
        except (FtuiError, OSError) as error:
            self._failed("It could not be resumed", error)
        else:
            self.app.open_run(run)

    @work(exclusive=True, group="act")
    async def action_clean(self) -> None:
        """Ask how much of the marked runs, or of this one, is to go; then remove it."""
        marks, current = self._table.marks, self._table.current
        entries = [each for each in self._entries or () if each.run.name in marks]
        entries = entries or ([current] if current else [])
        idle = [entry for entry in entries if not entry.running]
        if not idle:
            self.notify("Stop it first: what is at work is left alone.", severity="warning")
            return
        level = await self.app.push_screen_wait(CleanScreen(idle, len(entries) - len(idle)))
        if level is not None:
            self._clean(idle, level)

    @work(group="clean")  # not cut short by what is done next
    async def _clean(self, entries: Sequence[Entry], level: Level) -> None:
        freed = 0
        for entry in entries:
            self._watcher.forget(entry.run)
            cleaned = partial(clean, entry.run, level, if_still=entry.state)
            try:
                freed += await in_background(cleaned, join=True)
            except (FtuiError, OSError) as error:
                self._failed(f"{entry.run.name} could not be cleaned up", error)
        try:
            await in_background(finish_removals, join=True)
        except OSError as error:
            self._failed("Something is left of what was removed", error)
        self.notify(f"{theme.DONE} {size_words(freed)} freed", markup=False)
        self._look_again()

    def action_end_left(self) -> None:
        """Ask, then end the endpoints that were left in place."""
        entry = self._table.current
        if entry is None:
            return

        def answered(sure: bool | None) -> None:
            if sure:
                self._end_left(entry.run)

        question = f"End the endpoint of {entry.run.name}?"
        detail = f"{entry.endpoint}: whoever asks it gets no answer any more."
        self.app.push_screen(ConfirmScreen(question, detail), answered)

    @work(group="clean")  # not cut short by what is done next
    async def _end_left(self, run: Run) -> None:
        told: list[str] = []
        try:
            await in_background(lambda: end_left(run, told.append), join=True)
        except (FtuiError, OSError) as error:
            self._failed("Its endpoint could not be ended", error)
        for words in told:
            self.notify(f"{theme.DONE} {words}", markup=False)
        self._look_again()

    @work(group="act")
    async def _ask_to_stop(self, run: Run) -> None:
        try:
            told = await in_background(lambda: self._stop(run))
        except (FtuiError, OSError) as error:
            self._failed("It could not be stopped", error)
        else:
            if told:
                self.notify(told, title=printable(run.name), markup=False)

    def _failed(self, what: str, error: Exception) -> None:
        self.notify(str(error), title=what, severity="error", markup=False)
