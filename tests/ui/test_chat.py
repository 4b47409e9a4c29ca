"""The chat: one question, two answers as they come, and a server that never outlives it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from ftui import paths
from ftui.errors import FtuiError, RunFailed, TargetUnavailable
from ftui.runs import store
from ftui.runs.model import Run, RunRecord
from ftui.targets.endpoint import Endpoint, Phase, Stage
from ftui.targets.vllm.client import Chunk, ContextFull, Message, Timing
from ftui.tui.app import Chat, FtuiApp
from ftui.tui.screens.chat import ChatScreen
from ftui.tui.widgets.answers import figures
from ftui.tui.widgets.talk import Talk
from tests.ui.conftest import shows, until, words_of

NAME = "nano-sql-lora-1123-amber"
PRESET = """
title: A preset
for: tests
system_prompt: Answer in SQL.
try_asking:
  - How many rivers are there?
  - Which is the longest?
axolotl:
  base_model: acme/base
"""


@dataclass
class Models:
    """A server and its models, as scripted: what they say, what is held back, what was asked."""

    answers: dict[str, str] = field(
        default_factory=lambda: {"base": "rivers rivers", "tuned": "SELECT 1"}
    )
    endpoint: Endpoint = field(default=Endpoint("http://loopback", tuned="tuned"))
    failures: list[FtuiError] = field(default_factory=list)
    """Raised by the next starts of the server."""
    refusals: list[FtuiError] = field(default_factory=list)
    """Raised by the next answers."""
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    speaks: asyncio.Event = field(default_factory=asyncio.Event)
    """Until it is set, an answer stops after its first word."""
    ending: FtuiError | None = None
    """Raised by the end of the server."""
    running: int = 0
    streaming: int = 0
    asked: list[tuple[str, list[Message], float | None]] = field(default_factory=list)

    @asynccontextmanager
    async def serve(self, run: Run, on_phase: Callable[[Phase], None]) -> AsyncIterator[Endpoint]:
        self.running += 1
        try:
            on_phase(Phase(Stage.STARTING, 0))
            on_phase(Phase(Stage.LOADING, 7))
            if self.failures:
                raise self.failures.pop(0)
            await self.ready.wait()
            on_phase(Phase(Stage.READY, 9))
            yield self.endpoint
        finally:
            self.running -= 1
            if self.ending is not None:
                raise self.ending

    async def stream(
        self,
        endpoint: Endpoint,
        model: str,
        messages: Sequence[Message],
        *,
        temperature: float | None = None,
    ) -> AsyncGenerator[Chunk]:
        self.asked.append((model, list(messages), temperature))
        self.streaming += 1
        try:
            if self.refusals:
                raise self.refusals.pop(0)
            for number, word in enumerate(self.answers[model].split(" "), 1):
                if number == 2:
                    await self.speaks.wait()
                yield Chunk(f"{' ' if number > 1 else ''}{word}", tokens=number)
            yield Chunk("", tokens=number, finish_reason="stop")
        finally:
            self.streaming -= 1

    def questions(self, model: str) -> list[list[str]]:
        """What was sent to a model, each time: roles and words."""
        return [
            [f"{message['role']}: {message['content']}" for message in messages]
            for asked, messages, _ in self.asked
            if asked == model
        ]


class ChatStage(FtuiApp):
    """The app with one chat over scripted models."""

    def __init__(self, run: Run, models: Models) -> None:
        super().__init__(Chat(run))
        self.models = models

    def _chat(self, run: Run, serve: object = None) -> Screen[Any]:  # type: ignore[override]
        return ChatScreen(run, serve=self.models.serve, stream=self.models.stream)


@pytest.fixture
def run() -> Run:
    """A run of a preset with a system prompt and two suggestions."""
    preset = paths.user_presets_dir() / "small.yml"
    preset.parent.mkdir(parents=True)
    preset.write_text(PRESET)
    found = Run(paths.runs_dir() / NAME)
    found.folder.mkdir(parents=True)
    record = RunRecord(
        name=NAME,
        preset="small",
        title="",
        target="local",
        created=time.time(),
        settings={"base_model": "acme/base-135M"},
    )
    store.write_record(found, record)
    return found


@pytest.fixture
def models() -> Models:
    """Ready at once, with nothing held back."""
    scripted = Models()
    scripted.ready.set()
    scripted.speaks.set()
    return scripted


@asynccontextmanager
async def chat(
    run: Run, models: Models, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[Pilot[Any]]:
    """The chat, ready to be asked."""
    async with ChatStage(run, models).run_test(size=size) as pilot:
        await shows(pilot, "ask both …")
        yield pilot


async def ask(pilot: Pilot[Any], question: str) -> None:
    """Type a question and send it."""
    await pilot.press(*question, "enter")


async def answered(pilot: Pilot[Any], *texts: str) -> str:
    """Wait until all that is said has been said, and the screen shows it."""
    talk = pilot.app.screen.query_one(Talk)
    await until(pilot, lambda: not talk.is_answering)
    return await shows(pilot, *texts)


# ── The server's start ───────────────────────────────────────────────────────────────────────


async def test_the_start_says_what_is_waited_for_and_how_to_cancel(
    run: Run, models: Models, size: tuple[int, int]
) -> None:
    models.ready.clear()
    async with ChatStage(run, models).run_test(size=size) as pilot:
        text = await shows(pilot, "◌ Starting the model server", "● the model is loaded")
        assert "✓ vLLM starts   7 s" in text
        assert "esc cancels" in text
        assert "serve.log" in words_of(pilot.app, "#serving")
        models.ready.set()
        await shows(pilot, "ask both …")


async def test_esc_cancels_the_start_and_leaves(run: Run, models: Models) -> None:
    models.ready.clear()
    app = ChatStage(run, models)
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "● the model is loaded")
        await pilot.press("escape")
        await until(pilot, lambda: app._exit)
        assert models.running == 0


async def test_a_failed_start_says_why_and_can_be_tried_again(
    run: Run, models: Models, size: tuple[int, int]
) -> None:
    models.failures = [RunFailed("vLLM ended", why="the [b]rank[/b] is 10", hint="its log: s.log")]
    async with ChatStage(run, models).run_test(size=size) as pilot:
        text = await shows(pilot, "✗ vLLM ended", "the [b]rank[/b] is 10", "→ its log: s.log")
        assert "r tries again" in text
        assert models.running == 0
        await pilot.press("r")
        await shows(pilot, "ask both …")


# ── Asking ───────────────────────────────────────────────────────────────────────────────────


async def test_one_question_two_answers_side_by_side_or_one_behind_tab(
    run: Run, models: Models, size: tuple[int, int]
) -> None:
    async with chat(run, models, size) as pilot:
        await ask(pilot, "how many?")
        text = await shows(pilot, "› how many?", "SELECT 1", "2 tokens", "first ")
        assert "base  base-135M" in text
        assert f"tuned  {NAME}" in text
        if size[0] >= 100:
            text = await shows(pilot, "SELECT 1", "rivers rivers")
            row = next(line for line in text.splitlines() if "SELECT 1" in line)
            assert row.index("rivers rivers") < size[0] / 2 < row.index("SELECT 1") + 2
        else:
            assert "rivers rivers" not in text
            await pilot.press("tab")
            text = await shows(pilot, "rivers rivers", "▸ base")
            assert "SELECT 1" not in text
        sent = ["system: Answer in SQL.", "user: how many?"]
        assert models.questions("base") == models.questions("tuned") == [sent]


async def test_words_are_shown_as_they_come(run: Run, models: Models) -> None:
    models.speaks.clear()
    async with chat(run, models) as pilot:
        await ask(pilot, "go")
        text = await shows(pilot, "SELECT", "1 token")
        assert "SELECT 1" not in text
        models.speaks.set()
        await shows(pilot, "SELECT 1", "2 tokens")


async def test_a_server_that_does_not_end_is_told_before_the_screen_goes(
    run: Run, models: Models
) -> None:
    models.ending = TargetUnavailable("it has not ended, and may cost on", hint="see its log")
    app = ChatStage(run, models)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.screen.has_class("-ready"))
        await pilot.press("escape")
        await shows(pilot, "✗ it has not ended, and may cost on", "see its log", "esc leaves")
        await pilot.press("escape")
        await until(pilot, lambda: bool(app._exit))


async def test_esc_stops_the_answers_keeps_what_was_said_then_leaves(
    run: Run, models: Models
) -> None:
    models.speaks.clear()
    app = ChatStage(run, models)
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "ask both …")
        await ask(pilot, "go")
        await shows(pilot, "SELECT")
        await pilot.press("escape")
        await shows(pilot, "SELECT", "stopped")
        await until(pilot, lambda: models.streaming == 0)
        assert models.running == 1, "the server is still there to be asked"
        await pilot.press("escape")
        await until(pilot, lambda: app._exit)
        assert models.running == 0


async def test_what_a_model_says_is_only_text(run: Run, models: Models) -> None:
    models.answers["tuned"] = "[bold]x[/bold] \x1b[31mred\x1b[0m \x1b]0;title\x07[/] # no heading"
    async with chat(run, models) as pilot:
        await ask(pilot, "go")
        await shows(pilot, "[bold]x[/bold] red [/] # no heading")


async def test_suggestions_are_taken_by_number_or_up(run: Run, models: Models) -> None:
    async with chat(run, models) as pilot:
        await shows(pilot, "1  How many rivers are there?", "2  Which is the longest?")
        await pilot.press("2", "enter")
        text = await answered(pilot, "› Which is the longest?", "SELECT 1")
        assert "How many rivers" not in text
        await pilot.press("3", "enter")
        await answered(pilot, "› 3")
        await pilot.press("up", "up", "enter")
        await until(pilot, lambda: len(models.questions("tuned")) == 3)
        assert models.questions("tuned")[-1][-1] == "user: Which is the longest?"


async def test_a_question_may_have_several_lines_and_an_empty_one_is_not_sent(
    run: Run, models: Models
) -> None:
    async with chat(run, models) as pilot:
        await pilot.press("enter", "a", "ctrl+j", "b", "enter")
        await shows(pilot, "SELECT 1")
        assert [asked[-1] for asked in models.questions("tuned")] == ["user: a\nb"]


async def test_tab_shows_one_side_and_then_asks_only_that_one(run: Run, models: Models) -> None:
    async with chat(run, models) as pilot:
        await pilot.press("tab")
        await shows(pilot, "▸ tuned", "ask tuned …")
        await ask(pilot, "only you")
        assert "rivers rivers" not in await answered(pilot, "SELECT 1")
        assert models.questions("base") == []
        await pilot.press("tab", "tab")
        await shows(pilot, "ask both …", "base-135M")


async def test_again_asks_the_last_question_with_some_chance(run: Run, models: Models) -> None:
    async with chat(run, models) as pilot:
        await ask(pilot, "go")
        await answered(pilot, "SELECT 1")
        models.answers["tuned"] = "SELECT 2"
        await pilot.press("ctrl+r")
        await shows(pilot, "SELECT 2", without=("SELECT 1",))
        assert models.questions("tuned")[0] == models.questions("tuned")[1]
        assert [temperature for model, _, temperature in models.asked if model == "tuned"] == [
            0.0,
            None,
        ]


async def test_the_models_remember_until_they_are_told_not_to(run: Run, models: Models) -> None:
    async with chat(run, models) as pilot:
        await shows(pilot, "remembers what was said")
        await ask(pilot, "one")
        await answered(pilot, "SELECT 1")
        await ask(pilot, "two")
        await until(pilot, lambda: len(models.questions("tuned")) == 2)
        assert models.questions("tuned")[1] == [
            "system: Answer in SQL.",
            "user: one",
            "assistant: SELECT 1",
            "user: two",
        ]
        await answered(pilot)
        await pilot.press("f3")
        await shows(pilot, "each question stands alone")
        await ask(pilot, "three")
        await until(pilot, lambda: len(models.questions("tuned")) == 3)
        assert models.questions("tuned")[2] == ["system: Answer in SQL.", "user: three"]


async def test_the_system_prompt_can_be_changed(run: Run, models: Models) -> None:
    async with chat(run, models) as pilot:
        await shows(pilot, "Answer in SQL.")
        await pilot.press("f2", "end", *" Be kind.", "enter")
        await ask(pilot, "go")
        await until(pilot, lambda: bool(models.questions("tuned")))
        assert models.questions("tuned")[0][0] == "system: Answer in SQL. Be kind."


async def test_copy_takes_the_tuned_answer(run: Run, models: Models) -> None:
    async with chat(run, models) as pilot:
        await ask(pilot, "go")
        await shows(pilot, "SELECT 1")
        await pilot.press("f4")
        assert pilot.app.clipboard == "SELECT 1"


@pytest.mark.parametrize(
    ("arrivals", "words"),
    [
        ([], ""),
        ([(0.017, 1)], "1 token · first 17 ms"),
        ([(0.017, 1), (0.117, 16)], "16 tokens · 150/s · first 17 ms"),
        ([(2.0, 1), (4.0, 6)], "6 tokens · 2.5/s · first 2.0 s"),
        ([(0.145, 1), (0.14505, 4)], "4 tokens · first 145 ms"),
    ],
)
def test_the_figures_say_what_was_measured(arrivals: list[tuple[float, int]], words: str) -> None:
    timing = Timing(started=0.0)
    for when, tokens in arrivals:
        timing.add(Chunk("x", tokens=tokens), now=when)
    assert figures(timing) == words


# ── When something is wrong ──────────────────────────────────────────────────────────────────


async def test_an_answer_that_fails_says_why_and_the_next_one_works(
    run: Run, models: Models
) -> None:
    async with chat(run, models) as pilot:
        models.refusals = [RunFailed("the answer broke off", hint="ask again") for _ in range(2)]
        await ask(pilot, "go")
        await answered(pilot, "✗ the answer broke off", "→ ask again")
        await ask(pilot, "go on")
        await shows(pilot, "SELECT 1")
        assert models.questions("tuned")[-1][1:] == ["user: go on"], "no empty answer is sent"


async def test_a_full_context_forgets_the_oldest_turns_first(run: Run, models: Models) -> None:
    async with chat(run, models) as pilot:
        await pilot.press("tab")
        await ask(pilot, "one")
        await answered(pilot, "SELECT 1")
        models.refusals = [ContextFull("too long")]
        await ask(pilot, "two")
        await until(pilot, lambda: len(models.questions("tuned")) == 3)
        assert models.questions("tuned")[-1] == ["system: Answer in SQL.", "user: two"]
        await answered(pilot)
        models.refusals = [ContextFull("too long"), ContextFull("too long")]
        await ask(pilot, "three")
        await shows(pilot, "✗ too long")


async def test_a_model_served_alone_has_the_screen_alone(run: Run, models: Models) -> None:
    models.endpoint = Endpoint("http://loopback", base=None, tuned="tuned")
    async with ChatStage(run, models).run_test(size=(120, 40)) as pilot:
        text = await shows(pilot, "ask tuned …")
        assert "base-135M" not in text
        await pilot.press("tab")
        await ask(pilot, "go")
        await shows(pilot, "SELECT 1")


async def test_a_preset_that_is_gone_is_no_problem(run: Run, models: Models) -> None:
    (paths.user_presets_dir() / "small.yml").unlink()
    async with chat(run, models) as pilot:
        await ask(pilot, "go")
        await shows(pilot, "SELECT 1")
        assert models.questions("tuned") == [["user: go"]]


async def test_quitting_in_the_middle_of_an_answer_leaves_no_server(
    run: Run, models: Models
) -> None:
    models.speaks.clear()
    async with chat(run, models) as pilot:
        await ask(pilot, "go")
        await shows(pilot, "SELECT")
        await pilot.press("ctrl+q")
    for _ in range(1000):
        if not models.running and not models.streaming:
            break
        await asyncio.sleep(0)
    assert (models.running, models.streaming) == (0, 0)
