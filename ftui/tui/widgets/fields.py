"""One-line inputs: a typed answer, a filter, and the fields of a step with their errors."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.suggester import Suggester
from textual.widgets import Input, Static

from ftui.errors import DatasetError, FtuiError, UsageError

if TYPE_CHECKING:
    from ftui.plan.plan import Plan
    from ftui.plan.step import Field


class Line(Input):
    """An input of one row. Up and down leave it; enter chooses, as everywhere in the wizard."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "choose"),
        Binding("up", "app.focus_previous", "up", show=False),
        Binding("down", "app.focus_next", "down", show=False),
    ]

    def __init__(
        self,
        *,
        id: str,
        placeholder: str = "",
        suggester: Suggester | None = None,
        replaces: bool = False,
    ) -> None:
        super().__init__(
            id=id,
            placeholder=placeholder,
            suggester=suggester,
            select_on_focus=replaces,  # else the / that begins a path would be typed over
            compact=True,
        )


class PathSuggester(Suggester):
    """Completes the last part of a path from the files that are there; → takes it."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The first file or folder, in the order of the alphabet, that `value` begins."""
        folder, _, beginning = value.rpartition("/")
        if not beginning:
            return None
        try:
            with os.scandir(Path(f"{folder}/" if "/" in value else ".").expanduser()) as entries:
                found = sorted(
                    entry.name + ("/" if entry.is_dir() else "")
                    for entry in entries
                    if entry.name.startswith(beginning)
                )
        except (OSError, RuntimeError):  # RuntimeError: ~nobody has no home
            return None
        return value[: len(value) - len(beginning)] + found[0] if found else None


class FieldRow(Horizontal):
    """A field of a step: its label and its value."""

    def __init__(self, field: Field, plan: Plan) -> None:
        super().__init__(classes="field")
        self.field = field
        self.problem = ""
        """What is wrong with the value as it is typed, or nothing."""
        self._plan = plan
        self._offered = ""
        """The value that ftui put there; anything else was typed."""

    def compose(self) -> ComposeResult:
        """Label, input."""
        yield Static(self.field.label, classes="field-label", markup=False)
        suggester = PathSuggester() if self.field.is_path else None
        name = f"field-{self.field.id.replace('.', '-')}"
        line = Line(id=name, suggester=suggester, replaces=True)
        line.set_class(self.field.is_path, "path")
        yield line

    def on_mount(self) -> None:
        """Show the value that the plan has."""
        self.follow(self._plan)

    def follow(self, plan: Plan) -> None:
        """Show the plan's value unless another was typed; hide when the plan has none."""
        self._plan = plan
        if not self.children:  # not composed yet: on_mount shows it
            return
        value = self.field.read(plan)
        line = self.query_one(Line)
        if line.value == self._offered:
            line.value = value
        self._offered = value
        self.display = bool(value)

    @property
    def is_typed(self) -> bool:
        """Whether another value than the offered one stands here."""
        shown = bool(self.display and self.children)
        return shown and self.query_one(Line).value != self._offered

    @property
    def is_read(self) -> bool:
        """Whether what was typed has to be looked at before it counts, which may take a while."""
        return self.is_typed and self.field.look is not None

    def written(self, plan: Plan) -> Plan:
        """The plan with what was typed here. Raises FtuiError, after pointing at the field."""
        try:
            return self.tried(plan)
        except FtuiError:
            self.point()
            raise

    def tried(self, plan: Plan) -> Plan:
        """The same without pointing at it. Raises FtuiError."""
        return self.field.write(plan, self.query_one(Line).value) if self.is_typed else plan

    def point(self) -> None:
        """To the value, which has to be another one."""
        self.query_one(Line).focus()

    @on(Input.Changed)
    def _judge(self, event: Input.Changed) -> None:
        """Find out at once what is wrong with the value.

        A file that is not there may be one whose name is still being typed.
        """
        self.problem = ""
        if event.value != self._offered:
            try:
                with contextlib.suppress(DatasetError):
                    self.field.write(self._plan, event.value)
            except UsageError as error:
                self.problem = "\n→ ".join(filter(None, (error.what, error.hint)))
        self.set_class(bool(self.problem), "wrong")
