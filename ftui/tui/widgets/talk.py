"""The talk itself: two sides, one prompt, a system prompt, and the answers streaming in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Protocol

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static
from textual.worker import Worker

from ftui.errors import FtuiError
from ftui.plan.plan import Preset
from ftui.runs.model import RunRecord
from ftui.serve.conversation import Conversation
from ftui.targets.endpoint import Endpoint
from ftui.targets.vllm.client import Chunk, ContextFull, Message
from ftui.text import printable, shorten
from ftui.tui import theme
from ftui.tui.widgets.answers import Answer, Exchange
from ftui.tui.widgets.prompt import Prompt

DRAWS_PER_SECOND = 24
"""Answers come faster than an eye reads; they are drawn this often."""


class Stream(Protocol):
    """client.stream, or what a test puts in its place."""

    def __call__(
        self,
        endpoint: Endpoint,
        model: str,
        messages: Sequence[Message],
        *,
        temperature: float | None = None,
    ) -> AsyncGenerator[Chunk]:
        """The answer, piece by piece; closing it ends the generation."""
        ...


class Talk(Vertical):
    """Asks the models of an endpoint and shows what they say."""

    def __init__(self, record: RunRecord | None, preset: Preset | None, stream: Stream) -> None:
        super().__init__(id="talk")
        self._preset = preset
        self._stream = stream
        self._endpoint: Endpoint | None = None
        self._conversations: dict[str, Conversation] = {}
        base = str(record.settings.get("base_model", "")) if record else ""
        self._titles = {
            "base": base.removeprefix("builtin:").rstrip("/").rpartition("/")[2],
            "tuned": record.name if record else "",
        }
        self._only = ""
        """The one model that is shown, or nothing for both."""
        # A preset that is judged question by question was trained on single questions.
        self.remembers = preset is None or preset.evaluation is None

    # ── What is on it ────────────────────────────────────────────────────────────────────────

    def compose(self) -> ComposeResult:
        """Who answers, what was said, the prompt."""
        with Horizontal(id="names"):
            for model in self._titles:
                yield Static("", id=f"{model}-name", classes=f"side {model}", markup=False)
        yield VerticalScroll(id="said", can_focus=False)
        yield Static("", id="suggestions", markup=False)
        with Horizontal(classes="line", id="system-line"):
            yield Static("system", classes="label", markup=False)
            yield Prompt(
                self._preset.system_prompt if self._preset else "",
                placeholder="none · f2 writes one",
                id="system",
            )
        with Horizontal(classes="line"):
            yield Static(">", classes="label", markup=False)
            yield Prompt(id="prompt")

    def on_mount(self) -> None:
        """Show what could be asked, and draw answers as they come."""
        self._suggest(self._preset.try_asking if self._preset else ())
        self.set_interval(1 / DRAWS_PER_SECOND, self._draw)

    def on_resize(self) -> None:
        """Narrow terminals show one side."""
        self._arrange()

    @property
    def prompt(self) -> Prompt:
        """Where questions are typed."""
        return self.query_one("#prompt", Prompt)

    def _suggest(self, questions: Sequence[str]) -> None:
        self.prompt.suggestions = questions
        lines = [Content.styled("Try asking (a number or ↑ takes one)", "$secondary")]
        lines += [
            Content.assemble((f"{number}  ", "$accent"), shorten(question, 200))
            for number, question in enumerate(questions, 1)
        ]
        suggestions = self.query_one("#suggestions", Static)
        suggestions.update(Content("\n").join(lines))
        suggestions.display = bool(questions)

    def _draw(self) -> None:
        said = self.query_one("#said", VerticalScroll)
        follows = said.is_vertical_scroll_end
        drawn = [answer.draw() for answer in self._last_answers()]
        if follows and any(drawn):
            said.scroll_end(animate=False)

    def _last_answers(self) -> list[Answer]:
        exchanges = self.query(Exchange)
        return exchanges.last().answers if exchanges else []

    def _arrange(self) -> None:
        """Show the sides that are chosen and served."""
        served = self._endpoint.models if self._endpoint else ()
        shown = self._shown(served)
        names = {model: self._side_name(model, shown, served) for model in self._titles}
        # Where one side is seen at a time, its line names the other one too.
        row = Content("    ").join(names[model] for model in served)
        for model, name in names.items():
            self.set_class(model not in shown, f"-without-{model}")
            words = row if self.screen.has_class("-narrow") else name
            self.query_one(f"#{model}-name", Static).update(words)
        asked = self._asked(served)
        self.prompt.placeholder = "ask both …" if len(asked) > 1 else f"ask {' '.join(asked)} …"

    def _side_name(self, model: str, shown: Sequence[str], served: Sequence[str]) -> Content:
        here = model in shown
        mark = f"{theme.HERE} " if here and len(shown) < len(served) else ""
        return Content.assemble(
            (mark + model, "bold $accent" if here else "$secondary"),
            "  ",
            (printable(self._titles[model]), "$secondary"),
        )

    def _shown(self, served: Sequence[str]) -> Sequence[str]:
        if self._only in served:
            return (self._only,)
        return served[-1:] if self.screen.has_class("-narrow") else served

    def _asked(self, served: Sequence[str]) -> Sequence[str]:
        """Where there is no room for two sides, both are asked and one is looked at."""
        return served if self.screen.has_class("-narrow") else self._shown(served)

    # ── What can be done ─────────────────────────────────────────────────────────────────────

    def open(self, endpoint: Endpoint) -> None:
        """Talk with these models; what was said before stays."""
        self._endpoint = endpoint
        self._arrange()
        self.prompt.focus()

    def close(self) -> None:
        """Nobody to talk with any more."""
        self.stop()
        self._endpoint = None

    @property
    def is_answering(self) -> bool:
        """Whether an answer is still coming."""
        return any(not worker.is_finished for worker in self._workers())

    def stop(self) -> None:
        """End the answers that are coming; what was said stays."""
        for worker in self._workers():
            worker.cancel()

    def turn(self) -> None:
        """Both sides, one of them, the other."""
        served = self._endpoint.models if self._endpoint else ()
        if len(served) < 2:
            return
        base, tuned = served
        if self.screen.has_class("-narrow"):
            self._only = base if self._shown(served) == (tuned,) else tuned
        else:
            self._only = {"": tuned, tuned: base}.get(self._only, "")
        self._arrange()

    def again(self) -> None:
        """Ask the last question once more, with some chance in the answer."""
        if self._endpoint is None or self.is_answering:
            return
        for answer in self._last_answers():
            if answer.asked:
                answer.begin()
                self._conversations[answer.model] = self._conversations[answer.model].again()
                self._start(answer, temperature=None)

    def last_answer(self) -> str:
        """The newest answer on screen; the tuned model's where both are."""
        said = [answer.text for answer in self._last_answers() if answer.display and answer.text]
        return said[-1] if said else ""

    def edit_system(self) -> None:
        """Go to the system prompt, or back."""
        system = self.query_one("#system", Prompt)
        (self.prompt if system.has_focus else system).focus()

    @on(Prompt.Submitted, "#system")
    def _system_written(self, event: Prompt.Submitted) -> None:
        event.stop()
        self.prompt.focus()

    @on(Prompt.Submitted, "#prompt")
    async def _asked_something(self, event: Prompt.Submitted) -> None:
        event.stop()
        question = event.text.strip()
        if not question or self._endpoint is None or self.is_answering:
            return
        self.prompt.remember(question)
        self.prompt.fill("")
        self.query_one("#suggestions").display = False
        system = self.query_one("#system", Prompt).text.strip()
        exchange = Exchange(question, tuple(self._titles), self._asked(self._endpoint.models))
        said = self.query_one("#said", VerticalScroll)
        await said.mount(exchange)
        said.scroll_end(animate=False)
        for answer in exchange.answers:
            if answer.asked:
                before = self._conversations.get(answer.model, Conversation())
                turns = before.turns if self.remembers else ()
                self._conversations[answer.model] = Conversation(system, turns).ask(question)
                # The most likely answer: what the training changed is seen, not chance.
                self._start(answer, temperature=0.0)

    # ── Answers ──────────────────────────────────────────────────────────────────────────────

    def _workers(self) -> list[Worker[None]]:
        return [
            worker for worker in self.workers if worker.group == "answers" and worker.node is self
        ]

    def _start(self, answer: Answer, *, temperature: float | None) -> None:
        assert self._endpoint is not None
        self.run_worker(self._answer(self._endpoint, answer, temperature), group="answers")

    async def _answer(self, endpoint: Endpoint, answer: Answer, temperature: float | None) -> None:
        """Stream one answer into its answer. Being cancelled keeps what was said so far."""
        try:
            answer.end(await self._streamed(endpoint, answer, temperature))
        except FtuiError as error:
            answer.fail(error)
        except asyncio.CancelledError:
            answer.end("stopped")
            raise
        finally:
            self._conversations[answer.model] = self._conversations[answer.model].answered(
                answer.text
            )

    async def _streamed(self, endpoint: Endpoint, answer: Answer, temperature: float | None) -> str:
        """As `_stream_into`, without the oldest turns if there is no room for all."""
        while True:
            try:
                return await self._stream_into(endpoint, answer, temperature)
            except ContextFull:
                conversation = self._conversations[answer.model]
                if not conversation.can_trim:
                    raise
                self._conversations[answer.model] = conversation.trimmed()

    async def _stream_into(
        self, endpoint: Endpoint, answer: Answer, temperature: float | None
    ) -> str:
        """The word for how the answer ended: nothing when all was said."""
        reason = None
        messages = self._conversations[answer.model].messages()
        async with aclosing(
            self._stream(endpoint, answer.model, messages, temperature=temperature)
        ) as chunks:
            async for chunk in chunks:
                answer.take(chunk)
                reason = chunk.finish_reason or reason
        return "cut off, no room left" if reason == "length" else ""
