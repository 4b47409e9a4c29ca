"""The review: the config that will run, its problems beside their lines, and the exact command.

The config can be edited by hand; what is on this screen is then what runs, to the letter.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Footer

from ftui.config.verdict import merge
from ftui.errors import ConfigError, ExitCode, FtuiError, RuntimeMissing, TargetUnavailable
from ftui.tui import theme
from ftui.tui.app import FtuiApp
from ftui.tui.background import in_background
from ftui.tui.widgets.config_view import ConfigView
from ftui.tui.widgets.launch_facts import LaunchFacts
from ftui.tui.widgets.lines import Notice, TopLine
from ftui.tui.widgets.verdict import Verdict, counted, error_count

if TYPE_CHECKING:
    from ftui.config.issue import Issue
    from ftui.plan.hardware import Gpu
    from ftui.plan.plan import Plan
    from ftui.targets.base import Problem

_SKIP = "enter again: don't wait"
_LOOK = 0.3
"""Seconds between looks at the file that is being edited."""


class ReviewScreen(Screen[None]):
    """Shows what will run. Enter launches it, unless something is known to be wrong."""

    CSS_PATH = "../styles/review.tcss"
    HELP = (
        "This is the file that axolotl will read, comments included. Enter launches it; e opens it "
        "in your editor, and what you save is what runs; w writes the files and starts nothing. "
        "f rewrites settings that are out of date, where there is one way to do so. A config that "
        "was opened with --config is written back into its file with s."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "launch", "launch"),
        Binding("escape", "back", "back"),
        Binding("e", "edit", "edit YAML"),
        Binding("f", "mend", "fix"),
        Binding("w", "write", "write files"),
        Binding("s", "save", "save"),
    ]
    app: FtuiApp

    def __init__(self, plan: Plan, *, edit: bool = False, launch: bool = False) -> None:
        super().__init__()
        self._plan = plan
        self._edit_first = edit
        self._launch_first = launch
        self._text = ""
        self._edited = False
        self._issues: list[Issue] = []
        self._problems: list[Problem] = []
        self._gpus: Sequence[Gpu] | None = ()
        self._checking_since: float | None = None
        """When axolotl's own check began, by the monotonic clock; None when it is over."""
        self._axolotl_word = ""
        self._launching = False
        self._launch_when_checked = False

    def compose(self) -> ComposeResult:
        """Config on the left, what enter does on the right."""
        yield TopLine("ftui · review")
        yield Verdict(id="verdict")
        with Horizontal(id="body"):
            yield ConfigView(id="config")
            yield LaunchFacts(id="facts")
        yield Notice(id="problem")
        yield Footer()

    def on_mount(self) -> None:
        """Paint first; then build the config and check it."""
        self.query_one(ConfigView).focus()
        self.set_interval(1.0, self._show_verdict)
        self.set_interval(_LOOK, self._follow_editor)
        self.call_after_refresh(self._build)

    # ── What will run ────────────────────────────────────────────────────────────────────────

    @work(exclusive=True, group="check")
    async def _build(self) -> None:
        plan, services = self._plan, self.app.services
        try:
            facts = await in_background(lambda: services.facts(plan))
        except FtuiError as error:
            self.query_one(Notice).show(error)
            return
        kept = self.app.edited_config
        self._edited = kept is not None and kept[0] == plan
        self._text = kept[1] if kept is not None and self._edited else facts.config
        self._problems = facts.problems
        self.query_one(TopLine).right = f"{facts.place} · {facts.hardware.words}"
        self._gpus = facts.hardware.used_by(plan.gpus)
        self.query_one(LaunchFacts).fill(facts)
        if self._edit_first:
            self._edit_first = False
            self.action_edit()
        await self._check()

    async def _check(self) -> None:
        """The schema's opinion at once, axolotl's own when it comes."""
        text, gpus, services = self._text, self._gpus, self.app.services
        self._checking_since = time.monotonic()
        ours = self._issues = await in_background(lambda: services.lint(text, gpus))
        self._show_config()
        if self._launch_first:
            self._launch_first = False
            self._launch()
        try:
            theirs = await self.app.checker.check(text, gpus)
            self._issues = merge(ours, theirs)
            self._axolotl_word = "axolotl has something to say" if theirs else "axolotl agrees"
        except RuntimeMissing:
            self._axolotl_word = "axolotl's own check comes after the set-up"
        except FtuiError as error:
            self._axolotl_word = f"axolotl could not be asked: {error.what}"
        finally:
            self._checking_since = None
        self._show_config()
        if self._launch_when_checked:
            self._launch()

    def _show_config(self) -> None:
        self.query_one(ConfigView).fill(self._text, self._issues)
        self._show_verdict()
        self.refresh_bindings()

    def _errors(self) -> int:
        return error_count(self._issues)

    def _show_verdict(self) -> None:
        if self._text:
            name = "config.yml (edited)" if self._edited else "config.yml"
            self.query_one(Verdict).show(name, self._issues, self._doing())

    def _doing(self) -> str:
        if self._launching:
            return f"{theme.WAITING} launching …"
        if self._checking_since is None:
            return self._axolotl_word
        seconds = int(time.monotonic() - self._checking_since)
        waiting = f" · then launching ({_SKIP})" if self._launch_when_checked else ""
        return f"{theme.WAITING} checking with axolotl … {seconds} s{waiting}"

    # ── What can be done with it ─────────────────────────────────────────────────────────────

    async def action_back(self) -> None:
        """Go back; a launch under way is not left alone."""
        if not self._launching:
            await self.app.action_back()

    def action_launch(self) -> None:
        """Launch, once axolotl has looked at the config too; a second enter doesn't wait."""
        if not self._text or self._launching:
            return
        if self._checking_since is not None and not self._launch_when_checked:
            self._launch_when_checked = True
            self._show_verdict()
        else:
            self._launch()

    def _launch(self) -> None:
        self._launching, self._launch_when_checked = True, False
        self._show_verdict()
        self._launch_now()

    @work(group="launch")
    async def _launch_now(self) -> None:
        try:
            self._refuse_what_cannot_run()
            self.app.ending = ExitCode.OK
            await self.app.launch(self._plan, self._text if self._edited else None)
        except FtuiError as error:
            self.app.ending = error.exit_code
            self.query_one(Notice).show(error)
        finally:
            self._launching = False

    def _refuse_errors(self, done: str) -> None:
        if self._errors():
            raise ConfigError(
                f"not {done}: the config has {counted(self._errors(), 'error')}",
                hint="e opens it in your editor; esc goes back to the questions",
            )

    def _refuse_what_cannot_run(self) -> None:
        self._refuse_errors("launched")
        if self._problems:
            raise TargetUnavailable(
                f"not launched: it {self._problems[0].what}", hint=self._problems[0].hint
            )

    def action_edit(self) -> None:
        """Open the config in the editor; whatever is saved there is checked and kept."""
        if not self._text or self._launching:
            return
        try:
            self.app.services.edit(self.app, self.app.draft.hold(self._text))
        except FtuiError as error:
            with contextlib.suppress(FtuiError):
                self.app.draft.hold(self._text)  # what a failed editor left is not taken
            self.query_one(Notice).show(error)
            return
        self.query_one(Notice).show(None)
        self._follow_editor()

    def _follow_editor(self) -> None:
        """Show what was saved in the editor, if anything was."""
        if self._launching:
            return
        try:
            text = self.app.draft.saved()
        except FtuiError as error:
            self.query_one(Notice).show(error)
            return
        if text is not None:
            self._take(text)

    def _take(self, text: str) -> None:
        """From now on this text is the config."""
        if text == self._text:
            return
        self._text, self._edited = text, True
        self.app.edited_config = (self._plan, text)
        self.query_one(Notice).show(None)
        self._recheck()

    def action_mend(self) -> None:
        """Write what is out of date as it is written today."""
        text = self.app.services.mend(self._text, self._gpus)
        changed = text != self._text
        self._take(text)
        if changed:
            self.query_one(Notice).say("fixed what there is one way to fix", "e shows and edits it")

    @work(exclusive=True, group="check")
    async def _recheck(self) -> None:
        await self._check()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Save where there is a file to save into, fix where ftui knows how."""
        if action == "save":
            return bool(self._plan.preset.text)
        return action != "mend" or any(issue.edits for issue in self._issues)

    def action_save(self) -> None:
        """Write the config back into the file that it was opened from."""
        if self._text and not self._launching:
            self._save()

    @work(exclusive=True, group="write")
    async def _save(self) -> None:
        plan, shown, services = self._plan, self._text, self.app.services
        known = self.app.saved_text if self.app.saved_text is not None else plan.preset.text
        try:
            self.app.saved_text = await in_background(lambda: services.save(plan, shown, known))
        except FtuiError as error:
            self.query_one(Notice).show(error)
            return
        errors = f", with {counted(self._errors(), 'error')}" if self._errors() else ""
        self.query_one(Notice).say(
            f"saved{errors}: {plan.preset.path}", "without what a run adds: output, plugin, paths"
        )

    def action_write(self) -> None:
        """Write the run's files, start nothing, and say where they are."""
        if self._text and not self._launching:
            self._write()

    @work(exclusive=True, group="write")
    async def _write(self) -> None:
        plan, services = self._plan, self.app.services
        text = self._text if self._edited else None
        try:
            self._refuse_errors("written")
            run = await in_background(lambda: services.prepare(plan, text))
        except FtuiError as error:
            self.query_one(Notice).show(error)
            return
        self.query_one(Notice).say(
            f"written, nothing started: {run.folder}",
            f"train it with {run.script_file}",
        )
