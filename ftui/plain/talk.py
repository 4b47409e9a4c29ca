"""Chat and evaluation in plain lines."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ftui.errors import ExitCode, UsageError
from ftui.plain import console
from ftui.runs.failure import doubt
from ftui.runs.model import Run
from ftui.serve.evaluate import Score
from ftui.serve.place import Where, last_words
from ftui.targets.endpoint import Endpoint, Phase

T = TypeVar("T")


def chat(run: Run, on: Where) -> int:
    """One question a line on stdin; the answers of base and tuned on stdout."""
    asyncio.run(_with_endpoint(run, on, lambda endpoint: _answer_lines(run, endpoint)))
    return ExitCode.OK


async def _answer_lines(run: Run, endpoint: Endpoint) -> None:
    from ftui.serve.conversation import Conversation
    from ftui.targets.vllm.client import answer

    system = _system_prompt(run)
    if sys.stdin.isatty():
        console.say("One question a line; ctrl+d ends.")
    while line := (await _next_line()):
        if not line.strip():
            continue
        for model in endpoint.models:
            conversation = Conversation(system).ask(line.strip())
            text = await answer(endpoint, model, conversation.messages())
            console.line(f"{model:<6} {text}")


async def _next_line() -> str:
    """A line of stdin, empty at its end. Nobody waits for who reads it, when ftui is to end."""
    loop = asyncio.get_running_loop()
    read: asyncio.Future[str] = loop.create_future()

    def tell(line: str) -> None:
        if not read.done():
            read.set_result(line)

    def wait() -> None:
        line = sys.stdin.readline()
        with contextlib.suppress(RuntimeError):  # ftui has ended meanwhile
            loop.call_soon_threadsafe(tell, line)

    threading.Thread(target=wait, daemon=True).start()
    return await read


def evaluate(run: Run, on: Where, *, limit: int | None, as_json: bool) -> int:
    """Ask the held-out questions of the run's preset and print the score."""
    score = measure(run, on, limit=limit)
    if as_json:
        console.document(score.to_json())
    else:
        show(score)
    return ExitCode.OK


def measure(run: Run, on: Where, *, limit: int | None = None) -> Score:
    """Serve base and tuned, ask both every held-out question, keep the score in the run folder."""
    from ftui.plan.presets import find
    from ftui.runs.store import read_record
    from ftui.serve import evaluate as judging

    evaluation = find(read_record(run).preset).evaluation
    if evaluation is None:
        raise UsageError(
            "this run's preset has no evaluation",
            where=run.name,
            hint=f"talk to it instead: ftui chat {run.name}",
        )
    step = 0

    def progress(done: int, total: int) -> None:
        nonlocal step
        if done * 4 // total > step:
            step = done * 4 // total
            console.say(f"● evaluating  {done}/{total} questions")

    async def ask(endpoint: Endpoint) -> Score:
        return await judging.evaluate(endpoint, evaluation, progress, limit=limit)

    score = asyncio.run(_with_endpoint(run, on, ask))
    judging.save(score, run)
    return score


def show(score: Score) -> None:
    """The score, and a few questions with both answers."""
    console.line("")
    for example in score.examples:
        console.line(f"  {example.question}")
        if score.base_correct is not None:
            console.line(f"    base   {_mark(example.base_correct)} {example.base_answer}")
        console.line(f"    tuned  {_mark(example.tuned_correct)} {example.tuned_answer}")
    console.line("")
    if score.base_correct is not None:
        console.line(_score_line("base", score.base_correct, score.total))
    console.line(_score_line("tuned", score.tuned_correct, score.total))
    if score.errors:
        console.say(f"▲ {score.errors} questions got no answer and count as wrong")


def _score_line(model: str, correct: int, total: int) -> str:
    return f"  {model:<6} {correct} of {total} right  {correct / total:.1%}"


def _mark(correct: bool) -> str:
    return "✓" if correct else "✗"


async def _with_endpoint(run: Run, on: Where, use: Callable[[Endpoint], Awaitable[T]]) -> T:
    def show_phase(phase: Phase) -> None:
        console.say(f"◌ vLLM: {phase.words}")

    doubtful = doubt(run)
    if doubtful:
        console.say(f"▲ {run.name}: {doubtful}")
    if on.rents:
        console.say(f"● {await asyncio.to_thread(on.terms, run)}")
    async with on.serve(run, show_phase) as endpoint:
        if endpoint.terms:
            console.say(f"● {endpoint.terms}")
        answered = await use(endpoint)
        if on.rents:
            console.say("◌ giving the machine back")
    if told := last_words(endpoint.log_file):
        console.say(f"✓ {told}")
    return answered


def _system_prompt(run: Run) -> str:
    from ftui.errors import PresetError
    from ftui.plan.presets import find
    from ftui.runs.store import read_record

    try:
        return find(read_record(run).preset).system_prompt
    except PresetError:
        return ""
