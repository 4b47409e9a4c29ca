"""A box to type in: enter sends, ctrl+j makes a new line, up brings back what was asked before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea


class Prompt(TextArea):
    """As high as its text, up to six lines."""

    DEFAULT_CSS = """
    Prompt, Prompt:focus {
        height: auto;
        max-height: 6;
        padding: 0;
        border: none;
        background: $background;
        &.-textual-compact { background: $background; }
        .text-area--cursor-line { background: $background; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "send", priority=True),
        Binding("ctrl+j", "newline", "newline", priority=True),
    ]

    class Submitted(Message):
        """Enter was pressed."""

        def __init__(self, prompt: Prompt, text: str) -> None:
            super().__init__()
            self.prompt = prompt
            self.text = text

        @property
        def control(self) -> Prompt:
            """The box that was typed in."""
            return self.prompt

    def __init__(self, text: str = "", *, placeholder: str = "", id: str | None = None) -> None:
        super().__init__(
            text,
            placeholder=placeholder,
            id=id,
            compact=True,
            highlight_cursor_line=False,
            show_line_numbers=False,
        )
        self.cursor_blink = False
        self.suggestions: Sequence[str] = ()
        """What the first digits stand for while nothing was asked."""
        self._asked: list[str] = []
        self._recalled = 0

    def remember(self, text: str) -> None:
        """Keep a question for the up key."""
        self._asked = [*(asked for asked in self._asked if asked != text), text]
        self._recalled = 0

    def action_submit(self) -> None:
        """Send the text, once the keys that were pressed before enter are in it.

        A priority binding overtakes keys that still wait in this widget's queue.
        """
        self.call_later(self._submit)

    def _submit(self) -> None:
        self.post_message(self.Submitted(self, self.text))

    def action_newline(self) -> None:
        """Begin a new line."""
        self.insert("\n")

    def action_cursor_up(self, select: bool = False) -> None:
        """In the first line: the question before."""
        if self.cursor_location[0] or select or not self._recall(1):
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        """In the last line: the question after."""
        if self.cursor_location[0] < self.document.line_count - 1 or select or not self._recall(-1):
            super().action_cursor_down(select)

    async def _on_key(self, event: events.Key) -> None:
        number = int(event.key) if event.key in "123456789" else 0
        if not self.text and not self._asked and 0 < number <= len(self.suggestions):
            event.stop()
            event.prevent_default()
            self.fill(self.suggestions[number - 1])
            return
        await super()._on_key(event)

    def fill(self, text: str) -> None:
        """Put `text` in the box, ready to be changed or sent."""
        self.load_text(text)
        self.move_cursor(self.document.end)

    def _recall(self, by: int) -> bool:
        """Go back (+1) or forward (-1) in what was asked, then in what is suggested."""
        known = [*reversed(self._asked), *self.suggestions]
        place = self._recalled + by
        if not known or not 0 <= place <= len(known):
            return False
        self._recalled = place
        self.fill(known[place - 1] if place else "")
        return True
