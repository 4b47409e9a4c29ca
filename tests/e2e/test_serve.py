"""The real vLLM: base and tuned answer from one server.

A start takes 25 to 80 s on two cores, so these tests share one server; tests/e2e/test_serve_ends.py
is about how servers end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import httpx2
import pytest
import pytest_asyncio

from ftui.errors import TargetUnavailable, UsageError
from ftui.plan.plan import Evaluation
from ftui.runs.model import Run
from ftui.serve.evaluate import evaluate
from ftui.serve.server import serve_run
from ftui.targets.endpoint import Endpoint, Phase, Stage
from ftui.targets.vllm import client
from tests.standins.adapter import make_run
from tests.standins.servers import members_on_record, record_files, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

START_SECONDS = 480.0
"""Far more than a start takes, so that a busy machine fails no test."""
QUESTION = [
    {"role": "system", "content": "CREATE TABLE rivers (name TEXT, length INTEGER)"},
    {"role": "user", "content": "How many rivers are there?"},
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run in a home of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FTUI_HOME", str(tmp_path_factory.mktemp("serve") / "ftui"))
        yield make_run()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def endpoint(run: Run) -> AsyncIterator[Endpoint]:
    """Both models, served; when it is left, nothing of it runs."""
    phases: list[Phase] = []
    async with serve_run(run, phases.append, limit_seconds=START_SECONDS) as ready:
        reached = [phase.stage for phase in phases]
        assert reached == [Stage.STARTING, Stage.LOADING, Stage.CHECKING, Stage.READY]
        members = members_on_record()
        assert len(members) >= 3, "the API, the engine and its worker"
        yield ready
    assert not running(members)
    assert not record_files()


async def test_base_and_tuned_answer_from_one_server(endpoint: Endpoint) -> None:
    said = {}
    for model in endpoint.models:
        timing = client.Timing.start()
        chunks = []
        async for chunk in client.stream(endpoint, model, QUESTION, max_tokens=24, temperature=0.0):
            timing.add(chunk)
            chunks.append(chunk)
        said[model] = "".join(chunk.text for chunk in chunks)
        assert 0 < chunks[-1].tokens <= 24
        assert chunks[-1].prompt_tokens > 5
        assert any(chunk.finish_reason in ("stop", "length") for chunk in chunks)
        assert timing.first_seconds is not None
        assert said[model] == await client.answer(
            endpoint, model, QUESTION, max_tokens=24, temperature=0.0
        )
    assert said["base"] != said["tuned"]


async def test_what_the_server_refuses_is_told_in_words(endpoint: Endpoint) -> None:
    with pytest.raises(UsageError, match="nobody"):
        await client.answer(endpoint, "nobody", QUESTION)
    with pytest.raises(client.ContextFull, match="context length"):
        await client.answer(endpoint, "base", [{"role": "user", "content": "rivers " * 5000}])
    stranger = Endpoint(endpoint.base_url, tuned="tuned", api_key="another")
    with pytest.raises(TargetUnavailable):
        await client.answer(stranger, "base", QUESTION)


async def test_closing_a_stream_ends_the_generation(endpoint: Endpoint) -> None:
    request = client.stream(endpoint, "base", QUESTION, temperature=1.5)
    async with aclosing(request) as chunks:
        async for chunk in chunks:
            if chunk.tokens:
                break
    async with asyncio.timeout(20):
        while await requests_running(endpoint):
            await asyncio.sleep(0.1)


async def test_both_models_are_evaluated(endpoint: Endpoint) -> None:
    seen: list[int] = []
    held_out = Evaluation("builtin:nl2sql/heldout.jsonl", "sql")
    score = await evaluate(endpoint, held_out, lambda done, _: seen.append(done), limit=16)
    assert (score.total, score.errors, seen) == (16, 0, list(range(1, 17)))
    assert score.base_correct is not None
    assert score.base_correct <= 16
    assert all(example.tuned_why and example.base_why for example in score.examples)


async def requests_running(endpoint: Endpoint) -> float:
    async with httpx2.AsyncClient(trust_env=False) as http:
        lines = (await http.get(f"{endpoint.base_url}/metrics")).text.splitlines()
    return sum(
        float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("vllm:num_requests_running")
    )
