"""The Textual app: what is opened first, the keys that work everywhere, and the way out.

The screens own their subject; this module only knows how to go from one to the next. Screens are
imported when they are opened, so that the first paint waits for nothing but its own screen.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from rich.text import Text
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.events import Resize
from textual.screen import Screen
from textual.worker import WorkerFailed

from ftui.crash import record
from ftui.errors import ExitCode
from ftui.plan.plan import Plan
from ftui.runs.model import Run
from ftui.text import printable
from ftui.tui import theme
from ftui.tui.background import in_background, join_all
from ftui.tui.checker import Checker
from ftui.tui.draft import Drafts
from ftui.tui.markets import Markets
from ftui.tui.services import Services
from ftui.tui.standing import standing

if TYPE_CHECKING:
    from textual.command import Provider

    from ftui.data.tokens import Tokens
    from ftui.runs.tripwires import Tripwire
    from ftui.serve.place import Serve

Glyphs = Literal["braille", "block", "ascii"]
"""What charts are drawn with."""


@dataclass(frozen=True)
class Wizard:
    """Open the wizard: from `plan`, or from the first preset when there is none."""

    plan: Plan | None = None


@dataclass(frozen=True)
class Launch:
    """Launch this plan now, asking nothing: set up what is missing, train, watch, then chat."""

    plan: Plan


@dataclass(frozen=True)
class Watch:
    """Open the monitor of a run."""

    run: Run


@dataclass(frozen=True)
class Chat:
    """Open the chat with a run's model; `serve` says where it is served: None = here."""

    run: Run
    serve: Serve | None = None


@dataclass(frozen=True)
class Runs:
    """Open the list of runs: those that contain each word, in this order."""

    words: tuple[str, ...] = ()
    sort: str = "newest"


Opening = Wizard | Launch | Watch | Chat | Runs
OnPlan = Callable[[Plan], Awaitable[None]]

SMALLEST = (80, 24)
"""Columns and rows that every screen fits into."""

_KEYS = {"enter": "enter", "escape": "esc", "tab": "tab"}


def _key_commands() -> type[Provider]:
    from ftui.tui.commands import KeyCommands

    return KeyCommands


class FtuiApp(App[ExitCode]):
    """The whole TUI. `opening` says which screen is the first; esc on that one leaves."""

    CSS_PATH = Path(__file__).parent / "styles" / "app.tcss"
    TITLE = "ftui"
    COMMANDS = App.COMMANDS | {_key_commands}
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - Textual declares it for us
        (0, "-narrow"),
        (100, "-normal"),
        (160, "-wide"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back"),
        Binding("f1,question_mark", "help", "help", key_display="?"),
        Binding("f5", "runs", "all runs", show=False),
        Binding("ctrl+q", "quit", "quit", show=False, priority=True),
    ]

    def __init__(
        self,
        opening: Opening,
        *,
        glyphs: Glyphs = "braille",
        services: Services | None = None,
        stop_on: Sequence[Tripwire] = (),
    ) -> None:
        super().__init__()
        self.opening = opening
        self.stop_on = stop_on
        """The tripwires that may stop what is launched from here."""
        self.services = services or Services()
        self.checker = Checker(self.services.validator)
        self.drafts = Drafts()
        self.markets = Markets(self)
        self.ending = ExitCode.OK
        """The exit code when there is no run to speak of."""
        self.farewell = ""
        """What is said on the terminal, too, once the app has ended: what a rented server cost."""
        self._watched: Run | None = None
        self._floor = 1
        """How many screens stay when esc has closed all that it may."""
        self._small = False
        self.glyphs: Glyphs = glyphs
        self.register_theme(theme.DARK)
        self.register_theme(theme.LIGHT)
        self.theme = theme.DARK.name

    def get_default_screen(self) -> Screen[Any]:
        """The first screen, painted at once."""
        screen = self._first_screen()
        self.stylesheet.read_all(screen.css_path)  # Textual does so only for pushed screens
        return screen

    def _first_screen(self) -> Screen[Any]:
        match self.opening:
            case Watch(run):
                return self._monitor(run)
            case Chat(run, serve):
                return self._chat(run, serve)
            case Runs(words, sort):
                return self._runs(words, sort)
            case Launch(plan):
                return self._review(plan, launch=True)
            case Wizard(start):
                from ftui.tui.screens.wizard import WizardScreen

                return WizardScreen(start)

    def open_review(self, plan: Plan, *, edit: bool = False, on_plan: OnPlan | None = None) -> None:
        """Show what would run; with `edit` the editor opens at once.

        `on_plan` gets the plan with what is changed of it there: another machine, or another config
        that was saved into the person's own file.
        """
        self.push_screen(self._review(plan, edit=edit, on_plan=on_plan))

    def open_data(
        self,
        plan: Plan,
        text: str = "",
        tokens: Tokens | None = None,
        then: Callable[[Tokens | None], None] | None = None,
    ) -> None:
        """Show the plan's data as the model will see it; `then` gets what axolotl counted."""
        from ftui.tui.screens.data import DataScreen

        self.push_screen(DataScreen(plan, text, tokens), then)

    async def launch(self, plan: Plan, config_text: str) -> None:
        """Set up what is missing, start the run, and watch it in place of the screen that asked.

        To be called from a worker. Raises FtuiError when the run cannot be started.
        """
        asked = isinstance(self.opening, Launch)
        missing = await in_background(lambda: self.services.missing(plan))
        if missing:
            from ftui.tui.screens.setup import SetupScreen

            if not await self.push_screen_wait(SetupScreen(missing, at_once=asked)):
                return
        run = await in_background(lambda: self.services.prepare(plan, config_text))
        if self.stop_on:
            from ftui.runs.stop_on import remember

            await in_background(lambda: remember(run, self.stop_on))
        await self.checker.close()  # the memory that it holds is the trainer's now
        await in_background(lambda: self.services.launch(plan, run))
        monitor = self._monitor(run, then_chat=asked)
        if len(self.screen_stack) > 1:
            self.switch_screen(monitor)
        else:
            self._floor = 2
            self.push_screen(monitor)

    def open_chat(self, run: Run, *, anywhere: bool = False, ask: bool = True) -> None:
        """Talk with a run's model.

        Where it is served is asked first, when it was trained on a rented machine: that one or this
        one; with `anywhere`, all there are; without `ask` it is this one, which costs nothing.
        """
        from ftui.tui.screens.where import WhereScreen, rented_for

        places = rented_for(run, anywhere=anywhere) if ask else []
        if not places:
            self.push_screen(self._chat(run))
            return

        def chosen(serve: Serve | None) -> None:
            if serve is not None:
                self.push_screen(self._chat(run, serve))

        self.push_screen(WhereScreen(run, places), chosen)

    def open_run(self, run: Run) -> None:
        """Watch a run above the list of runs."""
        self.push_screen(self._monitor(run))

    def action_runs(self) -> None:
        """Show all runs; where they are below this screen already, go back to them."""
        from ftui.tui.screens.runs import RunsScreen

        if any(isinstance(screen, RunsScreen) for screen in self.screen_stack):
            while not isinstance(self.screen, RunsScreen):
                self.pop_screen()
        else:
            self.push_screen(self._runs())

    def speak_of(self, run: Run | None) -> None:
        """Which run the person hears of on leaving."""
        self._watched = run

    def get_key_display(self, binding: Binding) -> str:
        """Keys in words: enter, esc, ctrl+p."""
        shown = super().get_key_display(binding)
        return _KEYS.get(binding.key, shown.replace("^", "ctrl+"))

    async def action_back(self) -> None:
        """Close this screen; on the first one, leave."""
        if len(self.screen_stack) > self._floor:
            self.pop_screen()
        else:
            await self.action_quit()

    def confirm_leave(self) -> None:
        """Ask before answers are thrown away."""
        from ftui.tui.screens.confirm import ConfirmScreen

        def leave(sure: bool | None) -> None:
            if sure:
                self.exit(ExitCode.OK)

        question = ConfirmScreen("Leave the wizard?", "Your answers and edits are not kept.")
        self.push_screen(question, leave)

    def action_help(self) -> None:
        """Show the keys of this screen."""
        from ftui.tui.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.screen))

    def action_switch_theme(self) -> None:
        """Dark to light, or back."""
        dark = self.theme == theme.DARK.name
        self.theme = theme.LIGHT.name if dark else theme.DARK.name

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """What the palette offers on every screen, beside the screen's own keys."""
        from ftui.tui.screens.run_keys import RunKeys

        yield SystemCommand(
            "light or dark", "Switch between the two themes", self.action_switch_theme
        )
        if isinstance(screen, RunKeys) and screen.check_action("chat", ()):
            yield SystemCommand(
                "chat elsewhere",
                "Serve the model on a rented machine, at a price that is said before",
                partial(self.open_chat, screen.watched, anywhere=True),
            )
        yield SystemCommand("runs", "All runs: watch, compare, resume, clean up", self.action_runs)
        yield SystemCommand("quit", "Leave; runs go on", self.action_quit)

    def get_driver_class(self) -> type[Driver]:
        """Textual's choice; its own terminal driver does not notice that the terminal is gone."""
        chosen = super().get_driver_class()
        if chosen.__name__ != "LinuxDriver":
            return chosen
        from ftui.tui.terminal import Terminal

        return Terminal

    def on_mount(self) -> None:
        """A closed terminal ends the app in order, and with it what it is setting up or serving."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGTERM):
            loop.add_signal_handler(number, self.exit, ExitCode.INTERRUPTED)

    async def on_unmount(self) -> None:
        """End what belongs to the app."""
        self.drafts.close()
        await self.checker.close()

    async def action_quit(self) -> None:
        """Leave at once: runs don't belong to the UI and go on."""
        code, words = self.ending, ""
        if self._watched is not None:
            code, words = standing(self._watched)
        words = "\n".join(filter(None, (printable(self.farewell), words)))
        self.exit(code, message=Text(words) if words else None)

    def on_resize(self, event: Resize) -> None:
        """Say so when there is less room than the screens are made for."""
        width, height = event.size
        small = width < SMALLEST[0] or height < SMALLEST[1]
        if small and not self._small:
            self.notify(
                f"This terminal is {width}x{height}; ftui needs {SMALLEST[0]}x{SMALLEST[1]}.",
                title=f"{theme.WARNING} Too small",
                severity="warning",
                timeout=3600,
            )
        elif self._small and not small:
            self.clear_notifications()
        self._small = small

    def _fatal_error(self) -> None:
        """Say what happened and where the log is, in place of Textual's traceback."""
        error: BaseException | None = self._exception
        if isinstance(error, WorkerFailed):
            error = error.error
        if error is not None:
            problem = record(error)
            self.panic(Text(f"✗ {problem.what}\n  {problem.why}\n→ {problem.hint}"))

    @staticmethod
    def _review(
        plan: Plan, *, edit: bool = False, launch: bool = False, on_plan: OnPlan | None = None
    ) -> Screen[Any]:
        from ftui.tui.screens.review import ReviewScreen

        return ReviewScreen(plan, edit=edit, launch=launch, on_plan=on_plan)

    def _runs(self, words: tuple[str, ...] = (), sort: str = "newest") -> Screen[Any]:
        from ftui.tui.screens.runs import RunsScreen

        return RunsScreen(words, sort, watched=self._watched)

    def _monitor(self, run: Run, *, then_chat: bool = False) -> Screen[Any]:
        from ftui.tui.screens.monitor import MonitorScreen

        self._watched = run
        return MonitorScreen(run, then_chat=then_chat)

    @staticmethod
    def _chat(run: Run, serve: Serve | None = None) -> Screen[Any]:
        from ftui.serve.server import serve_run
        from ftui.tui.screens.chat import ChatScreen

        return ChatScreen(run, serve=serve or serve_run)


def run_app(
    opening: Opening, *, glyphs: Glyphs = "braille", stop_on: Sequence[Tripwire] = ()
) -> ExitCode:
    """Run the TUI until the person leaves; the exit code for the shell.

    The caller has made sure that there is a terminal: without one Textual never ends.
    """
    result = FtuiApp(opening, glyphs=glyphs, stop_on=stop_on).run()
    join_all(limit=10.0)
    return ExitCode.RUN_FAILED if result is None else result
