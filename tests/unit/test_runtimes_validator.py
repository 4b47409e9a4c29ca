"""The validator's side of the talk with axolotl; a small script stands in for the runtime."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from ftui.config.issue import Issue
from ftui.errors import RuntimeMissing, TimedOut
from ftui.plan.hardware import Gpu
from ftui.runtimes.validator import Validator, capabilities

CONFIG = "base_model: x\ndatasets:\n  - path: a\n    type: alpaca\n"
ANSWERS = """
print(json.dumps({"ready": "0.19.0"}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    place = ["datasets", 0, "type"] if "alpaca" in request["config"] else ["lora_r"]
    issue = {"severity": "error", "path": place, "message": str(request["capabilities"]["n_gpu"])}
    print(json.dumps({"id": request["id"], "issues": [issue]}), flush=True)
"""
Runtime = Callable[[str], Path]


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """Makes a train runtime whose Python runs the given code instead of our script."""

    def make(code: str) -> Path:
        path = tmp_path / "python"
        head = f"#!{sys.executable}\nimport json, os, pathlib, sys, time\n"
        note = f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        path.write_text(head + note + code)
        path.chmod(0o755)
        monkeypatch.setenv("FTUI_TRAIN_PYTHON", str(path))
        return tmp_path / "pid"

    return make


async def test_issues_come_with_their_line(runtime: Runtime) -> None:
    runtime(ANSWERS)
    async with Validator() as validator:
        assert await validator.validate(CONFIG, ()) == [Issue("error", "datasets.0.type", 4, "1")]
        gpus = (Gpu("A10", 24, "sm_86"),) * 4
        assert await validator.validate("base_model: x\n", gpus) == [
            Issue("error", "lora_r", 0, "4")
        ]


async def test_what_is_no_config_needs_no_worker(runtime: Runtime) -> None:
    runtime(ANSWERS)
    async with Validator() as validator:
        (broken,) = await validator.validate("a: 1\nb: [1\n", ())
        (listed,) = await validator.validate("- 1\n", ())
    assert broken.line >= 2
    assert "mapping" in listed.message


async def test_several_questions_at_once_get_their_own_answers(runtime: Runtime) -> None:
    runtime(ANSWERS)
    gpu = Gpu("A10", 24, "sm_86")
    async with Validator() as validator:
        answers = await asyncio.gather(
            *(validator.validate(CONFIG, (gpu,) * count) for count in range(1, 6))
        )
    assert [answer[0].message for answer in answers] == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("sys.exit('ImportError: no torch')", "ImportError: no torch"),
        ("print('not json', flush=True); sys.stdin.read()", "cannot be read"),
        ("print('[1]', flush=True); sys.stdin.read()", "cannot be read"),
        ("print('{}\\n{}', flush=True); sys.stdin.read()", "something else"),
        ("print('{}', flush=True); sys.stdin.readline(); os.kill(os.getpid(), 9)", "it ended"),
    ],
)
async def test_a_worker_that_fails_is_told_in_words(
    runtime: Runtime, code: str, words: str
) -> None:
    runtime(code)
    async with Validator() as validator:
        with pytest.raises(RuntimeMissing, match=words) as caught:
            await validator.validate(CONFIG, ())
    assert caught.value.hint


@pytest.mark.parametrize("code", ["time.sleep(600)", "print('{}', flush=True); time.sleep(600)"])
async def test_a_worker_that_does_not_answer_is_given_up(runtime: Runtime, code: str) -> None:
    pid = runtime(code)
    async with Validator(start_limit=2, answer_limit=0.2) as validator:
        with pytest.raises(TimedOut):
            await validator.validate(CONFIG, ())
    # On a busy machine it may be given up before it could say who it is.
    assert not pid.exists() or not psutil.pid_exists(int(pid.read_text()))


async def test_after_a_failure_the_next_question_starts_a_new_worker(runtime: Runtime) -> None:
    runtime("sys.exit(1)")
    async with Validator() as validator:
        with pytest.raises(RuntimeMissing):
            await validator.validate(CONFIG, ())
        runtime(ANSWERS)
        assert await validator.validate(CONFIG, ())


async def test_a_question_that_is_dropped_does_not_answer_the_next(runtime: Runtime) -> None:
    runtime(ANSWERS)
    async with Validator() as validator:
        dropped = asyncio.create_task(validator.validate(CONFIG, ()))
        await asyncio.sleep(0)
        dropped.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dropped
        gpus = (Gpu("A10", 24, "sm_86"),) * 2
        assert (await validator.validate(CONFIG, gpus))[0].message == "2"


async def test_the_worker_ends_with_the_context(runtime: Runtime) -> None:
    pid = runtime(ANSWERS)
    async with Validator() as validator:
        await validator.validate(CONFIG, ())
        assert psutil.pid_exists(int(pid.read_text()))
    assert not psutil.pid_exists(int(pid.read_text()))


async def test_without_a_runtime_entering_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path))
    monkeypatch.delenv("FTUI_TRAIN_PYTHON", raising=False)
    with pytest.raises(RuntimeMissing, match="not set up"):
        await Validator().__aenter__()


async def test_without_room_for_its_files_a_worker_says_so(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    runtime(ANSWERS)
    monkeypatch.setattr("tempfile.mkdtemp", full)
    with pytest.raises(RuntimeMissing, match="does not work: No space left on device"):
        await Validator().__aenter__()


def test_capabilities_are_those_of_the_weakest_gpu() -> None:
    mixed = (Gpu("H100", 80, "sm_90"), Gpu("T4", 16, "sm_75"))
    assert capabilities(mixed) == {
        "bf16": False,
        "fp8": False,
        "tf32": False,
        "n_gpu": 2,
        "compute_capability": "sm_75",
    }
    assert capabilities((Gpu("H100", 80, "sm_90"),))["fp8"] is True
    assert capabilities(())["compute_capability"] is None
    assert capabilities((Gpu("odd", 8, "sm_[N/A]"),))["compute_capability"] is None
