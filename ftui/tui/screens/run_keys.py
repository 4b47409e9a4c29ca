"""What the keys of the monitor do to its run: stop, resume, chat, detach."""

from __future__ import annotations

from textual import work

from ftui.errors import FtuiError
from ftui.runs.model import Run, RunState
from ftui.targets.resume import Fix
from ftui.tui.app import FtuiApp
from ftui.tui.background import in_background
from ftui.tui.run_actions import STOP_MEANS, Resume, Stop, rented_again
from ftui.tui.screens.confirm import ConfirmScreen
from ftui.tui.screens.fix import Choice, FixScreen
from ftui.tui.screens.panes import Panes
from ftui.tui.watcher import Glance, Watcher


class RunKeys(Panes):
    """A screen that watches one run."""

    app: FtuiApp

    def __init__(self, run: Run, stop: Stop, resume: Resume) -> None:
        super().__init__()
        self.watched = run
        self._stop = stop
        self._resume = resume
        self._resuming = False
        self._watcher = Watcher(run)
        self._glance: Glance | None = None

    @property
    def _stopping(self) -> bool:
        """Whether it was asked to stop: asked again, it ends at once."""
        return self._glance is not None and self._glance.state is RunState.STOPPING

    @property
    def _resumable(self) -> bool:
        """Whether there is something left to train, and nobody is about to go on with it here."""
        end = self._glance.end if self._glance is not None else None
        return end is not None and end.going_on is not None and not self._resuming

    @property
    def _talkative(self) -> bool:
        """Whether there is something to talk with."""
        glance = self._glance
        end = glance.end if glance is not None else None
        return bool(glance and end and end.weights and glance.state.worth_talking)

    def action_stop(self) -> None:
        """Ask once; while the run is stopping, end it at once."""
        if self._stopping:
            self._stop_now()
            return

        def answered(sure: bool | None) -> None:
            if sure and not self._stopping:  # somebody else may have asked meanwhile
                self._stop_now()

        self.app.push_screen(ConfirmScreen(f"Stop {self.watched.name}?", STOP_MEANS), answered)

    @work(exclusive=True, group="stop")
    async def _stop_now(self) -> None:
        try:
            await in_background(lambda: self._stop(self.watched))
        except (FtuiError, OSError) as error:
            self.notify(str(error), title="It could not be stopped", severity="error", markup=False)

    def action_resume(self) -> None:
        """Go on with the run; where a setting made it fail, ask whether to change it first, and
        where a machine is rented for it, whether to do that."""
        end = self._glance.end if self._glance is not None else None
        if end is None or end.fix is None:
            self._go_on_if_agreed()
            return
        fix = end.fix

        def answered(choice: Choice | None) -> None:
            if choice is not None:
                self._go_on(fix if choice == "fix" else None)

        self.app.push_screen(FixScreen(fix, end.going_on), answered)

    @work(exclusive=True, group="agree")
    async def _go_on_if_agreed(self) -> None:
        end = self._glance.end if self._glance is not None else None
        words = f"It {end.going_on.words}. " if end is not None and end.going_on is not None else ""
        try:
            again = await in_background(lambda: rented_again(self.watched))
        except (FtuiError, OSError) as error:
            self.notify(str(error), title="It does not go on", severity="error", markup=False)
            return
        question = ConfirmScreen(f"Resume {self.watched.name}?", words + again)
        if not again or await self.app.push_screen_wait(question):
            self._go_on(None)

    @work(exclusive=True, group="resume")
    async def _go_on(self, fix: Fix | None) -> None:
        end = self._glance.end if self._glance is not None else None
        told = end.going_on if end is not None else None
        self._resuming = True
        self.refresh_bindings()
        try:
            found = await in_background(lambda: self._resume(self.watched, fix, told))
        except (FtuiError, OSError) as error:
            self._watcher.forget()
            hint = getattr(error, "hint", "")
            words = f"{error}\n→ {hint}" if hint else str(error)
            self.notify(words, title="It does not go on", severity="error", markup=False)
        else:
            self.notify(f"{self.watched.name} {found.words}", markup=False)
        finally:
            self._resuming = False
            self.refresh_bindings()

    async def action_detach(self) -> None:
        """Leave; the run goes on, and the app says how to come back."""
        await self.app.action_quit()

    def action_chat(self) -> None:
        """Talk with the tuned model."""
        self.app.open_chat(self.watched)
