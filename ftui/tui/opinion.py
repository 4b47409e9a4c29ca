"""What is known against a config: ftui's own opinion at once, axolotl's when it comes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ftui.config.verdict import merge
from ftui.errors import FtuiError, RuntimeMissing
from ftui.tui import theme
from ftui.tui.background import in_background
from ftui.tui.checker import Checker
from ftui.tui.services import Services
from ftui.tui.widgets.verdict import error_count

if TYPE_CHECKING:
    from ftui.config.issue import Issue
    from ftui.plan.hardware import Gpu


class Opinion:
    """The issues of one text, which is another one after each edit."""

    def __init__(self, services: Services, checker: Checker) -> None:
        self._services = services
        self._checker = checker
        self.gpus: Sequence[Gpu] | None = ()
        """What the config is judged for."""
        self.issues: Sequence[Issue] = ()
        """Of the text that was linted last."""
        self._linted = ""
        self._since: float | None = None
        self._axolotl_word = ""

    @property
    def forming(self) -> bool:
        """Whether there may be more to come."""
        return self._since is not None

    def begin(self) -> None:
        """A text is about to be judged."""
        self._since, self._linted = time.monotonic(), ""

    async def lint(self, text: str) -> None:
        """Find out what ftui has against the text."""
        self.begin()
        self.issues = await self._issues_of(text)
        self._linted = text

    async def ask(self, text: str) -> None:
        """Find out what axolotl has against a text that was linted."""
        try:
            theirs = await self._checker.check(text, self.gpus)
            self.issues = merge(self.issues, theirs)
            self._axolotl_word = "axolotl has something to say" if theirs else "axolotl agrees"
        except RuntimeMissing:
            self._axolotl_word = "axolotl's own check comes after the set-up"
        except FtuiError as error:
            self._axolotl_word = f"axolotl could not be asked: {error.what}"
        finally:
            self._since = None

    async def errors(self, text: str) -> int:
        """How many errors are known in the text; one that was never linted is linted now."""
        known = text == self._linted
        return error_count(self.issues if known else await self._issues_of(text))

    def words(self, then: str = "") -> str:
        """What axolotl says, or for how long it has been waited for, and what comes `then`."""
        if self._since is None:
            return self._axolotl_word
        seconds = int(time.monotonic() - self._since)
        return f"{theme.WAITING} checking with axolotl … {seconds} s{then}"

    async def _issues_of(self, text: str) -> list[Issue]:
        return await in_background(lambda: self._services.lint(text, self.gpus))
