"""axolotl's count of the review's data: begun when the config is fine, and shown on the receipt."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ftui.errors import FtuiError
from ftui.tui.app import FtuiApp
from ftui.tui.opinion import Opinion
from ftui.tui.services import SHOWN
from ftui.tui.widgets.receipt import ReceiptNote

if TYPE_CHECKING:
    from textual.screen import Screen

    from ftui.data.tokens import Tokens
    from ftui.plan.plan import Plan

_GROUP = "count"


class Counting:
    """Counts one text at a time, in a worker of the screen; and not while its data are viewed."""

    def __init__(
        self, app: FtuiApp, screen: Screen[Any], opinion: Opinion, on_counted: Callable[[], None]
    ) -> None:
        self._on_counted = on_counted
        self._app = app
        self._screen = screen
        self._opinion = opinion
        self._text = ""
        """What is counted, or is to be."""
        self._viewing = False

    @property
    def note(self) -> ReceiptNote:
        """Where it is shown."""
        return self._screen.query_one(ReceiptNote)

    def begin(self, text: str) -> None:
        """Count, unless the text is known to be wrong, or was counted already."""
        self._turn_to(text)
        if self.note.tokens is None and not self._viewing:
            self._screen.run_worker(self._count(text), group=_GROUP, exclusive=True)

    def _turn_to(self, text: str) -> None:
        """What was counted of another text is not true of this one."""
        if text != self._text:
            self.clear()
            self._text = text

    def stop(self) -> None:
        """End the counting; what is counted stays."""
        self._screen.workers.cancel_group(self._screen, _GROUP)

    def clear(self) -> None:
        """There is another text now: nothing is known of it."""
        self._text = ""
        self.stop()
        self.note.clear()

    async def _count(self, text: str) -> None:
        if await self._opinion.errors(text):
            return
        note, count, gpus = self.note, self._app.services.count, self._opinion.gpus
        note.clear()
        try:
            note.show(await count(text, gpus, note.progress, show=SHOWN), text)
            self._on_counted()
        except FtuiError as error:
            note.fail(error)

    def view(self, plan: Plan, text: str) -> None:
        """Show the data on a screen of their own; what is counted there counts here too."""

        def then(tokens: Tokens | None) -> None:
            self._viewing = False
            if tokens is not None and text == self._text:
                self.note.show(tokens, text)
                self._on_counted()
            elif self._text:
                self.begin(self._text)

        self.stop()
        self._turn_to(text)
        self._viewing = True
        self._app.open_data(plan, text, self.note.tokens, then)
