"""What is kept of a run, and where: looked at; if elsewhere, brought home or removed there."""

from __future__ import annotations

import time
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer, OptionList, Static

from ftui.errors import FtuiError, TargetUnavailable
from ftui.runs.cleanup import size_words
from ftui.runs.model import Run
from ftui.targets.base import Keeping, Storing
from ftui.targets.stored import Heap
from ftui.text import printable
from ftui.tui import theme
from ftui.tui.app import FtuiApp
from ftui.tui.background import in_background
from ftui.tui.screens.confirm import ConfirmScreen
from ftui.tui.widgets.heaps import Heaps
from ftui.tui.widgets.lines import Notice, TopLine
from ftui.tui.widgets.run_words import nice_path

_TICK_SECONDS = 0.25


class _Enough(Exception):
    """The person does not want it any more."""


class RemoteFilesScreen(Screen[None]):
    """The heaps of one run; each deed says what it does, and removing asks before."""

    CSS_PATH = "../styles/remote_files.tcss"
    HELP = (
        "What is kept of the run: in its folder, or where it was trained. From there enter brings "
        "a checkpoint or the weights into the run folder, verified by the sha256 that was noted "
        "when they were saved; esc stops that. D removes them there, for good, and asks before."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("D,delete", "discard", "remove there", key_display="D"),
        Binding("r", "look", "look again"),
        Binding("escape", "back", "back"),
    ]
    app: FtuiApp

    def __init__(self, run: Run, place: Keeping) -> None:
        super().__init__()
        self._run, self._place = run, place
        self._store = place if isinstance(place, Storing) else None
        """Where something can be done with it, if that is not this machine."""
        self._came = 0
        self._enough = False
        self._waits, self._of, self._since = "", 0, 0.0
        """What is being waited for (empty: nothing), how many bytes of it, and since when."""
        # Kept, not queried: an answer may come when the screen is being taken down.
        self._top = TopLine("ftui · what is kept", printable(run.name))
        self._told = Static("", id="told", markup=False)
        self._heaps = Heaps(id="heaps", at_home=self._store is None)
        self._notice = Notice(id="notice")

    def compose(self) -> ComposeResult:
        """Whose files, the heaps, and what is going on."""
        yield self._top
        yield self._told
        yield self._heaps
        yield self._notice
        yield Footer()

    def on_mount(self) -> None:
        """Ask what there is."""
        self.set_interval(_TICK_SECONDS, self._show_waiting)
        self._heaps.display = False
        self.action_look()

    def on_unmount(self) -> None:
        """What is on its way ends."""
        self._enough = True

    # ── Looking ──────────────────────────────────────────────────────────────────────────────

    @work(exclusive=True)
    async def action_look(self) -> None:
        """Ask what is kept."""
        self._wait(f"asking what {self._place.storage} keeps of it")
        try:
            heaps = await in_background(lambda: self._place.stored(self._run))
        except FtuiError as error:
            self._failed(error)
        else:
            self._wait("")
            self._show(heaps)

    def _show(self, heaps: tuple[Heap, ...]) -> None:
        self._heaps.display = bool(heaps)
        self._heaps.fill(heaps)
        if heaps:
            self._heaps.focus()
            size = size_words(heaps[-1].size)
            where = "" if self._store else f" · {nice_path(self._run.folder)}"
            self._told.update(f"{size} on {self._place.storage}{where}")
        else:
            self._told.update(f"There is nothing of it on {self._place.storage}.")
        self.refresh_bindings()

    # ── Bringing home ────────────────────────────────────────────────────────────────────────

    @on(OptionList.OptionSelected, "#heaps")
    def _chosen(self) -> None:
        heap = self._heaps.current
        if self._store is not None and heap is not None and not self._waits:
            self._fetch(self._store, heap)

    @work(exclusive=True)
    async def _fetch(self, store: Storing, heap: Heap) -> None:
        self._came, self._enough = 0, False
        self._wait(f"bringing {heap.name} home", of=heap.size)
        try:
            got = await in_background(lambda: store.fetch(self._run, heap, self._count), join=True)
        except _Enough:
            self._wait("")
            self._notice.warn(f"{heap.name} was not brought home", "it is as it was on both sides")
        except FtuiError as error:
            self._failed(error)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            self._failed(TargetUnavailable(f"{heap.name} could not be brought home", why=why))
        else:
            self._wait("")
            self._notice.say(got.words, f"in {self._run.folder}")

    def _count(self, size: int) -> None:
        """A piece came. Raises _Enough when nobody waits for more."""
        self._came += size
        if self._enough:
            raise _Enough

    # ── Removing ─────────────────────────────────────────────────────────────────────────────

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing is done beside something else, or to nothing."""
        if action == "discard":
            there = self._store is not None and self._heaps.current is not None
            return there and not self._waits
        return not self._waits if action == "look" else True

    def action_discard(self) -> None:
        """Ask, then remove the heap where it is kept."""
        store, heap = self._store, self._heaps.current
        if store is None or heap is None:
            return

        def answered(sure: bool | None) -> None:
            if sure:
                self._discard(store, heap)

        question = f"Remove {heap.name} from {self._place.storage}?"
        detail = f"{size_words(heap.size)}, for good. {self._other_copy(heap)}"
        self.app.push_screen(ConfirmScreen(question, detail), answered)

    def _other_copy(self, heap: Heap) -> str:
        here = [(self._run.folder / file.path).exists() for file in heap.files]
        if all(here):
            return "This machine has all of it, too."
        return "This machine has only some of it." if any(here) else "There is no copy here."

    @work(exclusive=True)
    async def _discard(self, store: Storing, heap: Heap) -> None:
        self._wait(f"removing {heap.name}")
        try:
            await in_background(lambda: store.discard(self._run, heap), join=True)
        except FtuiError as error:
            self._failed(error)
        else:
            self._wait("")
            words = f"{theme.DONE} {heap.name} is no more on {self._place.storage}"
            self.notify(printable(words), markup=False)
            self.action_look()

    # ── What is going on ─────────────────────────────────────────────────────────────────────

    def action_back(self) -> None:
        """Stop what is on its way, or leave."""
        if self._waits.startswith("bringing"):
            self._enough = True
        else:
            self.app.pop_screen()

    def _wait(self, what: str, of: int = 0) -> None:
        """Say what is being waited for, or that nothing is."""
        self._waits, self._of, self._since = what, of, time.monotonic()
        self._notice.show(None)
        self._show_waiting()
        self.refresh_bindings()

    def _show_waiting(self) -> None:
        if not self._waits:
            return
        done = f": {size_words(self._came)} of {size_words(self._of)}" if self._of else ""
        seconds = int(time.monotonic() - self._since)
        since = f"  {seconds} s" if seconds else ""
        stop = "esc stops it" if self._of else "esc goes back"
        self._notice.wait(f"{self._waits}{done}{since}", stop)

    def _failed(self, error: FtuiError) -> None:
        self._wait("")
        self._notice.show(error, "" if error.hint else "r looks again")
