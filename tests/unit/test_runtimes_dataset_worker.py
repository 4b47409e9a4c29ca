"""The talk with the script that counts a dataset; a small script stands in for the runtime."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from ftui.data.tokens import Failed
from ftui.errors import DatasetError, RuntimeMissing, TimedOut
from ftui.plan.hardware import Gpu
from ftui.runtimes.dataset_worker import DatasetWorker, explained
from tests.unit.test_data_tokens import ANSWER

CONFIG = "base_model: x\ndatasets:\n  - path: a.jsonl\n    type: alpaca\n"
Runtime = Callable[[str], Path]
ANSWERS = f"""
print(json.dumps({{"ready": "0.19.0"}}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    pathlib.Path(here, "request").write_text(line)
    for done in (0, 5):
        progress = {{"phase": "tokenizing", "done": done, "total": 10}}
        print(json.dumps({{"id": request["id"], "progress": progress}}), flush=True)
    answer = {{**json.loads({json.dumps(ANSWER)!r}), "id": request["id"]}}
    print(json.dumps(answer), flush=True)
"""


def _answering(answer: str) -> str:
    """A script that gives this answer to every request; it may name `request`."""
    return f"""
print(json.dumps({{"ready": "0.19.0"}}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps({{"id": request["id"], **{answer}}}), flush=True)
"""


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """Makes a train runtime whose Python runs the given code instead of our script."""

    def make(code: str) -> Path:
        path = tmp_path / "python"
        head = (
            f"#!{sys.executable}\nimport json, os, pathlib, sys, time\nhere = {str(tmp_path)!r}\n"
        )
        note = "pathlib.Path(here, 'pid').write_text(str(os.getpid()))\n"
        path.write_text(head + note + code)
        path.chmod(0o755)
        monkeypatch.setenv("FTUI_TRAIN_PYTHON", str(path))
        return tmp_path / "pid"

    return make


def _asked(pid: Path) -> dict[str, Any]:
    request = json.loads(pid.with_name("request").read_text())
    assert isinstance(request, dict)
    return request


async def test_it_asks_for_the_config_on_its_target(runtime: Runtime, tmp_path: Path) -> None:
    pid = runtime(ANSWERS)
    async with DatasetWorker() as worker:
        tokens = await worker.look(CONFIG, tmp_path, (Gpu("A10", 24, "sm_86"),) * 4, show=2)
        request = _asked(pid)
    assert tokens.rows.train == 6
    assert request["config"] == CONFIG
    assert (request["folder"], request["show"], request["world"]) == (str(tmp_path), 2, 4)
    assert request["capabilities"]["compute_capability"] == "sm_86"
    assert request["ignore"] == ["ftui_events.FtuiEvents"]


@pytest.mark.parametrize("gpus", [None, ()])
async def test_without_gpus_one_process_trains(
    runtime: Runtime, tmp_path: Path, gpus: tuple[Gpu, ...] | None
) -> None:
    pid = runtime(ANSWERS)
    async with DatasetWorker() as worker:
        await worker.look(CONFIG, tmp_path, gpus)
        assert _asked(pid)["world"] == 1


async def test_progress_is_heard(runtime: Runtime, tmp_path: Path) -> None:
    runtime(ANSWERS)
    heard: list[Any] = []
    async with DatasetWorker() as worker:
        await worker.look(CONFIG, tmp_path, (), on_progress=heard.append)
    assert [(one["phase"], one["done"], one["total"]) for one in heard] == [
        ("tokenizing", 0, 10),
        ("tokenizing", 5, 10),
    ]


async def test_data_that_cannot_be_counted_is_an_error_with_a_place(
    runtime: Runtime, tmp_path: Path
) -> None:
    failed = {"stage": "dataset", "message": "it holds no rows", "type": "E", "path": "a.jsonl"}
    runtime(_answering(json.dumps({"failed": failed})))
    async with DatasetWorker() as worker:
        with pytest.raises(DatasetError, match="it holds no rows") as caught:
            await worker.look(CONFIG, tmp_path, ())
        with pytest.raises(DatasetError):  # and the worker lives on
            await worker.look(CONFIG, tmp_path, ())
    assert caught.value.where == "a.jsonl"
    assert caught.value.hint


@pytest.mark.parametrize(
    "stage", ["config", "tokenizer", "dataset", "template", "streaming", "rl", "of the future"]
)
def test_every_stage_has_words_and_a_hint(stage: str) -> None:
    error = explained(Failed(stage, "why", "ValueError", "where"))
    assert error.what
    assert error.hint
    assert (error.where, error.why) == ("where", "why")


def test_what_axolotl_only_logged_is_told_where_it_points_there() -> None:
    failed = Failed("template", "It failed. See the warning logged above.", "E", log=("no such",))
    assert explained(failed).why.endswith("no such")


@pytest.mark.parametrize("answer", ['{"axolotl": "0.19.0"}', '{"failed": "no"}', '{"failed": {}}'])
async def test_an_answer_of_another_shape_means_a_broken_runtime(
    runtime: Runtime, tmp_path: Path, answer: str
) -> None:
    runtime(_answering(answer))
    async with DatasetWorker() as worker:
        with pytest.raises(RuntimeMissing, match="not as agreed"):
            await worker.look(CONFIG, tmp_path, ())


async def test_a_worker_that_dies_is_told_in_words(runtime: Runtime, tmp_path: Path) -> None:
    runtime("sys.exit('ImportError: no trl')")
    async with DatasetWorker() as worker:
        with pytest.raises(RuntimeMissing, match="ImportError: no trl"):
            await worker.look(CONFIG, tmp_path, ())


async def test_a_worker_that_says_nothing_is_given_up(runtime: Runtime, tmp_path: Path) -> None:
    pid = runtime("print('{}', flush=True); time.sleep(600)")
    async with DatasetWorker(answer_limit=0.2) as worker:
        with pytest.raises(TimedOut, match="count the rows"):
            await worker.look(CONFIG, tmp_path, ())
    assert not psutil.pid_exists(int(pid.read_text()))


async def test_the_limit_counts_from_the_last_progress(runtime: Runtime, tmp_path: Path) -> None:
    slow = ANSWERS.replace("for done in (0, 5):", "for done in range(11):\n        time.sleep(0.2)")
    runtime(slow)
    async with DatasetWorker(answer_limit=2.0) as worker:
        assert (await worker.look(CONFIG, tmp_path, ())).rows.read == 10


async def test_without_a_runtime_entering_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path))
    monkeypatch.delenv("FTUI_TRAIN_PYTHON", raising=False)
    with pytest.raises(RuntimeMissing, match="not set up"):
        await DatasetWorker().__aenter__()
