"""The chat: base and tuned model answer the same question side by side.

Opening it starts the model server; leaving it stops that server, whatever way it is left.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer, Static
from textual.worker import Worker

from ftui.errors import FtuiError, PresetError, RunNotFound
from ftui.plan.plan import Preset
from ftui.plan.presets import find as find_preset
from ftui.runs.failure import doubt
from ftui.runs.model import Run, RunRecord
from ftui.runs.store import read_record
from ftui.serve.place import Serve, last_words
from ftui.serve.server import serve_run
from ftui.targets.vllm.client import stream as stream_answer
from ftui.tui import theme
from ftui.tui.app import FtuiApp
from ftui.tui.background import in_background
from ftui.tui.widgets import serving
from ftui.tui.widgets.lines import TopLine
from ftui.tui.widgets.talk import Stream, Talk

_TITLE = "ftui · chat"


class ChatScreen(Screen[None]):
    """Talk with a run's base and tuned model."""

    CSS_PATH = "../styles/chat.tcss"
    HELP = (
        "Both models get the same question. Tab shows one side only, and then only that one is "
        "asked. ctrl+r asks again with some chance in the answer. f2 goes to the system prompt, "
        "f3 says whether the models remember what was said before."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "turn", "one side", priority=True),
        Binding("escape", "back", "stop, back"),
        Binding("ctrl+r", "again", "again", priority=True),
        Binding("f2", "system", "system"),
        Binding("f3", "memory", "memory"),
        Binding("f4,y", "copy", "copy", key_display="f4"),
        Binding("r,f5", "retry", "try again", key_display="r"),
    ]
    AUTO_FOCUS = ""
    app: FtuiApp

    def __init__(
        self, run: Run, *, serve: Serve = serve_run, stream: Stream = stream_answer
    ) -> None:
        super().__init__()
        self.talked_to = run
        self._serve = serve
        record = _record(run)
        self._talk = Talk(record, _preset(record), stream)
        self._start = serving.Start(run)
        self._server: Worker[None] | None = None
        self._ready = False
        self._error: FtuiError | None = None
        self._leaving = False

    def compose(self) -> ComposeResult:
        """The talk; before that, how the server's start is going."""
        yield TopLine(_TITLE)
        yield Static("", id="serving", markup=False)
        yield self._talk
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Start the server."""
        self._show_memory()
        self.set_interval(0.2, self._show_server)
        self._warn()
        self.action_retry()

    @work
    async def _warn(self) -> None:
        doubtful = await in_background(lambda: doubt(self.talked_to))
        if doubtful:
            self.notify(
                doubtful,
                title=f"{theme.WARNING} {self.talked_to.name}",
                severity="warning",
                timeout=60,
                markup=False,
            )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Talking needs a server; trying again needs a failure."""
        if action == "retry":
            return self._error is not None
        if action in ("turn", "again", "copy", "system", "memory"):
            return self._ready and not self._leaving
        return True

    # ── The server ───────────────────────────────────────────────────────────────────────────

    def action_retry(self) -> None:
        """Start the server, the first time or after a failure."""
        self._error = None
        self._start = serving.Start(self.talked_to)
        # The app's worker, not the screen's: it must come to its end when this screen is gone.
        self._server = self.app.run_worker(self._keep_server(), group="serving")
        self._changed()

    async def _keep_server(self) -> None:
        """Hold the server until this is cancelled, which stops it."""
        try:
            async with self._serve(self.talked_to, self._start.reach) as endpoint:
                self._ready = True
                self._show_terms(endpoint.terms)
                self._changed()
                self._talk.open(endpoint)
                await asyncio.Event().wait()
        except FtuiError as error:
            self._error = error
        finally:
            self._ready = False
            self._show_terms("")
            if self._error is not None:
                self._leaving = False  # what may cost on is read before the screen goes
            elif self._leaving and self.is_current:
                if told := last_words(self._start.log_file):
                    self.app.farewell = told
                    self.app.notify(told, markup=False)
                self.app.call_later(self.app.action_back)
            self._changed()

    def _show_terms(self, terms: str) -> None:
        """Where it is rented, what that costs and when it ends, as long as it is."""
        if self.is_attached:
            self.query_one(TopLine).left = f"{_TITLE} · {terms}" if terms else _TITLE

    def _changed(self) -> None:
        if self.is_attached:
            self.set_class(self._ready and not self._leaving, "-ready")
            self._show_server()
            self.refresh_bindings()

    def _show_server(self) -> None:
        if self._leaving:
            words = serving.stopping()
        elif self._error is not None:
            words = serving.failed(self._error)
        elif not self._ready:
            words = self._start.words()
        else:
            return
        self.query_one("#serving", Static).update(words)

    # ── Keys ─────────────────────────────────────────────────────────────────────────────────

    async def action_back(self) -> None:
        """End the answers that are coming; else stop the server and leave; else leave at once."""
        if self._talk.is_answering:
            self._talk.stop()
        elif self._server is None or self._server.is_finished or self._leaving:
            await self.app.action_back()
        else:
            self._leaving = True
            self._changed()
            self._server.cancel()

    def action_turn(self) -> None:
        """Both sides, one, the other."""
        self._talk.turn()

    def action_again(self) -> None:
        """Ask the last question once more."""
        self._talk.again()

    def action_copy(self) -> None:
        """Copy the last answer."""
        text = self._talk.last_answer()
        if text:
            self.app.copy_to_clipboard(text)
            self.notify("answer copied")

    def action_system(self) -> None:
        """Go to the system prompt, or back."""
        self._talk.edit_system()

    def action_memory(self) -> None:
        """Let the models remember what was said before, or not."""
        self._talk.remembers = not self._talk.remembers
        self._show_memory()

    def _show_memory(self) -> None:
        self.query_one(TopLine).right = (
            "remembers what was said" if self._talk.remembers else "each question stands alone"
        )


def _record(run: Run) -> RunRecord | None:
    try:
        return read_record(run)
    except RunNotFound:
        return None


def _preset(record: RunRecord | None) -> Preset | None:
    """The preset of the run, which may be gone by now."""
    try:
        return find_preset(record.preset) if record else None
    except PresetError:
        return None
