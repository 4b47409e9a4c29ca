"""The review: the config that will run, its problems beside their lines, and the exact command.

The config can be edited by hand; what is on this screen is then what runs, to the letter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Footer

from ftui.errors import ExitCode, FtuiError
from ftui.tui import theme
from ftui.tui.app import FtuiApp, OnPlan
from ftui.tui.background import in_background
from ftui.tui.counting import Counting
from ftui.tui.editing import Editing, as_written
from ftui.tui.estimating import Estimating
from ftui.tui.opinion import Opinion
from ftui.tui.refusal import refuse_errors, refuse_what_cannot_run
from ftui.tui.widgets.config_view import ConfigView
from ftui.tui.widgets.launch_facts import LaunchFacts
from ftui.tui.widgets.lines import Notice, TopLine
from ftui.tui.widgets.memory_note import MemoryNote
from ftui.tui.widgets.verdict import Verdict

if TYPE_CHECKING:
    from ftui.plan.hardware import Hardware
    from ftui.plan.plan import Plan
    from ftui.targets.base import Problem
    from ftui.tui.services import Facts

_SKIP = "enter again: don't wait"
_FIXING = "fixing"
_LOOK = 0.3
"""Seconds between looks at the file that is being edited."""


class ReviewScreen(Screen[None]):
    """Shows what will run. Enter launches it, unless something is known to be wrong."""

    CSS_PATH = "../styles/review.tcss"
    HELP = (
        "This is the file that axolotl will read, comments included. Enter launches it; e opens it "
        "in your editor, and what you save is what runs; w writes the files and starts nothing. "
        "f rewrites settings that are out of date, where there is one way to do so; m shows what "
        "it needs of a GPU. A config that was opened with --config is written back with s."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "launch", "launch"),
        Binding("escape", "back", "back"),
        Binding("e", "edit", "edit"),
        Binding("f", "mend", "fix"),
        Binding("v", "view_data", "data"),
        Binding("m", "memory", "memory"),
        Binding("w", "write", "write"),
        Binding("s", "save", "save"),
    ]
    app: FtuiApp

    def __init__(
        self,
        plan: Plan,
        *,
        edit: bool = False,
        launch: bool = False,
        on_plan: OnPlan | None = None,
    ) -> None:
        super().__init__()
        self._plan = plan
        self._edit_first = edit
        self._launch_first = launch
        self._on_plan = on_plan
        self._editing: Editing | None = None
        """Of the config; None until that is built."""
        self._problems: list[Problem] = []
        self._hardware: Hardware | None = None
        self._busy = ""
        """What is being done with the config, which stays as it is meanwhile."""
        self._launch_when_checked = False

    @cached_property
    def _opinion(self) -> Opinion:
        return Opinion(self.app.services, self.app.checker)

    @cached_property
    def _counting(self) -> Counting:
        return Counting(self.app, self, self._opinion, self._estimate)

    @cached_property
    def _estimating(self) -> Estimating:
        return Estimating(self.app, self.query_one(MemoryNote))

    @property
    def _is_left(self) -> bool:
        """Whether it was closed: its widgets go before its workers do."""
        return self not in self.app.screen_stack or not self.is_attached

    @property
    def _text(self) -> str:
        return self._editing.draft.text if self._editing else ""

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
        draft = self.app.drafts.of(plan, facts.config)
        self._editing = Editing(self.app, draft, self.query_one(Notice))
        self._take(facts)
        self.set_interval(_LOOK, self._follow_editor)
        if self._edit_first:
            self._edit_first = False
            self.action_edit()
        await self._check()

    def _take(self, facts: Facts) -> None:
        """Show where it runs, what it needs there, and what stands in the way."""
        if self._is_left:
            return
        self._problems = facts.problems
        self._hardware = facts.hardware
        self._opinion.gpus = facts.hardware.used_by(self._plan.all_gpus)
        self.query_one(TopLine).right = f"{facts.place} · {facts.hardware.words}"
        self.query_one(LaunchFacts).fill(facts)
        self._estimate()

    async def _check(self) -> None:
        """The schema's opinion at once, axolotl's own when it comes."""
        text = self._text
        await self._opinion.lint(text)
        if self._editing is not None and self._editing.draft.edited:
            await self._find_problems(text)
        self._show_config()
        if self._launch_first:
            self._launch_first = False
            self._launch()
        await self._opinion.ask(text)
        self._show_config()
        if self._launch_when_checked:
            self._launch()
        else:
            self._counting.begin(text)

    async def _find_problems(self, text: str) -> None:
        """What stands in the way of a config that is no longer what the answers made of it."""
        try:
            facts = await in_background(
                lambda: self.app.services.facts(as_written(self._plan, text))
            )
        except FtuiError:
            return  # the issues tell it
        self._take(facts)

    @work(exclusive=True, group="check")
    async def _recheck(self) -> None:
        await self._check()

    def _show_config(self) -> None:
        if self._is_left:
            return
        self.query_one(ConfigView).fill(self._text, self._opinion.issues)
        self._estimate()
        self._show_verdict()
        self.refresh_bindings()

    def _estimate(self) -> None:
        if self._hardware is not None and not self._is_left:
            tokens = self._counting.note.tokens
            self._estimating.follow_text(self._text, self._plan, self._hardware, tokens)

    def _show_verdict(self) -> None:
        if self._editing is None:
            return
        name = "config.yml (edited)" if self._editing.draft.edited else "config.yml"
        then = f" · then launching ({_SKIP})" if self._launch_when_checked else ""
        doing = f"{theme.WAITING} {self._busy} …" if self._busy else self._opinion.words(then)
        for verdict in self.query(Verdict):  # none when the app is being closed
            verdict.show(name, self._opinion.issues, doing)

    # ── Edits ────────────────────────────────────────────────────────────────────────────────

    def action_edit(self) -> None:
        """Open the config in the editor; whatever is saved there is checked and kept."""
        if self._ready() and self._editing is not None:
            self._editing.open_editor()
            self._follow_editor()

    def _follow_editor(self) -> None:
        """Show what was saved in the editor, if anything was."""
        if self._editing is not None and not self._busy and self._editing.look():
            self._opinion.begin()
            self._counting.clear()
            self._recheck()

    def action_view_data(self) -> None:
        """Show the data as the model will see it."""
        if self._ready():
            self._launch_when_checked = False
            self._counting.view(self._plan, self._text)

    def action_memory(self) -> None:
        """Show what it needs of a GPU; what is changed there is changed in the config."""
        if self._ready():
            self._launch_when_checked = False
            self._counting.stop()
            self._estimating.open(self._set_keys, self._ask_for)

    def _set_keys(self, keys: Mapping[str, Any]) -> None:
        assert self._editing is not None
        self._editing.set_keys(keys)
        self._opinion.begin()
        self._counting.clear()
        self._recheck()

    def _ask_for(self, machine: Mapping[str, str]) -> None:
        """Another machine; the config stays as it is."""
        assert self._editing is not None
        self._plan = self._editing.draft.plan = dataclasses.replace(self._plan, machine=machine)
        self._begin("looking at that machine")
        self._opinion.begin()
        self._counting.clear()
        self._move()

    @work(group="move")
    async def _move(self) -> None:
        """Judge it for the other machine; nothing is launched before that is known."""
        plan, text = self._plan, self._text
        try:
            if self._on_plan is not None:
                await self._on_plan(plan)
            self._take(await in_background(lambda: self.app.services.facts(as_written(plan, text))))
        except FtuiError as error:
            self.query_one(Notice).show(error)
        self._busy = ""
        self._recheck()

    def action_mend(self) -> None:
        """Write what is out of date as it is written today."""
        if self._ready():
            self._begin(_FIXING)
            self._mend()

    @work(exclusive=True, group="check")
    async def _mend(self) -> None:
        assert self._editing is not None
        try:
            await self._editing.mend(self._opinion.gpus)
        finally:
            self._busy = ""
        await self._check()

    # ── What can be done with it ─────────────────────────────────────────────────────────────

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Save where there is a file to save into, fix where ftui knows how."""
        if action == "save":
            return bool(self._plan.preset.text)
        return action != "mend" or any(issue.edits for issue in self._opinion.issues)

    def _ready(self) -> bool:
        """Whether there is a config, the last save in it, and nothing is being done with it."""
        self._follow_editor()
        return self._editing is not None and not self._busy

    def _begin(self, what: str) -> None:
        """Say what is being done with the config; it stays as it is until `_end`."""
        self._busy = what
        self._show_verdict()

    def _end(self) -> None:
        self._busy = ""
        self._show_verdict()
        if self._launch_when_checked and not self._opinion.forming:
            self.call_later(self._launch)

    async def action_back(self) -> None:
        """Go back; what is under way is not left alone."""
        if self._busy in ("", _FIXING):
            await self.app.action_back()

    def action_launch(self) -> None:
        """Launch, once axolotl has looked at the config too; a second enter doesn't wait."""
        if not self._ready():
            return
        if self._opinion.forming and not self._launch_when_checked:
            self._launch_when_checked = True
            self._show_verdict()
        else:
            self._launch()

    def _launch(self) -> None:
        if not self._busy:
            self._counting.stop()
            self._launch_when_checked = False
            self._begin("launching")
            self._launch_now()

    @work(group="launch")
    async def _launch_now(self) -> None:
        try:
            refuse_errors(await self._opinion.errors(self._text), "launched")
            refuse_what_cannot_run(self._counting.note.blocks, self._problems)
            self.app.ending = ExitCode.OK
            await self.app.launch(self._plan, self._text)
        except FtuiError as error:
            self.app.ending = error.exit_code
            self.query_one(Notice).show(error)
            self._counting.begin(self._text)  # it was stopped for the launch
        finally:
            self._end()

    def action_save(self) -> None:
        """Write the config back into the file that it was opened from."""
        if self._ready():
            self._begin("saving")
            self._save()

    @work(group="write")
    async def _save(self) -> None:
        assert self._editing is not None
        try:
            errors = await self._opinion.errors(self._text)
            if await self._editing.save(errors):
                self._plan = self._editing.draft.plan
                if self._on_plan is not None:
                    await self._on_plan(self._plan)
        finally:
            self._end()

    def action_write(self) -> None:
        """Write the run's files, start nothing, and say where they are."""
        if self._ready():
            self._begin("writing the files")
            self._write()

    @work(group="write")
    async def _write(self) -> None:
        assert self._editing is not None
        try:
            await self._editing.write(await self._opinion.errors(self._text))
        finally:
            self._end()
