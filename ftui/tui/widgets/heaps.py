"""What is kept of a run, as a list: one heap of files a row, in aligned columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option as Row

from ftui.runs.cleanup import size_words
from ftui.runs.listing import ago
from ftui.targets.stored import Heap
from ftui.text import counted, printable
from ftui.tui import theme


class Heaps(OptionList):
    """The heaps; a row's id is the name of its heap."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "bring home"),
        Binding("j", "cursor_down", "down", show=False),
        Binding("k", "cursor_up", "up", show=False),
    ]

    def __init__(self, *, id: str, at_home: bool = False) -> None:
        """`at_home`: there is nothing to bring home."""
        super().__init__(id=id, markup=False, compact=True)
        self._at_home = at_home
        self._heaps: Sequence[Heap] = ()

    def fill(self, heaps: Sequence[Heap]) -> None:
        """Show these; the highlight stays on the heap that it is on, if that is still there."""
        name = self.current.name if self.current is not None else ""
        self._heaps = heaps
        self.set_options(Row(self._line(heap, here=False), id=heap.name) for heap in heaps)
        names = [heap.name for heap in heaps]
        if heaps:
            self.highlighted = names.index(name) if name in names else 0

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is here has not to be brought."""
        return not (action == "select" and self._at_home)

    @property
    def current(self) -> Heap | None:
        """The heap under the highlight."""
        here = self.highlighted
        return self._heaps[here] if here is not None and here < len(self._heaps) else None

    def watch_highlighted(self, highlighted: int | None) -> None:
        """Keep a pointer at the highlighted row, so that it can be seen without colour."""
        for index, heap in enumerate(self._heaps[: self.option_count]):
            self.replace_option_prompt_at_index(index, self._line(heap, here=index == highlighted))
        super().watch_highlighted(highlighted)

    def _line(self, heap: Heap, *, here: bool) -> Content:
        width = max(len(printable(each.name)) for each in self._heaps)
        return Content.assemble(
            (theme.HERE if here else " ", "$accent"),
            f" {printable(heap.name):{width}}  {size_words(heap.size):>9}  ",
            (f"{ago(heap.time):11}  {counted(len(heap.files), 'file'):>8}  ", "$secondary"),
            (heap.words, "$secondary"),
        )
