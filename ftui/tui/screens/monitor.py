"""The monitor: the curve first, then the numbers, then the log.

Everything comes from the run's files, read a few times a second off the event loop, so that any
number of viewers may watch and none of them matters to the run.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Footer, Static

from ftui.errors import FtuiError
from ftui.runs.model import Run, RunState
from ftui.tui.background import in_background
from ftui.tui.run_actions import Resume, Stop, resume_run, stop_run
from ftui.tui.screens.run_keys import RunKeys
from ftui.tui.watcher import Glance
from ftui.tui.widgets import run_end, run_words
from ftui.tui.widgets.lines import explain
from ftui.tui.widgets.numbers import NumbersStrip, NumbersTable
from ftui.tui.widgets.pane_tabs import PaneTabs
from ftui.tui.widgets.run_head import RunHead
from ftui.tui.widgets.trip_lines import TripLines

POLL_SECONDS = 0.25
ENDED_POLL_SECONDS = 1.0

LOOK = Binding.Group("smoothing", compact=True)
ZOOM = Binding.Group("zoom", compact=True)


class MonitorScreen(RunKeys):
    """One run, live or afterwards."""

    CSS_PATH = "../styles/monitor.tcss"
    HELP = (
        "The run goes on without this screen: leave with d or ctrl+q and come back with "
        "`ftui watch`. The bright line is the loss smoothed over steps ([ and ] change how much), "
        "the dim one is the loss of each step, ◆ is the loss on held-out rows. A line with ▲ below "
        "the head warns of what will come to no good. r goes on with a run that ended too early."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "stop", "stop"),
        Binding("d", "detach", "detach"),
        Binding("r", "resume", "resume"),
        Binding("c", "chat", "chat"),
        Binding("tab", "next_pane", "next pane"),
        Binding("f", "follow", "follow"),
        Binding("slash", "search", "search", key_display="/"),
        Binding("n", "find(1)", "next match", show=False),
        Binding("N", "find(-1)", "previous match", show=False),
        Binding("ampersand", "filter", "filter", key_display="&"),
        Binding("w", "wrap", "wrap"),
        Binding("y", "copy", "copy"),
        Binding("left_square_bracket", "smooth(-1)", "rougher", key_display="[", group=LOOK),
        Binding("right_square_bracket", "smooth(1)", "smoother", key_display="]", group=LOOK),
        Binding("plus,equals_sign", "zoom(1)", "closer", key_display="+", group=ZOOM),
        Binding("minus", "zoom(-1)", "further", key_display="-", group=ZOOM),
        Binding("0", "zoom(0)", "all steps", key_display="0", group=ZOOM),
        Binding("l", "log_y", "log scale", show=False),
    ]

    def __init__(
        self,
        run: Run,
        *,
        then_chat: bool = False,
        stop: Stop = stop_run,
        resume: Resume = resume_run,
    ) -> None:
        super().__init__(run, stop, resume)
        self._then_chat = then_chat
        self._last_line = ""
        self._head = RunHead(id="head")
        self._trips = TripLines(id="trips")
        self._tabs = PaneTabs(("curve", "numbers", "log"), id="tabs")
        self._waiting = Static("", id="waiting", markup=False)
        self._result = Static("", id="result", markup=False)
        self._side = VerticalScroll(id="side", can_focus=False)
        self._table = NumbersTable(id="numbers")
        self._strip = NumbersStrip(id="strip")

    def compose(self) -> ComposeResult:
        """Head, curve and numbers, log."""
        for drawn in (self._chart, self._table, self._strip):
            drawn.glyphs = self.app.glyphs
        yield self._head
        yield self._trips
        yield self._tabs
        with Horizontal(id="upper"):
            yield self._waiting
            yield self._chart
            with self._side:
                yield self._result
                yield self._table
        yield self._strip
        yield self._log
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Start looking."""
        self._show_pane("curve")
        self._log.view.focus()
        self._watch()

    @work(exclusive=True)
    async def _watch(self) -> None:
        while True:
            try:
                glance = await in_background(self._watcher.look)
            except FtuiError as error:
                self._show_waiting(explain(error))
            except OSError as error:
                where = error.filename or self.watched.folder
                self._show_waiting(Content(f"✗ {where}: {error.strerror or error}"))
            else:
                self._show(glance)
            ended = self._glance is not None and self._glance.state.ended
            await asyncio.sleep(ENDED_POLL_SECONDS if ended else POLL_SECONDS)

    # ── Showing ──────────────────────────────────────────────────────────────────────────────

    def _show(self, glance: Glance) -> None:
        before, self._glance = self._glance, glance
        history = self._watcher.history
        said = [line for line in glance.lines if line.strip()]
        self._last_line = said[-1] if said else self._last_line
        self._log.write(glance.lines)
        self._head.show(self.watched, glance.record.target, glance.state, history)
        self._trips.show(glance.trips, () if glance.state.ended else history.notices)
        self._chart.show(history)
        self._strip.show(history)
        self._table.show(history, glance.record)
        starting = glance.state is RunState.STARTING  # again: the curve is of the try before
        if starting or (not history.series and not glance.state.ended):
            since, begins = glance.record.begun, history.newest_try.words
            last, phase = self._last_line, history.phase
            self._show_waiting(run_words.waiting(glance.state, since, last, begins, phase))
        else:
            self.remove_class("-waiting")
        if before is None or (before.state, before.end) != (glance.state, glance.end):
            self._changed(glance)

    def _show_waiting(self, words: Content) -> None:
        self.add_class("-waiting")
        self._waiting.update(words)

    def _changed(self, glance: Glance) -> None:
        """The run came to another state."""
        ended = glance.state.ended
        self.set_class(ended, "-ended")
        self.set_class(ended and not self._watcher.history.series, "-blank")
        self._tabs.show(
            ("result", "curve", "numbers", "log") if ended else ("curve", "numbers", "log")
        )
        if ended:
            self._result.update(run_end.card(self.watched, glance, self._watcher.history))
            self._show_pane("result")
        elif self._tabs.chosen == "result":
            self._show_pane("curve")
        self.refresh_bindings()
        if glance.state is RunState.DONE and self._then_chat and self.is_current:
            self._then_chat = False
            self.app.open_chat(self.watched, ask=False)

    def _show_pane(self, name: str) -> None:
        """Narrow terminals show one pane at a time; wider ones show all and pass this over."""
        self._tabs.chosen = name
        for pane in ("result", "curve", "numbers", "log"):
            self.set_class(pane == name, f"-pane-{pane}")
        # What may be longer than a narrow terminal scrolls by the arrows, as the log does.
        if self.has_class("-narrow"):
            self._side.can_focus = name in ("result", "numbers")
            (self._side if self._side.can_focus else self._log.view).focus()
        self.refresh_bindings()

    @on(PaneTabs.Chosen)
    def _pane_chosen(self, event: PaneTabs.Chosen) -> None:
        self._show_pane(event.name)

    # ── Keys ─────────────────────────────────────────────────────────────────────────────────

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what makes sense now is a key now."""
        ended = self._glance is not None and self._glance.state.ended
        if action in ("stop", "detach"):
            return not ended
        if action == "resume":
            return self._resumable
        if action == "chat":
            return self._talkative
        narrow = self.has_class("-narrow")
        if action == "next_pane":
            return narrow
        if action in ("smooth", "zoom", "log_y"):
            return not narrow or self.has_class("-pane-curve")
        if action in ("follow", "search", "find", "filter", "wrap", "copy"):
            return not narrow or self.has_class("-pane-log")
        return True

    def action_next_pane(self) -> None:
        """Go to the next pane of a narrow terminal."""
        self._tabs.next()
