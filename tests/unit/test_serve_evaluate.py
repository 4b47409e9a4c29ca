"""The evaluation: both models are asked every held-out question, and only right rows count."""

import json
from pathlib import Path

import pytest

from ftui.errors import DatasetError, PresetError, RunFailed
from ftui.plan.plan import Evaluation
from ftui.runs.model import Run
from ftui.serve import evaluate
from ftui.serve.evaluate import Score
from ftui.targets.endpoint import Endpoint
from tests.standins.openai_server import OpenAIServer, Reply, Request

SCHEMA = "CREATE TABLE rivers (name TEXT, length INTEGER)"
SQL = {
    "How many rivers are there?": "SELECT COUNT(*) FROM rivers",
    "How long is the longest river?": "SELECT MAX(length) FROM rivers",
    "List the rivers longer than 40.": "SELECT name FROM rivers WHERE length > 40",
    "List all rivers.": "SELECT name FROM rivers",
}


def row(question: str, sql: str) -> str:
    turns = (("system", SCHEMA), ("user", question), ("assistant", sql))
    return json.dumps({"messages": [{"role": role, "content": text} for role, text in turns]})


@pytest.fixture
def heldout(tmp_path: Path) -> Evaluation:
    """Four questions about rivers."""
    file = tmp_path / "heldout.jsonl"
    file.write_text("".join(row(*pair) + "\n" for pair in SQL.items()))
    return Evaluation(str(file), "sql")


def rivers(request: Request) -> Reply:
    """`tuned` knows all but one answer, written in its own way; `base` rambles."""
    asked = request["messages"][-1]["content"]
    if request["model"] == "base":
        return Reply(["rivers rivers"])
    if asked.startswith("How long"):
        return Reply(["SELECT MIN(length) FROM rivers"])
    return Reply([SQL[asked].lower()])


def endpoint_of(server: OpenAIServer, base: str | None = "base") -> Endpoint:
    return Endpoint(server.url, base=base, tuned="tuned")


async def score_of(endpoint: Endpoint, evaluation: Evaluation, limit: int | None = None) -> Score:
    return await evaluate.evaluate(endpoint, evaluation, lambda done, total: None, limit=limit)


async def test_right_rows_count_however_they_are_asked_for(heldout: Evaluation) -> None:
    progress: list[tuple[int, int]] = []
    with OpenAIServer(rivers) as server:
        score = await evaluate.evaluate(
            endpoint_of(server), heldout, lambda done, total: progress.append((done, total))
        )
    assert (score.total, score.base_correct, score.tuned_correct, score.errors) == (4, 0, 3, 0)
    assert (score.base_share, score.tuned_share) == (0.0, 0.75)
    assert progress == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert len(server.requests) == 8


async def test_the_models_see_the_question_but_not_its_answer(heldout: Evaluation) -> None:
    with OpenAIServer(rivers) as server:
        await score_of(endpoint_of(server), heldout, limit=1)
    for request in server.requests:
        assert [message["role"] for message in request["messages"]] == ["system", "user"]
        assert request["temperature"] == 0
        assert request["max_tokens"] > 0


async def test_a_few_examples_tell_both_answers_and_why(heldout: Evaluation) -> None:
    with OpenAIServer(rivers) as server:
        score = await score_of(endpoint_of(server), heldout)
    assert [example.question for example in score.examples] == list(SQL)
    longest = score.examples[1]
    assert longest.expected == "SELECT MAX(length) FROM rivers"
    assert longest.tuned_answer == "SELECT MIN(length) FROM rivers"
    assert not longest.tuned_correct
    assert "rows" in longest.tuned_why
    assert longest.base_answer == "rivers rivers"
    assert "SELECT" in longest.base_why


async def test_a_limit_asks_the_first_questions_only(heldout: Evaluation) -> None:
    with OpenAIServer(rivers) as server:
        score = await score_of(endpoint_of(server), heldout, limit=1)
    assert (score.total, score.tuned_correct, len(server.requests)) == (1, 1, 2)


async def test_a_full_fine_tune_has_no_base_score(heldout: Evaluation) -> None:
    with OpenAIServer(rivers) as server:
        score = await score_of(endpoint_of(server, base=None), heldout)
    assert score.base_correct is None
    assert score.tuned_correct == 3
    assert len(server.requests) == 4


async def test_a_failed_request_is_never_a_right_answer(tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"
    file.write_text(
        "".join(row(f"{number} rivers?", SQL["List all rivers."]) + "\n" for number in range(20))
    )

    def once_broken(request: Request) -> Reply:
        if request["model"] == "base" and request["messages"][-1]["content"] == "7 rivers?":
            return Reply(status=500, body='{"error": "out of luck"}')
        return Reply([SQL["List all rivers."]])

    with OpenAIServer(once_broken) as server:
        score = await score_of(endpoint_of(server), Evaluation(str(file), "sql"))
    assert (score.base_correct, score.tuned_correct, score.errors) == (19, 20, 1)


async def test_too_many_failed_requests_are_no_score(heldout: Evaluation) -> None:
    with (
        OpenAIServer(lambda _: Reply(status=500, body='{"error": "out of luck"}')) as server,
        pytest.raises(RunFailed, match="out of luck"),
    ):
        await score_of(endpoint_of(server), heldout)


def test_the_built_in_questions_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path))
    questions = evaluate.read_questions("builtin:nl2sql/heldout.jsonl")
    assert len(questions) >= 200
    assert all(each.system.startswith("CREATE TABLE") for each in questions)
    assert all(each.expected.startswith("SELECT") for each in questions)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "x.jsonl"),
        ("not json\n", "x.jsonl:1"),
        (row("a?", "b") + '\n\n{"text": "no messages"}\n', "x.jsonl:3"),
        ('{"messages": []}\n', "x.jsonl:1"),
        ('{"messages": [{"role": "user", "content": "a?"}]}\n', "x.jsonl:1"),
    ],
)
def test_questions_that_cannot_be_read_are_told_with_their_line(
    tmp_path: Path, text: str, where: str
) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text(text)
    with pytest.raises(DatasetError) as caught:
        evaluate.read_questions(str(file))
    assert caught.value.where.endswith(where)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        evaluate.read_questions(str(tmp_path / "none.jsonl"))


def test_an_unknown_metric_is_told() -> None:
    with pytest.raises(PresetError, match="rouge"):
        evaluate.judge_named("rouge")


async def test_a_saved_score_is_plain_json(heldout: Evaluation, tmp_path: Path) -> None:
    with OpenAIServer(rivers) as server:
        score = await score_of(endpoint_of(server), heldout)
    run = Run(tmp_path / "run")
    evaluate.save(score, run)
    saved = json.loads((run.folder / "evaluation.json").read_text())
    assert saved == json.loads(json.dumps(score.to_json()))
    assert (saved["total"], saved["base_correct"], saved["tuned_correct"]) == (4, 0, 3)
