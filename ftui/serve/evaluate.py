"""Asks base and tuned the same held-out questions and judges the answers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ftui import demo, paths
from ftui.errors import DatasetError, FtuiError, PresetError, RunFailed
from ftui.plan.plan import Evaluation
from ftui.runs.model import Run
from ftui.targets.endpoint import Endpoint
from ftui.targets.vllm import client

Judge = Callable[[str, str, str], tuple[bool, str]]
"""judge(system message, expected answer, answer) -> (whether it is right, why not)."""

_AT_ONCE = 8
"""Questions in flight, each asked of both models."""
_MAX_TOKENS = 160
"""A model that was not tuned may never stop by itself."""
_ERROR_SHARE = 0.1
"""With more failed requests than this the score would say nothing."""
_EXAMPLES = 5


@dataclass(frozen=True)
class Question:
    """One held-out row: what is asked, and the answer that counts as right."""

    messages: tuple[Mapping[str, str], ...]
    expected: str

    @property
    def system(self) -> str:
        """The system message; for `sql` it holds the tables."""
        return next((each["content"] for each in self.messages if each["role"] == "system"), "")

    @property
    def text(self) -> str:
        """What the person says last."""
        return self.messages[-1]["content"]


@dataclass(frozen=True)
class Answer:
    """What a model said, and whether that is right. A failed request is an error, never right."""

    text: str = ""
    correct: bool = False
    why: str = ""
    error: bool = False


@dataclass(frozen=True)
class Example:
    """One question and what came of it; without a base model its answer is empty."""

    question: str
    expected: str
    base_answer: str
    base_correct: bool
    base_why: str
    tuned_answer: str
    tuned_correct: bool
    tuned_why: str


@dataclass(frozen=True)
class Score:
    """How many of `total` held-out questions each model answers right."""

    total: int
    base_correct: int | None
    """None where no base model is served: a full fine-tune is served alone."""
    tuned_correct: int
    errors: int
    """Requests that failed; they count as not right."""
    seconds: float
    examples: tuple[Example, ...]
    """A few questions, in the dataset's order."""

    @property
    def base_share(self) -> float:
        """The base model's share of right answers, 0 to 1."""
        return (self.base_correct or 0) / self.total

    @property
    def tuned_share(self) -> float:
        """The tuned model's share of right answers, 0 to 1."""
        return self.tuned_correct / self.total

    def to_json(self) -> dict[str, Any]:
        """The score as plain data; evaluation.json and `ftui eval --json` hold it."""
        return asdict(self)


async def evaluate(
    endpoint: Endpoint,
    evaluation: Evaluation,
    on_progress: Callable[[int, int], None],
    *,
    limit: int | None = None,
) -> Score:
    """Ask every held-out question, or the first `limit`, of each served model at temperature 0.

    `on_progress(done, total)` after each question. Raises DatasetError, PresetError (an unknown
    metric), and RunFailed when too many requests fail.
    """
    judge = judge_named(evaluation.metric)
    questions = read_questions(evaluation.dataset)[:limit]
    started = time.monotonic()
    answers: dict[int, dict[str, Answer]] = {}
    remaining = iter(enumerate(questions))

    async def work() -> None:
        for number, question in remaining:
            answers[number] = await _ask_all(endpoint, question, judge)
            _refuse_errors(endpoint, answers, len(questions))
            on_progress(len(answers), len(questions))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(work())
    except* FtuiError as failed:
        raise failed.exceptions[0] from None
    return _score(endpoint, questions, answers, time.monotonic() - started)


def judge_named(metric: str) -> Judge:
    """The judge of a preset's metric. Raises PresetError for an unknown one."""
    if metric != "sql":
        raise PresetError(f"there is no metric named {metric}", hint="the metrics are: sql")
    from ftui.demo.sqlcheck import same_rows

    def judge(schema: str, expected: str, answer: str) -> tuple[bool, str]:
        verdict = same_rows(schema, expected, answer)
        return verdict.correct, verdict.why

    return judge


def read_questions(dataset: str) -> list[Question]:
    """The held-out rows behind a `builtin:` reference or a path. Raises DatasetError."""
    path = demo.resolve(dataset) if dataset.startswith("builtin:") else Path(dataset).expanduser()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            "the held-out questions cannot be read", where=str(path), why=str(error)
        ) from error
    rows = [_question(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line]
    if not rows:
        raise DatasetError("there are no held-out questions", where=str(path))
    return rows


def save(score: Score, run: Run) -> None:
    """Keep the score in the run's folder, whole or not at all."""
    text = json.dumps(score.to_json(), indent=2, ensure_ascii=False)
    paths.write_atomic(run.folder / "evaluation.json", text + "\n")


def _question(line: str, where: str) -> Question:
    try:
        *messages, last = json.loads(line)["messages"]
        if last["role"] != "assistant" or messages[-1]["role"] != "user":
            raise ValueError("it does not end with a user and an assistant turn")
        return Question(tuple(messages), str(last["content"]))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise DatasetError(
            "this row is no question with an answer",
            where=where,
            why=str(error),
            hint='a row is {"messages": [… user …, … assistant …]}',
        ) from error


async def _ask_all(endpoint: Endpoint, question: Question, judge: Judge) -> dict[str, Answer]:
    """Each model's answer to one question, asked at the same time."""
    asked = (_ask(endpoint, model, question, judge) for model in endpoint.models)
    return dict(zip(endpoint.models, await asyncio.gather(*asked), strict=True))


async def _ask(endpoint: Endpoint, model: str, question: Question, judge: Judge) -> Answer:
    try:
        text = await client.answer(
            endpoint, model, question.messages, max_tokens=_MAX_TOKENS, temperature=0.0
        )
    except FtuiError as error:
        return Answer(why=str(error), error=True)
    correct, why = await asyncio.to_thread(judge, question.system, question.expected, text)
    return Answer(text, correct, why)


def _refuse_errors(endpoint: Endpoint, answers: dict[int, dict[str, Answer]], total: int) -> None:
    failed = [answer for pair in answers.values() for answer in pair.values() if answer.error]
    if len(failed) > _ERROR_SHARE * total * len(endpoint.models):
        raise RunFailed(
            f"the evaluation was given up after {len(failed)} failed requests",
            why=failed[-1].why,
            hint=f"the server's log: {endpoint.log_file}" if endpoint.log_file else "",
        )


def _score(
    endpoint: Endpoint,
    questions: list[Question],
    answers: dict[int, dict[str, Answer]],
    seconds: float,
) -> Score:
    none = Answer()
    pairs = [
        (answers[n].get(endpoint.base or "", none), answers[n].get(endpoint.tuned or "", none))
        for n in range(len(questions))
    ]
    return Score(
        total=len(questions),
        base_correct=sum(base.correct for base, _ in pairs) if endpoint.base else None,
        tuned_correct=sum(tuned.correct for _, tuned in pairs),
        errors=sum(answer.error for pair in pairs for answer in pair),
        seconds=round(seconds, 1),
        examples=tuple(
            Example(
                question=question.text,
                expected=question.expected,
                base_answer=base.text,
                base_correct=base.correct,
                base_why=base.why,
                tuned_answer=tuned.text,
                tuned_correct=tuned.correct,
                tuned_why=tuned.why,
            )
            for question, (base, tuned) in list(zip(questions, pairs, strict=True))[:_EXAMPLES]
        ),
    )
