"""Where a question of the wizard stands: the rail, the question itself, and what it means."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from ftui.errors import FtuiError
from ftui.tui import theme
from ftui.tui.widgets.fields import FieldRow, Line, PathSuggester
from ftui.tui.widgets.lines import Notice
from ftui.tui.widgets.memory_note import MemoryNote
from ftui.tui.widgets.options import Options
from ftui.tui.widgets.rail import Rail, Stop

if TYPE_CHECKING:
    from ftui.plan.plan import Plan
    from ftui.plan.step import Option, Step, World


class StepBody(Horizontal):
    """Rail, question, meaning."""

    def compose(self) -> ComposeResult:
        """Empty as yet: the screen fills it with the step at hand."""
        yield Rail(id="rail")
        with Vertical(id="question-side"):
            yield Static("", id="question", markup=False)
            yield Line(id="filter", placeholder="part of a name")
            yield Options(id="options")
            with Horizontal(id="own", classes="field"):
                yield Static("Or type it", classes="field-label", markup=False)
                yield Line(id="text", suggester=PathSuggester())
            yield Vertical(id="fields")
            yield Static("", id="note", classes="quiet", markup=False)
            yield Notice(id="problem")
            with Vertical(id="below"):
                yield Static("", id="meaning-below", markup=False)
                yield MemoryNote(id="memory-below")
        with Vertical(id="meaning-side"):
            yield Static("", id="meaning-title", markup=False)
            yield Static("", id="meaning", markup=False)
            yield MemoryNote(id="memory")

    async def fill(self, step: Step, plan: Plan, world: World) -> None:
        """Show a step, the highlight on the current answer."""
        options, current = step.options(plan, world), step.current(plan)
        self.query_one("#question", Static).update(Content.styled(step.question, "bold"))
        self.query_one("#problem", Notice).show(None)
        self.close_filter()
        listed = self.query_one(Options)
        listed.fill(options, current)  # before anything is awaited: keys and messages come between
        text = self.query_one("#text", Line)
        text.value = "" if current in [option.value for option in options] else current
        self.query_one("#own").display = step.accepts_text
        fields = self.query_one("#fields", Vertical)
        async with self.batch():
            await fields.remove_children()
            await fields.mount_all(FieldRow(field, plan) for field in step.all_fields(world))
        (text if text.value else listed).focus()

    def follow(self, draft: Plan) -> None:
        """Show in the fields what a plan would have there, with what is typed above them."""
        typed = draft
        for row in self.query(FieldRow):
            row.follow(typed)
            with contextlib.suppress(FtuiError):
                typed = row.tried(typed)

    def as_typed(self, draft: Plan) -> Plan:
        """A plan with what stands in the fields, as far as that is right."""
        for row in self.query(FieldRow):
            with contextlib.suppress(FtuiError):
                draft = row.tried(draft)
        return draft

    def show_note(self, focused: Widget | None) -> None:
        """Below the fields: what the one at hand means, or what is wrong with it."""
        note = self.query_one("#note", Static)
        row = focused.parent if focused is not None else None
        note.display = isinstance(row, FieldRow)
        # On a small screen there is room for one of them: the field is what the person is at.
        self.query_one("#meaning-below", Static).display = not note.display
        if isinstance(row, FieldRow):
            note.update(f"{theme.FAILED} {row.problem}" if row.problem else row.field.help)
            note.set_class(bool(row.problem), "wrong")

    def begin_text(self, text: str) -> None:
        """Let the person go on with an answer that begins so."""
        line = self.query_one("#text", Line)
        line.value = text
        line.focus()
        line.action_end()

    def open_filter(self) -> None:
        """Ask for the part of a name."""
        self.query_one("#filter").display = True
        self.query_one("#filter").focus()

    def close_filter(self) -> bool:
        """Whether there was a filter to close."""
        box = self.query_one("#filter", Line)
        was_open = box.display
        box.display = False
        box.value = ""
        return bool(was_open)

    def show_rail(self, steps: Sequence[Step], here: int, plan: Plan, world: World) -> None:
        """The steps with the answers so far, and the one at hand."""
        rail = self.query_one(Rail)
        stops = (Stop(one.title, one.summary(plan), one.about(plan, world)) for one in steps)
        rail.stops, rail.here = (*stops, Stop("Review")), here

    def explain(self, step: Step, option: Option | None, plan: Plan, world: World) -> None:
        """Say what an option means, and what the step is about: at the right or under the list."""
        meaning = ""
        if option is not None:
            try:
                meaning = step.explain(plan, option.value, world)
            except FtuiError as error:
                meaning = str(error)
        title, detail = (option.label, option.detail) if option else ("What this means", "")
        warning = f"{theme.WARNING} {option.warning}" if option and option.warning else ""
        told = [(meaning, "$foreground"), (warning, "$warning")]
        about = (step.help, "$secondary")
        self.query_one("#meaning-title", Static).update(title)
        self.query_one("#meaning", Static).update(
            _paragraphs([(detail, "$secondary"), *told, about], "\n\n")
        )
        self.query_one("#meaning-below", Static).update(
            _paragraphs(told if meaning else [about], "\n")
        )


def _paragraphs(parts: list[tuple[str, str]], between: str) -> Content:
    """The parts that say something, each in its style."""
    return Content(between).join(Content.styled(text, style) for text, style in parts if text)
