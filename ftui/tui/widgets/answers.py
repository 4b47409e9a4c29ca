"""What is said in a chat: each question, and under it the models' answers side by side.

What a model says is text and nothing else: control codes are taken out, markup is never read.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from ftui.errors import FtuiError
from ftui.targets.vllm.client import Chunk, Timing
from ftui.text import printable
from ftui.tui.widgets.lines import explain

MEASURABLE_SECONDS = 0.02
"""An answer that comes in one burst has no speed worth telling."""


class Answer(Vertical):
    """One model's answer so far, and how fast it came."""

    DEFAULT_CSS = "Answer { height: auto; }  Answer .figures { color: $secondary; }"

    def __init__(self, model: str, *, asked: bool) -> None:
        super().__init__(classes=f"side {model}")
        self.model = model
        self.asked = asked
        self.text = ""
        self._timing = Timing.start()
        self._stale = False
        self._said = Static(Content("…" if asked else ""))
        self._figures = Static("", classes="figures", markup=False)

    def compose(self) -> ComposeResult:
        """The words over the figures."""
        yield self._said
        yield self._figures

    def begin(self) -> None:
        """Wait for another answer in place of this one."""
        self.text = ""
        self._timing = Timing.start()
        self._said.update(Content("…"))
        self._figures.update("")

    def take(self, chunk: Chunk) -> None:
        """Take a piece in; `draw` shows it."""
        self._timing.add(chunk)
        self.text += chunk.text
        self._stale = True

    def draw(self) -> bool:
        """Show what came since the last time; False when that is nothing."""
        if not self._stale:
            return False
        self._stale = False
        self._said.update(Content(printable(self.text)))
        self._figures.update(Content(figures(self._timing)))
        return True

    def end(self, word: str = "") -> None:
        """No more comes: because of `word`, or because all was said."""
        self._stale = True
        self.draw()
        if not self.text.strip():
            self._said.update(Content.styled("(nothing)", "$secondary"))
        parts = [part for part in (figures(self._timing), word) if part]
        self._figures.update(Content(" · ".join(parts)))

    def fail(self, error: FtuiError) -> None:
        """Say why there is no answer, or no more of it."""
        self._stale = True
        self.draw()
        self._figures.update(explain(error))


class Exchange(Vertical):
    """A question and the answers to it."""

    DEFAULT_CSS = """
    Exchange { height: auto; margin-bottom: 1; }
    Exchange > Horizontal { height: auto; }
    Exchange .question { color: $secondary; }
    """

    def __init__(self, question: str, models: Sequence[str], asked: Sequence[str]) -> None:
        super().__init__()
        self._question = question
        self.answers = [Answer(model, asked=model in asked) for model in models]

    def compose(self) -> ComposeResult:
        """The question over its answers."""
        yield Static(Content(f"› {printable(self._question)}"), classes="question")
        with Horizontal():
            yield from self.answers


def figures(timing: Timing) -> str:
    """`14 tokens · 150/s · first 17 ms`, as far as it is known."""
    if timing.first_seconds is None:
        return ""
    parts = [f"{timing.tokens:,} token{'s' if timing.tokens != 1 else ''}"]
    speed = timing.tokens_per_second
    if speed is not None and timing.tokens / speed >= MEASURABLE_SECONDS:
        parts.append(f"{speed:.0f}/s" if speed >= 10 else f"{speed:.1f}/s")
    first = timing.first_seconds
    parts.append(f"first {first * 1000:.0f} ms" if first < 1 else f"first {first:.1f} s")
    return " · ".join(parts)
