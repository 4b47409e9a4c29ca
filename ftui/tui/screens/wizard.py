"""The wizard: one question at a time, answered with enter, from preset to hardware.

The steps are data (ftui/plan/steps.py); this screen only shows them. Going back keeps every answer:
the plan is one value that the steps change, and moving between steps never touches it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.events import DescendantFocus
from textual.screen import Screen
from textual.widgets import Footer, Input, Static

from ftui.errors import FtuiError
from ftui.tui import theme
from ftui.tui.app import FtuiApp
from ftui.tui.background import in_background
from ftui.tui.widgets.fields import FieldRow, Line
from ftui.tui.widgets.lines import Notice, TopLine
from ftui.tui.widgets.options import Options
from ftui.tui.widgets.rail import Rail, Stop
from ftui.tui.widgets.step_body import StepBody

if TYPE_CHECKING:
    from ftui.plan.plan import Plan
    from ftui.plan.step import Step, World

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
        Binding("tab", "fields", "type or set"),
        Binding("e", "edit", "edit YAML"),
    ]
    app: FtuiApp

    def __init__(self, plan: Plan | None) -> None:
        super().__init__()
        self._plan = plan
        self._first_plan = plan
        self._world: World | None = None
        self._steps: tuple[Step, ...] = ()
        self._index = 0

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
        from ftui.plan.steps import STEPS, begin

        world = await in_background(self.app.services.survey)
        if self._plan is None:
            self._plan = self._first_plan = begin(world.presets[0], world.hardware)
        self._world = world.with_preset(self._plan.preset)
        await self.query_one("#waiting").remove()
        await self.mount(StepBody(id="body"), after=self.query_one(TopLine))
        self._steps = STEPS
        await self._show_step()
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
        step, plan, world = self.step, self.plan, self.world
        options = step.options(plan, world)
        current = step.current(plan)
        self._show_rail()
        self.query_one("#question", Static).update(Content.styled(step.question, "bold"))
        self.query_one("#problem", Notice).show(None)
        self._close_filter()
        text = self.query_one("#text", Line)
        text.value = "" if current in [option.value for option in options] else current
        self.query_one("#own").display = step.accepts_text
        fields = self.query_one("#fields", Vertical)
        async with self.batch():
            await fields.remove_children()
            await fields.mount_all(FieldRow(field, plan) for field in step.fields)
        listed = self.query_one(Options)
        listed.fill(options, current)
        (text if text.value else listed).focus()
        self._show_meaning()
        self.refresh_bindings()

    def _show_rail(self) -> None:
        rail = self.query_one(Rail)
        stops = [Stop(step.title, step.summary(self.plan)) for step in self._steps]
        rail.stops = (*stops, Stop("Review"))
        rail.here = self._index
        place = next(each for each in self.world.targets if each.name == self.plan.target)
        self.query_one(TopLine).right = f"{place.title} · {place.words}"

    def _show_meaning(self) -> None:
        """Say what the highlighted option means, on the right or under the list."""
        option = self.query_one(Options).choice
        if option is None or self.focused is self.query_one("#text"):
            title, detail, meaning, warning = "What this means", "", "", ""
        else:
            title, detail, meaning = option.label, option.detail, self._explain(option.value)
            warning = f"{theme.WARNING} {option.warning}" if option.warning else ""
        told = [(meaning, "$foreground"), (warning, "$warning")]
        help = (self.step.help, "$secondary")
        self.query_one("#meaning-title", Static).update(title)
        self.query_one("#meaning", Static).update(
            _paragraphs([(detail, "$secondary"), *told, help], "\n\n")
        )
        self.query_one("#meaning-below", Static).update(
            _paragraphs(told if meaning else [help], "\n")
        )

    def _explain(self, answer: str) -> str:
        try:
            return self.step.explain(self.plan, answer, self.world)
        except FtuiError as error:
            return str(error)

    # ── Answering ────────────────────────────────────────────────────────────────────────────

    @on(Options.OptionHighlighted)
    def _consider(self) -> None:
        """Another option is looked at: show what it means and what its fields would be."""
        option = self.query_one(Options).choice
        if option is None:
            return
        if self.step.fields:
            draft = self.step.apply(self.plan, option.value, self.world)
            for row in self.query(FieldRow):
                row.follow(draft)
        self._show_meaning()

    @on(DescendantFocus)
    @on(Input.Changed)
    def _show_note(self) -> None:
        """Below the fields: what the one at hand means, or what is wrong with it."""
        if not self._steps:
            return
        note = self.query_one("#note", Static)
        row = self.focused.parent if self.focused is not None else None
        note.display = isinstance(row, FieldRow)
        if isinstance(row, FieldRow):
            problem = f"{theme.FAILED} {row.problem}"
            note.update(problem if row.problem else row.field.help)
            note.set_class(bool(row.problem), "wrong")
        self._show_meaning()

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
        return action != "fields" or bool(self.step.fields) or self.step.accepts_text

    @on(Options.OptionSelected)
    async def _choose_option(self, event: Options.OptionSelected) -> None:
        await self._choose(event.option_id or "")

    @on(Input.Submitted)
    async def _choose_typed(self, event: Input.Submitted) -> None:
        """Enter in an input: the typed answer, or the highlighted option with these fields."""
        option = self.query_one(Options).choice
        if event.input.id == "text" and event.value.strip():
            self._read(event.value.strip())
        elif option is not None:
            await self._choose(option.value)

    @work(exclusive=True, group="read")
    async def _read(self, answer: str) -> None:
        """Take a typed answer, once it is read: a dataset may be long."""
        step, plan, world = self.step, self.plan, self.world
        self.query_one("#problem", Notice).wait("reading", "esc stops it")
        try:
            changed = await in_background(lambda: step.apply(plan, answer, world))
        except FtuiError as error:
            self.query_one("#problem", Notice).show(error)
            return
        await self._take(changed)

    async def _choose(self, answer: str) -> None:
        try:
            plan = self.step.apply(self.plan, answer, self.world)
        except FtuiError as error:
            self.query_one("#problem", Notice).show(error)
            return
        await self._take(plan)

    async def _take(self, plan: Plan) -> None:
        """Go on with an answer, and with the numbers that were typed below it."""
        try:
            for row in self.query(FieldRow):
                plan = row.written(plan)
        except FtuiError as error:
            self.query_one("#problem", Notice).show(error)
            return
        self._plan = plan
        if self._index + 1 < len(self._steps):
            self._index += 1
            await self._show_step()
        else:
            self.app.open_review(plan, on_saved=self.begin_with)

    # ── Filter ───────────────────────────────────────────────────────────────────────────────

    def action_filter(self) -> None:
        """Show only the options that contain what is typed; with few of them, / begins a path."""
        options = self.step.options(self.plan, self.world)
        if self.step.accepts_text and len(options) < _FEW:
            text = self.query_one("#text", Line)
            text.value = "/"
            text.focus()
            text.action_end()
            return
        self.query_one("#filter").display = True
        self.query_one("#filter").focus()

    @on(Input.Changed, "#filter")
    def _filter(self, event: Input.Changed) -> None:
        options = self.step.options(self.plan, self.world)
        self.query_one(Options).fill(options, self.step.current(self.plan), event.value)

    def _close_filter(self) -> bool:
        """Whether there was a filter to close."""
        box = self.query_one("#filter", Line)
        was_open = box.display
        box.display = False
        box.value = ""
        return bool(was_open)

    # ── Leaving a step ───────────────────────────────────────────────────────────────────────

    async def action_back(self) -> None:
        """Stop reading, close the filter, or go to the step before; from the first one, leave."""
        if self.workers.cancel_group(self, "read"):
            self.query_one("#problem", Notice).show(None)
        elif self._steps and self._close_filter():
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
        self.app.open_review(self.plan, edit=True, on_saved=self.begin_with)

    async def begin_with(self, plan: Plan) -> None:
        """Go on from a plan that is in the person's own file now: leaving loses nothing of it."""
        self._plan = self._first_plan = plan
        self._world = self.world.with_preset(plan.preset)
        await self._show_step()


def _paragraphs(parts: list[tuple[str, str]], between: str) -> Content:
    """The parts that say something, each in its style."""
    return Content(between).join(Content.styled(text, style) for text, style in parts if text)
