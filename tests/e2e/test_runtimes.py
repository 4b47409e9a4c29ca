"""The real set-up from the package index, and axolotl's real opinion of configs."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from ftui.config.issue import Issue
from ftui.plan.hardware import Gpu, Hardware
from ftui.runtimes import Kind, find
from ftui.runtimes.install import Progress, install
from ftui.runtimes.validator import Validator

MACHINE = Hardware(cores=2, memory_gib=8)  # without a GPU, wherever this runs
A10 = Gpu("NVIDIA A10", 24, "sm_86")
T4 = Gpu("Tesla T4", 16, "sm_75")

CONFIG = """\
base_model: ./nowhere
datasets:
  - path: rows.jsonl
    ds_type: json
    type: alpaca
adapter: lora
lora_r: 8
lora_alpha: 16
lora_target_linear: true
lora_mlp_kernel: false
lora_qkv_kernel: false
lora_o_kernel: false
lora_embedding_kernel: false
sequence_len: 256
micro_batch_size: 4
gradient_accumulation_steps: 1
max_steps: 20
optimizer: adamw_torch
learning_rate: 0.001
bf16: false
output_dir: ./out
plugins:
  - ftui_events.FtuiEvents
"""


@pytest.fixture
def short_lived_home(home: Path) -> Iterator[Path]:
    """A home that is removed at once: pytest would keep gigabytes of the last three runs."""
    yield home
    shutil.rmtree(home)


@pytest.mark.usefixtures("short_lived_home")
@pytest.mark.parametrize(("kind", "tool"), [(Kind.TRAIN, "axolotl"), (Kind.SERVE, "vllm")])
def test_a_set_up_from_nothing_then_reused(
    kind: Kind, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(kind.variable, raising=False)
    told: list[Progress] = []
    runtime = install(kind, MACHINE, told.append)
    assert find(kind) == runtime
    assert told[-1].words.startswith(tool)
    assert {"python", "create", "resolve", "install", "check", "done"} <= {
        progress.phase for progress in told
    }
    # Its commands still start: they were written before the environment was moved into place.
    command = "accelerate --help" if kind is Kind.TRAIN else "vllm --version"
    name, argument = command.split()
    subprocess.run([runtime.bin / name, argument], check=True, capture_output=True, timeout=600)
    again: list[Progress] = []
    assert install(kind, MACHINE, again.append) == runtime
    assert [progress.phase for progress in again] == ["done"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def validator() -> AsyncIterator[Validator]:
    async with Validator(start_limit=900) as warm:
        yield warm


@pytest.mark.asyncio(loop_scope="module")
async def test_axolotl_accepts_a_good_config(validator: Validator) -> None:
    assert await validator.validate(CONFIG, ()) == []
    assert await validator.validate(CONFIG.replace("bf16: false", "bf16: true"), (A10,)) == []


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("old", "new", "path", "line", "words"),
    [
        ("sequence_len: 256", "sequence_len: many", "sequence_len", 14, "whole number"),
        ("adapter: lora", "adapter: qlora", "adapter", 6, "load_in_4bit"),
        ("ds_type: json", "ds_type: [3]", "datasets.0.ds_type", 4, "should be text"),
        ("type: alpaca", "type: sharegpt", "datasets", 2, "chat_template"),
        ("learning_rate: 0.001\n", "", "learning_rate", 0, "required"),
        ("max_steps: 20", "max_packed_sequence_len: 3", "max_packed_sequence_len", 17, "no longer"),
        ("  - ftui_events", "  - nope.Nope\n  - ftui_events", "plugins.0", 23, "nope.Nope"),
        ("bf16: false", "bf16: true", "bf16", 20, "not supported"),
        ("bf16: false", "bf16: false\nfp8: true", "fp8", 21, "not supported"),
    ],
)
async def test_axolotl_says_what_is_wrong_and_where(
    validator: Validator, old: str, new: str, path: str, line: int, words: str
) -> None:
    issues = await validator.validate(CONFIG.replace(old, new), (T4,))
    errors = [issue for issue in issues if issue.severity == "error"]
    assert [(issue.path, issue.line) for issue in errors] == [(path, line)]
    assert words in errors[0].message


@pytest.mark.asyncio(loop_scope="module")
async def test_a_warning_comes_every_time_and_a_plugin_counts_only_where_it_is_named(
    validator: Validator,
) -> None:
    packing = CONFIG + "sample_packing: true\n"
    first = await validator.validate(packing, ())
    assert [issue.severity for issue in first] == ["warning"]
    assert await validator.validate(packing, ()) == first
    bad = "liger_rope: perhaps\n"
    liger = CONFIG.replace("  - ftui", "  - axolotl.integrations.liger.LigerPlugin\n  - ftui") + bad
    (issue,) = await validator.validate(liger, ())
    assert issue == Issue("error", "liger_rope", 25, issue.message)
    assert await validator.validate(CONFIG + bad, ()) == []


@pytest.mark.asyncio(loop_scope="module")
async def test_odd_shapes_are_told_without_a_traceback(validator: Validator) -> None:
    for odd in ("datasets: rows\n", "datasets: [rows]\n", "plugins: liger\n", "datasets: 3\n"):
        key = odd.partition(":")[0]
        kept = "".join(_blocks_without(CONFIG, key))
        issues = await validator.validate(kept + odd, ())
        assert [issue.severity for issue in issues] == ["error"], odd
        assert "Traceback" not in issues[0].message


async def test_no_worker_outlives_a_killed_ftui() -> None:
    code = (
        "import asyncio\n"
        "from ftui.runtimes.validator import Validator\n"
        "async def main():\n"
        "    async with Validator():\n"
        "        print('started', flush=True)\n"
        "        await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "started\n"
        [worker] = psutil.Process(owner.pid).children()
        owner.kill()
    await asyncio.to_thread(_wait_until_gone, worker)


def _wait_until_gone(worker: psutil.Process) -> None:
    gone, alive = psutil.wait_procs([worker], timeout=900)
    assert gone or not alive or worker.status() == psutil.STATUS_ZOMBIE


def _blocks_without(text: str, key: str) -> list[str]:
    """The lines of a config less the top-level `key` and what belongs to it."""
    kept: list[str] = []
    inside = False
    for line in text.splitlines(keepends=True):
        if not line.startswith((" ", "-")):
            inside = line.startswith(f"{key}:")
        if not inside:
            kept.append(line)
    return kept
