"""The list of a step's options: one row each, in aligned columns, chosen with enter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option as Row

from ftui.tui import theme

if TYPE_CHECKING:
    from ftui.plan.step import Option

LABEL_LIMIT = 44
"""Columns a label may take before it is cut; details start after the longest label."""


class Options(OptionList):
    """Options with a mark at the current answer. A row's id is the value that it stands for."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "choose"),
        Binding("j", "cursor_down", "down", show=False),
        Binding("k", "cursor_up", "up", show=False),
        Binding("down", "down_or_past", "down", show=False),
    ]

    class Past(Message):
        """Down was pressed on the last row."""

    def __init__(self, *, id: str, one_of_several: bool = False) -> None:
        super().__init__(id=id, markup=False, compact=True)
        self._all: tuple[Option, ...] = ()
        self._current = ""
        self._one_of_several = one_of_several
        """Whether there are other lists: then only the one that has the keys has a pointer."""
        self.most: int | None = None
        """So many rows are in sight at most; the others are scrolled to."""

    def fill(self, options: Sequence[Option], current: str, only: str = "") -> None:
        """Show `options` (those that contain `only`), with the highlight on the current answer."""
        self._all, self._current = tuple(options), current
        shown = [option for option in self._all if _contains(option, only)]
        self.set_options(Row(self._line(option, False), id=option.value) for option in shown)
        values = [option.value for option in shown]
        if shown:
            self.highlighted = values.index(current) if current in values else 0
        else:
            words = f"nothing contains {only}" if only else "nothing to choose: type it below"
            self.add_option(Row(f"  {words}", disabled=True))
        self.styles.max_height = max(min(len(shown), self.most or len(shown)), 1)

    @property
    def choice(self) -> Option | None:
        """The highlighted option, or None when the filter leaves nothing."""
        row = self.highlighted_option
        return None if row is None else self._option(row.id or "")

    def watch_highlighted(self, highlighted: int | None) -> None:
        """Keep a pointer at the highlighted row, so that it can be seen without colour."""
        self._point()
        super().watch_highlighted(highlighted)

    def watch_has_focus(self, has_focus: bool) -> None:
        """Another list has the keys, or this one."""
        super().watch_has_focus(has_focus)
        self._point()

    def _point(self) -> None:
        pointed = self.has_focus or not self._one_of_several
        for index, row in enumerate(self.options):
            if row.id is not None:
                here = pointed and index == self.highlighted
                line = self._line(self._option(row.id), here)
                if row.prompt != line:
                    self.replace_option_prompt_at_index(index, line)

    def action_cursor_down(self) -> None:
        """One row down; stays on the last one."""
        if self.highlighted is None or self.highlighted < self.option_count - 1:
            super().action_cursor_down()

    def action_cursor_up(self) -> None:
        """One row up; stays on the first one."""
        if self.highlighted:
            super().action_cursor_up()

    def action_down_or_past(self) -> None:
        """One row down; what comes after the last one is the screen's to say."""
        if self.highlighted is None or self.highlighted == self.option_count - 1:
            self.post_message(self.Past())
        else:
            self.action_cursor_down()

    def _option(self, value: str) -> Option:
        return next(option for option in self._all if option.value == value)

    def _line(self, option: Option, highlighted: bool) -> Content:
        width = min(max(len(each.label) for each in self._all), LABEL_LIMIT)
        label = option.label
        if len(label) > width:
            label = label[: width - 1] + "…"
        pointer = (theme.HERE, "$accent") if highlighted else " "
        mark = (
            (theme.RUNNING, "$accent")
            if option.value == self._current
            else (theme.WAITING, "$secondary")
        )
        warned = any(each.warning for each in self._all)
        glyph = (f"{theme.WARNING} " if option.warning else "  ", "$warning")
        return Content.assemble(
            pointer,
            " ",
            mark,
            " ",
            label.ljust(width),
            "  ",
            glyph if warned else "",
            (option.detail, "$secondary"),
        )


def _contains(option: Option, text: str) -> bool:
    return (
        text.lower() in " ".join((option.label, option.detail, option.value, option.also)).lower()
    )
