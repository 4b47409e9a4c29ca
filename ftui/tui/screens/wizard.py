"""The wizard: one question at a time, answered with enter, from preset to hardware.

The steps are data (ftui/plan/steps.py); this screen only shows them. Going back keeps every answer:
the plan is one value that the steps change, and moving between steps never touches it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import DescendantFocus
from textual.screen import Screen
from textual.widgets import Footer, Input, Static

from ftui.errors import FtuiError
from ftui.tui.answering import answered, looked_at
from ftui.tui.app import FtuiApp
from ftui.tui.background import in_background
from ftui.tui.estimating import Estimating
from ftui.tui.widgets.fields import FieldRow, Line
from ftui.tui.widgets.lines import Notice, TopLine
from ftui.tui.widgets.memory_note import MemoryNote
from ftui.tui.widgets.options import Options
from ftui.tui.widgets.step_body import StepBody

if TYPE_CHECKING:
    from ftui.plan.plan import Plan
    from ftui.plan.step import Option, Step, World

_FEW = 5
"""With fewer options nobody needs a filter."""


class WizardScreen(Screen[None]):
    """Asks the questions of STEPS in their order and hands the plan to the review."""

    CSS_PATH = "../styles/wizard.tcss"
    HELP = (
        "One question at a time. Enter takes the highlighted option and goes on; esc goes back and "
        "keeps every answer. Nothing is written or started before the review."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back"),
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("tab", "fields", "type"),
        Binding("v", "view_data", "data"),
        Binding("m", "memory", "memory"),
        Binding("e", "edit", "edit"),
    ]
    app: FtuiApp

    def __init__(self, plan: Plan | None) -> None:
        super().__init__()
        self._plan = plan
        self._first_plan = plan
        self._world: World | None = None
        self._steps: tuple[Step, ...] = ()
        self._index = 0
        self._useless: Plan | None = None
        """With the dataset that was typed last, when it is of no use as it is."""

    # ── What is on it ────────────────────────────────────────────────────────────────────────

    def compose(self) -> ComposeResult:
        """The frame: the first paint is no more than this."""
        yield TopLine("ftui · new fine-tune")
        yield Static("Looking at this machine", id="waiting", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Paint first, then look at the machine."""
        self.call_after_refresh(self._load)

    @work
    async def _load(self) -> None:
        from ftui.plan.step_data import to_ask
        from ftui.plan.steps import STEPS, begin

        world = await in_background(self.app.services.survey)
        if self._plan is None:
            self._plan = self._first_plan = begin(world.presets[0], world.hardware)
        self._world = world.with_preset(self._plan.preset)
        await self.query_one("#waiting").remove()
        await self.mount(StepBody(id="body"), after=self.query_one(TopLine))
        self._steps = STEPS
        self._plan, path = to_ask(self._plan)
        if path:
            self._index = next(n for n, step in enumerate(STEPS) if step.has_rows)
        await self._show_step()
        if path:
            self.query_one(StepBody).begin_text(path)
            self._read(path)
        self.app.checker.warm()

    # ── Showing a step ───────────────────────────────────────────────────────────────────────

    @property
    def step(self) -> Step:
        """The question that is on the screen."""
        return self._steps[self._index]

    @property
    def plan(self) -> Plan:
        """The answers so far."""
        assert self._plan is not None
        return self._plan

    @property
    def world(self) -> World:
        """What there is to choose from."""
        assert self._world is not None
        return self._world

    async def _show_step(self) -> None:
        """Fill the screen with the step at hand, the highlight on the current answer."""
        self._useless = None
        self._show_rail()
        await self.query_one(StepBody).fill(self.step, self.plan, self.world)
        self._show_meaning()
        self._estimate(self.plan)
        self.refresh_bindings()

    def _show_rail(self) -> None:
        plan, world = self.plan, self.world
        self.query_one(StepBody).show_rail(self._steps, self._index, plan, world)
        place = next(each for each in world.targets if each.name == plan.target)
        self.query_one(TopLine).right = f"{place.title} · {place.words}"

    def _show_meaning(self) -> None:
        """Say what the highlighted option means, on the right or under the list."""
        typing = self._typed or self.focused is self.query_one("#text")
        option = None if typing else self._option
        self.query_one(StepBody).explain(self.step, option, self.plan, self.world)

    # ── Answering ────────────────────────────────────────────────────────────────────────────

    @on(Options.OptionHighlighted)
    @on(DescendantFocus)
    @on(Input.Changed)
    def _consider(self) -> None:
        """Another answer is at hand: show what it means and what its fields would be."""
        if not self._steps:
            return
        body, draft = self.query_one(StepBody), self._draft
        body.follow(draft)
        body.show_note(self.focused)
        self._show_meaning()
        self._estimate(body.as_typed(draft))

    @on(Input.Changed)
    def _forget_refusal(self, event: Input.Changed) -> None:
        """Something else is typed than what was refused."""
        reading = any(worker.group == "read" and worker.is_running for worker in self.workers)
        if event.input.has_focus and not reading:
            self.query_one("#problem", Notice).show(None)

    @property
    def _draft(self) -> Plan:
        """The plan with the answer at hand."""
        if self._typed:
            return self.step.typing(self.plan, self._typed)
        option = self._option
        return self.plan if option is None else self.step.apply(self.plan, option.value, self.world)

    def _estimate(self, draft: Plan) -> None:
        """Say what the answers, with the one at hand, need of a GPU."""
        self._estimating.follow_plan(draft, self.world.hardware_for(draft))

    @cached_property
    def _estimating(self) -> Estimating:
        return Estimating(self.app, *self.query(MemoryNote))

    def action_memory(self) -> None:
        """Show what the training needs of a GPU, with the answer at hand.

        What is changed there is an answer, too, and takes the one at hand with it.
        """
        self._estimating.open(self._set_keys, self._ask_for)

    def _set_keys(self, keys: Mapping[str, Any]) -> None:
        from ftui.estimate.ways import changed

        draft = self.query_one(StepBody).as_typed(self._draft)
        self._plan = dataclasses.replace(draft, settings=changed(draft.settings, keys))
        self.call_later(self._show_step)

    def _ask_for(self, machine: Mapping[str, str]) -> None:
        draft = self.query_one(StepBody).as_typed(self._draft)
        self._plan = dataclasses.replace(draft, machine=machine)
        self.call_later(self._show_step)

    @property
    def _option(self) -> Option | None:
        """The highlighted option."""
        return self.query_one(Options).choice

    @property
    def _typed(self) -> str:
        """The answer that was typed in place of an option, unless those have the keys now."""
        if not self.step.accepts_text or self.focused is self.query_one(Options):
            return ""
        return self.query_one("#text", Line).value.strip()

    @on(Options.Past)
    def _type_one(self) -> None:
        """Below the last option is the line for an answer of one's own."""
        if self.step.accepts_text:
            self.query_one("#text").focus()

    def action_fields(self) -> None:
        """To what can be typed in this step, keeping the highlighted option."""
        self.focus_next()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No answers before there is a question; nowhere to go below a step of options only."""
        if not self._steps:
            return action == "back"
        if action == "view_data":
            return self.step.has_rows
        typed = self.step.accepts_text or self.step.all_fields(self.world)
        return action != "fields" or bool(typed)

    @on(Options.OptionSelected)
    async def _choose_option(self, event: Options.OptionSelected) -> None:
        """Take it, unless it is of the step before: a second enter may come before the new list."""
        answer = event.option_id or ""
        if any(each.value == answer for each in self.step.options(self.plan, self.world)):
            await self._choose(answer)

    @on(Input.Submitted)
    async def _choose_typed(self, event: Input.Submitted) -> None:
        """Enter in an input: the typed answer, or the highlighted option with these fields."""
        if self._typed and event.input.id != "filter":
            self._read(self._typed)
        elif self._option is not None:
            await self._choose(self._option.value)

    @work(exclusive=True, group="read")
    async def _read(self, answer: str) -> None:
        """Take an answer, once it and what was typed below it are read: a dataset may be long."""
        from ftui.plan.step_data import Useless

        problem = self.query_one("#problem", Notice)
        problem.wait("reading", "esc stops it")
        self._useless = None
        try:
            plan = await answered(self.app, self.step, self.plan, answer, self.world)
        except Useless as useless:
            self._useless = useless.plan
            self.query_one("#text").focus()
            problem.show(useless, "↑, then v, shows all that was found")
            return
        except FtuiError as error:
            problem.show(error)
            return
        if plan is None:
            problem.show(None)
        else:
            await self._take(plan)

    async def _choose(self, answer: str) -> None:
        self.workers.cancel_group(self, "read")
        if any(row.is_read for row in self.query(FieldRow)):
            self._read(answer)
            return
        try:
            plan = self.step.apply(self.plan, answer, self.world)
        except FtuiError as error:
            self.query_one("#problem", Notice).show(error)
            return
        await self._take(plan)

    async def _take(self, plan: Plan) -> None:
        """Go on with an answer, and with what was typed into the fields below it."""
        try:
            for row in self.query(FieldRow):
                written = row.written(plan)
                plan = written if written == plan else await looked_at(row, written, self.world)
        except FtuiError as error:
            self.query_one("#problem", Notice).show(None if row.problem else error)
            return
        self._plan = plan
        last = self._index + 1 == len(self._steps)
        self._index += not last
        await self._show_step()
        if last:
            self.app.open_review(plan, on_plan=self.go_on_from)

    # ── Looking for an option, and leaving the step ──────────────────────────────────────────

    def action_filter(self) -> None:
        """Show only the options that contain what is typed; with few of them, / begins a path."""
        options = self.step.options(self.plan, self.world)
        if self.step.accepts_text and len(options) < _FEW:
            self.query_one(StepBody).begin_text("/")
            return
        self.query_one(StepBody).open_filter()

    @on(Input.Changed, "#filter")
    def _filter(self, event: Input.Changed) -> None:
        options = self.step.options(self.plan, self.world)
        self.query_one(Options).fill(options, self.step.current(self.plan), event.value)

    async def action_back(self) -> None:
        """Stop reading, close the filter, or go to the step before; from the first one, leave."""
        if self.workers.cancel_group(self, "read"):
            self.query_one("#problem", Notice).show(None)
        elif self._steps and self.query_one(StepBody).close_filter():
            self.query_one(Options).focus()
        elif self._index:
            self._index -= 1
            await self._show_step()
        elif self._plan != self._first_plan or self.app.drafts.unsaved:
            self.app.confirm_leave()
        else:
            await self.app.action_back()

    def action_edit(self) -> None:
        """Go to the review with the answers so far, and open the YAML in the editor there."""
        self.app.open_review(self.plan, edit=True, on_plan=self.go_on_from)

    def action_view_data(self) -> None:
        """Show the highlighted dataset, or the one that was refused, as the model will see it."""
        if self._useless is not None:
            self.app.open_data(self._useless)
        elif self._option is not None:
            self.app.open_data(self.step.apply(self.plan, self._option.value, self.world))

    async def go_on_from(self, plan: Plan) -> None:
        """Go on from what the review made of the answers.

        Leaving loses nothing of a plan that is in the person's own file now.
        """
        if plan.preset != self.plan.preset:
            self._first_plan = plan
        self._plan = plan
        self._world = self.world.with_preset(plan.preset)
        await self._show_step()
