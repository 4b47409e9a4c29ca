"""All runs: found, watched, compared, resumed, stopped and cleaned up from one table."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Input, Static

from ftui.errors import FtuiError
from ftui.runs.cleanup import Level, clean, finish_removals, size_words
from ftui.runs.listing import FIRST_RUN, SORTS, Entry, chosen
from ftui.runs.model import Run, RunState
from ftui.runs.resume import resumption
from ftui.text import counted
from ftui.tui import theme
from ftui.tui.app import FtuiApp
from ftui.tui.background import in_background
from ftui.tui.run_actions import STOP_MEANS, resume_run, stop_run
from ftui.tui.runs_watcher import RunsWatcher
from ftui.tui.screens.clean import CleanScreen
from ftui.tui.screens.confirm import ConfirmScreen
from ftui.tui.widgets.fields import Line
from ftui.tui.widgets.lines import TopLine
from ftui.tui.widgets.overlay import MOST
from ftui.tui.widgets.run_table import RunTable

POLL_SECONDS = 1.0
_ORDERS = {
    "newest": "newest first",
    "name": "by name",
    "loss": "lowest loss first",
    "state": "at work first",
}
_NO_RUNS = Content.assemble(
    "No runs yet. This makes the first one, without a GPU and without a download:\n\n",
    (f"  {FIRST_RUN}", "$accent"),
)


class RunsScreen(Screen[None]):
    """The table, live; what a key does is done to the run under the cursor, or to those marked."""

    CSS_PATH = "../styles/runs.tcss"
    HELP = (
        "Every run in FTUI_HOME, live. Space marks runs: c puts those side by side, D cleans them "
        "up. Clean-up asks, and says what it gives back; what is at work is never touched."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "compare", "compare"),
        Binding("s", "sort", "sort"),
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("r", "resume", "resume"),
        Binding("x", "stop", "stop"),
        Binding("D,delete", "clean", "clean", key_display="D"),
        Binding("escape", "back", "back"),
    ]
    app: FtuiApp

    def __init__(
        self,
        words: Sequence[str] = (),
        sort: str = "newest",
        *,
        watched: Run | None = None,
        stop: Callable[[Run], object] = stop_run,
        resume: Callable[[Run], object] = resume_run,
    ) -> None:
        """`watched` is the run that the person will hear of on leaving the app, unless another."""
        super().__init__()
        self._words, self._sort = tuple(words), sort
        self._watched = watched
        self._stop, self._resume = stop, resume
        self._watcher = RunsWatcher()
        self._entries: Sequence[Entry] | None = None
        self._offered: list[bool] = []
        # Kept, not queried: a look may come back when the screen is being taken down.
        self._top = TopLine("ftui · runs")
        self._table = RunTable(id="table")
        self._filter = Line(id="filter", placeholder="part of a name, preset, target or state")
        self._words_below = Static("", id="words", markup=False)

    def compose(self) -> ComposeResult:
        """One line, the table, and the footer."""
        yield self._top
        yield self._filter
        yield self._words_below
        yield self._table
        yield Footer()

    def on_mount(self) -> None:
        """Start looking."""
        self._filter.value = " ".join(self._words)
        self._filter.display = bool(self._words)
        self._say(Content.styled(f"{theme.WAITING} looking at the runs …", "$secondary"))
        self._table.focus()
        self._watch()

    def on_screen_resume(self) -> None:
        """Back on the list, the run that was looked at is none of the person's concern any more."""
        self.app.speak_of(self._watched)

    @work(exclusive=True)
    async def _watch(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(POLL_SECONDS)

    async def _look(self) -> None:
        try:
            entries = await in_background(self._watcher.look)
        except OSError as error:
            self._say(
                Content.styled(f"{theme.FAILED} {error.filename}: {error.strerror}", "$error")
            )
            return
        if entries != self._entries:  # thousands that are as they were cost nothing
            self._entries = entries
            self._table.keep_marks(entry.run.name for entry in entries)
            self._show()
        in_view = list(self._table.in_view)
        self._table.sizes = await in_background(lambda: self._watcher.measure(in_view))
        self._table.refresh()

    # ── Showing ──────────────────────────────────────────────────────────────────────────────

    def _show(self) -> None:
        """Those that the filter leaves, in the order that was chosen."""
        if self._entries is None:
            return
        shown = chosen(self._entries, self._sort, self._words)
        self._table.show(shown)
        self._table.display = bool(shown)
        if not self._entries:
            self._say(_NO_RUNS)
        else:
            nothing = f"None of {counted(len(self._entries), 'run')} contains {self._filter.value}."
            self._say(Content("" if shown else nothing))
        self._top.right = self._summary(len(shown))
        self.refresh_bindings()

    def _summary(self, shown: int) -> str:
        entries = self._entries or ()
        some = f"{shown:,} of " if shown < len(entries) else ""
        running = sum(entry.running for entry in entries)
        parts = [some + counted(len(entries), "run"), f"{running} at work" if running else ""]
        return " · ".join(filter(None, [*parts, _ORDERS[self._sort]])) if entries else ""

    def _say(self, words: Content) -> None:
        self._words_below.display = bool(words.plain)
        self._words_below.update(words)

    @on(RunTable.Moved)
    def _moved(self) -> None:
        offered = [bool(self.check_action(name, ())) for name in ("compare", "stop", "resume")]
        if offered != self._offered:  # a footer is not drawn anew for nothing
            self._offered = offered
            self.refresh_bindings()

    # ── Keys ─────────────────────────────────────────────────────────────────────────────────

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what makes sense for the run under the cursor, or the marked ones, is a key."""
        entry = self._table.current
        if action in ("stop", "resume") and self._table.marks:
            return False  # what is marked is meant
        if action == "compare":
            return len(self._table.marks) > 1
        if action in ("sort", "filter"):
            return bool(self._entries)
        if action == "stop":
            return entry is not None and entry.running
        if action == "resume":
            return entry is not None and entry.state in (
                RunState.CREATED,
                RunState.STOPPED,
                RunState.FAILED,
                RunState.INTERRUPTED,
            )
        return action != "clean" or entry is not None

    @on(RunTable.Opened)
    def _open(self, event: RunTable.Opened) -> None:
        self.app.open_run(event.run)

    def action_sort(self) -> None:
        """The next order."""
        orders = list(SORTS)
        self._sort = orders[(orders.index(self._sort) + 1) % len(orders)]
        self._show()

    def action_compare(self) -> None:
        """Put the marked runs side by side."""
        readable = {entry.run.name: entry.run for entry in self._entries or () if entry.state}
        runs = [readable[name] for name in self._table.marks if name in readable]
        if not 1 < len(runs) <= MOST:
            self.notify(f"2 to {MOST} runs can be compared.", severity="warning")
            return
        from ftui.tui.screens.compare import CompareScreen

        self.app.push_screen(CompareScreen(runs))

    def action_filter(self) -> None:
        """Show only the runs that contain what is typed."""
        self._filter.display = True
        self._filter.focus()

    @on(Input.Changed, "#filter")
    def _filtered(self) -> None:
        self._words = tuple(self._filter.value.split())
        self._show()

    @on(Input.Submitted, "#filter")
    def _to_table(self) -> None:
        self._filter.display = bool(self._words)
        self._table.focus()

    async def action_back(self) -> None:
        """Close the filter, take the marks away, or leave."""
        if self._filter.display:
            self._filter.value = ""
            self._filter.display = False
            self._table.focus()
        elif self._table.marks:
            self._table.unmark()
        else:
            await self.app.action_back()

    # ── Doing something to a run ─────────────────────────────────────────────────────────────

    def action_stop(self) -> None:
        """Ask once; while it is stopping, end it at once."""
        entry = self._table.current
        if entry is None:
            return

        def answered(sure: bool | None) -> None:
            if sure and not self._is_stopping(entry.run):
                self._do(lambda: self._stop(entry.run), "It could not be stopped")

        if entry.state is RunState.STOPPING:
            self._do(lambda: self._stop(entry.run), "It could not be stopped")
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
            question = ConfirmScreen(f"Resume {run.name}?", f"It {found.words}.")
            if not await self.app.push_screen_wait(question):
                return
            await in_background(lambda: self._resume(run))
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
            self._clean([entry.run for entry in idle], level)

    @work(group="clean")  # not cut short by what is done next
    async def _clean(self, runs: Sequence[Run], level: Level) -> None:
        freed = 0
        for run in runs:
            self._watcher.forget(run)
            try:
                freed += await in_background(lambda run=run: clean(run, level), join=True)  # type: ignore[misc]
            except (FtuiError, OSError) as error:
                self._failed(f"{run.name} could not be cleaned up", error)
        try:
            await in_background(finish_removals, join=True)
        except OSError as error:
            self._failed("Something is left of what was removed", error)
        self.notify(f"{theme.DONE} {size_words(freed)} freed", markup=False)
        self._watch()

    @work(group="act")
    async def _do(self, action: Callable[[], object], otherwise: str) -> None:
        try:
            await in_background(action)
        except (FtuiError, OSError) as error:
            self._failed(otherwise, error)

    def _failed(self, what: str, error: Exception) -> None:
        self.notify(str(error), title=what, severity="error", markup=False)
