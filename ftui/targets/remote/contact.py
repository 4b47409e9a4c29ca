"""Whether the other side answers: said once when it is silent, and once when it is back."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ftui.errors import FtuiError
from ftui.runs import events
from ftui.runs.history import Silence
from ftui.runs.model import Run
from ftui.runs.tail import read_history
from ftui.text import duration

SILENT_SECONDS = 20.0
"""So long one question may go without an answer, or be asked in vain, before that is said."""
_T = TypeVar("_T")


class Contact:
    """Passes on answers to a follower's questions, and tells its run when none comes.

    What is told stands in the log and in the events `silent` and `heard`. A pause in which nobody
    asks anything is no silence.
    """

    def __init__(
        self,
        run: Run,
        whom: str,
        passing: type[FtuiError],
        *,
        note: Callable[[str], None],
        keep: Callable[[], None],
    ) -> None:
        """`whom`: for people, `the dstack server`; `passing`: the error of who gets no answer.

        `note` writes a line of the log; `keep` is called when there is an event more.
        """
        self._run, self._whom, self._passing = run, whom, passing
        self._note, self._keep = note, keep
        self._asked_at: float | None = None
        """When the first question was asked that nobody has answered yet."""
        self._why = ""
        known = read_history(run).silence  # told by a follower that was killed since
        self._since = known.since if known is not None else 0.0

    async def heard(self, question: Awaitable[_T]) -> _T:
        """The answer. Raises what the question raises; OSError."""
        now = time.monotonic()
        self._asked_at = now if self._asked_at is None else self._asked_at
        left = self._asked_at + SILENT_SECONDS - now
        timer = asyncio.get_running_loop().call_later(max(left, 0.0), self._late)
        try:
            answer = await question
        except FtuiError as error:
            if isinstance(error, self._passing):
                self._why = str(error)
                self._look()
            else:  # a refusal is an answer
                self._answered()
            raise
        finally:
            timer.cancel()
        self._answered()
        return answer

    def _late(self) -> None:
        with contextlib.suppress(OSError):  # the disk is full: the next failure says so
            self._look()

    def _look(self) -> None:
        """Say that nothing is heard, once it has lasted. Raises OSError."""
        if self._since or self._asked_at is None:
            return
        lasted = time.monotonic() - self._asked_at
        if lasted < SILENT_SECONDS:
            return
        self._since = round(time.time() - lasted, 3)
        words = Silence(self._whom, self._since).words
        why = f" ({self._why})" if self._why else ""
        self._note(f"{words}; the run goes on, this asks again{why}")
        events.append(self._run.events_file, "silent", whom=self._whom, since=self._since)
        self._keep()

    def _answered(self) -> None:
        self._asked_at, self._why = None, ""
        if not self._since:
            return
        lasted = duration(max(time.time() - self._since, 0.0))
        self._since = 0.0
        self._note(f"{self._whom} answers again, after {lasted}")
        events.append(self._run.events_file, "heard", whom=self._whom)
        self._keep()
