"""All runs: found, watched, compared, resumed, stopped and cleaned up from one table."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Footer, Input, Static

from ftui.runs.endpoints import GLYPH
from ftui.runs.listing import FIRST_RUN, SORTS, chosen
from ftui.runs.model import Run
from ftui.targets import keeping
from ftui.text import counted
from ftui.tui import theme
from ftui.tui.background import in_background
from ftui.tui.run_actions import Resume, Stop, resume_run, stop_run
from ftui.tui.screens.deeds import Deeds
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


class RunsScreen(Deeds):
    """The table, live; what a key does is done to the run under the cursor, or to those marked."""

    CSS_PATH = "../styles/runs.tcss"
    HELP = (
        "Every run in FTUI_HOME, live. Space marks runs: c puts those side by side, D cleans them "
        "up. Clean-up asks, and says what it gives back; what is at work is never touched. f shows "
        "what is kept of a run, and where. ◆: an endpoint was left in place; E ends it."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "compare", "compare"),
        Binding("s", "sort", "sort", show=False),  # the top line names the order
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("r", "resume", "resume"),
        Binding("x", "stop", "stop"),
        Binding("f", "files", "files"),
        Binding("E", "end_left", f"end {GLYPH}"),
        Binding("D,delete", "clean", "clean", key_display="D"),
        Binding("escape", "back", "back"),
    ]

    def __init__(
        self,
        words: Sequence[str] = (),
        sort: str = "newest",
        *,
        watched: Run | None = None,
        stop: Stop = stop_run,
        resume: Resume = resume_run,
    ) -> None:
        """`watched` is the run that the person will hear of on leaving the app, unless another."""
        super().__init__(stop, resume)
        self._words, self._sort = tuple(words), sort
        self._watched = watched
        self._offered: list[bool] = []
        # Kept, not queried: a look may come back when the screen is being taken down.
        self._top = TopLine("ftui · runs")
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

    def _look_again(self) -> None:
        self._watch()

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
        names = ("compare", "stop", "resume", "files", "end_left")
        offered = [bool(self.check_action(name, ())) for name in names]
        if offered != self._offered:  # a footer is not drawn anew for nothing
            self._offered = offered
            self.refresh_bindings()

    # ── Keys ─────────────────────────────────────────────────────────────────────────────────

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what makes sense for the run under the cursor, or the marked ones, is a key."""
        entry = self._table.current
        if action in ("stop", "resume", "files", "end_left") and self._table.marks:
            return False  # what is marked is meant
        if action == "compare":
            return len(self._table.marks) > 1
        if action in ("sort", "filter"):
            return bool(self._entries)
        if action == "stop":
            return entry is not None and entry.running
        if action == "resume":
            return entry is not None and entry.state is not None and entry.state.resumable
        if action == "end_left":
            return entry is not None and bool(entry.left)
        if action == "files":
            return entry is not None and entry.state is not None
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

    def action_files(self) -> None:
        """Show what is kept of the run, and where."""
        entry = self._table.current
        if entry is not None:
            from ftui.tui.screens.remote_files import RemoteFilesScreen

            self.app.push_screen(RemoteFilesScreen(entry.run, keeping(entry.target)))

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
