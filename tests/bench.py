"""What ftui costs, as ratios against a bare minimum measured in the same run: `make bench`."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from textual.app import App, ComposeResult
from textual.widgets import Static

from ftui.estimate.estimate import estimate
from ftui.estimate.market import listed
from ftui.estimate.memory import memory
from ftui.estimate.reading import read_training
from ftui.plan.gpus import find as find_gpu
from ftui.plan.presets import find as find_preset
from ftui.runs import store
from ftui.runs.events import Point
from ftui.runs.model import Run, RunRecord
from ftui.runs.tail import LogFollower, read_history
from ftui.runtimes.find import Kind, find
from ftui.runtimes.model_shape import find_shape
from ftui.runtimes.process import quiet_environment
from ftui.runtimes.validator import Validator, capabilities
from tests.guards.test_start_up import BARE_CLICK, FTUI, MINIMAL_TEXTUAL, first_paint, seconds
from tests.tools.make_rows import write
from tests.ui.test_chart import Stage, falling

GPUS = (
    *("T4", "V100", "A10", "A10G", "A30", "A40", "A100", "A100 80GB", "L4", "L40", "L40S"),
    *("RTX 3090", "RTX 4090", "RTX 5090", "RTX A6000", "RTX PRO 6000"),
    *("H100", "H200", "GH200", "B200"),
)
ROUNDS = 7
GIGABYTE = 10**9

CONFIG = """\
base_model: some/model
datasets: [{path: some/rows, type: alpaca}]
adapter: lora
lora_r: 8
lora_alpha: 16
lora_target_linear: true
sequence_len: 512
micro_batch_size: 1
learning_rate: 0.0002
bf16: false
max_steps: 10
output_dir: out
"""
BARE_ORJSON = """
import orjson, sys
with open(sys.argv[1], "rb") as file:
    for line in file:
        orjson.loads(line)
"""
RUNS = 5_000
BARE_RUNS = """
import json, os, sys
for name in os.listdir(sys.argv[1]):
    with open(os.path.join(sys.argv[1], name, "run.json")) as file:
        json.load(file)
"""
BARE_YAML = "import sys, yaml; yaml.safe_load(open(sys.argv[1]))"
BARE_VALIDATION = """
import json, sys, time, torch
from axolotl.utils.config import validate_config
from axolotl.utils.dict import DictDefault
import yaml
answers = []
for _ in range(int(sys.argv[3])):
    began = time.perf_counter()
    version = {"torch_version": torch.__version__.split("+")[0]}
    config = DictDefault(yaml.safe_load(sys.argv[1]))
    validate_config(config, capabilities=json.loads(sys.argv[2]), env_capabilities=version)
    answers.append(time.perf_counter() - began)
print("\\n" + str(min(answers)))
"""


def main() -> None:
    """Print the table as Markdown."""
    print("| what | ftui | bare minimum | ratio |\n|---|---|---|---|")
    _row("`ftui --help`, bare click program", *_help())
    _row("first paint, minimal Textual app", *_paint())
    _row("`ftui check` of one file, yaml.safe_load of it", *_check())
    if find(Kind.TRAIN) is not None:
        _row("answer of the warm worker, validate_config in a bare script", *asyncio.run(_worker()))
    for kind in ("chat", "alpaca"):
        _row(f"`ftui data` of 1 GB of {kind} rows, orjson line by line", *_rows(kind))
    for points in (1_000, 10_000, 100_000):
        _row(f"chart refresh, {points:,} points, a Static as large", *asyncio.run(_chart(points)))
    _row(f"`ftui runs` of {RUNS:,} runs, json.load of each run.json", *_runs())
    _row("an estimate for 20 kinds of GPU, the memory alone", *_estimate())
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder))
        _row("reading 50,000 events, json.loads alone", *_events(run))
        _row("reading 200,000 log lines, splitlines alone", *_log(run))


def _row(what: str, ours: float, theirs: float) -> None:
    print(f"| {what} | {ours * 1e3:.1f} ms | {theirs * 1e3:.1f} ms | {ours / theirs:.2f} |")


def _help() -> tuple[float, float]:
    bare = [sys.executable, "-c", BARE_CLICK]
    return _best(lambda: seconds([FTUI, "--help"])), _best(lambda: seconds(bare))


def _paint() -> tuple[float, float]:
    bare = [sys.executable, "-c", MINIMAL_TEXTUAL]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        return (
            _best(lambda: first_paint([FTUI], "new fine-tune", home)),
            _best(lambda: first_paint(bare, "hello", home)),
        )


def _check() -> tuple[float, float]:
    """Both as whole processes; without a train runtime, so that axolotl itself is not asked."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yml"
        config.write_text(CONFIG, encoding="utf-8")
        alone = {**os.environ, "FTUI_HOME": folder, "FTUI_TRAIN_PYTHON": ""}
        ours = [FTUI, "check", str(config), "--gpu", "a10"]
        bare = [sys.executable, "-c", BARE_YAML, str(config)]

        def once(command: list[str]) -> float:
            return _timed(
                lambda: subprocess.run(command, env=alone, check=True, capture_output=True)
            )

        return _best(lambda: once(ours)), _best(lambda: once(bare))


def _rows(kind: str) -> tuple[float, float]:
    """Both as whole processes, in turns; the memory that ours took at most is told on stderr."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.jsonl"
        write(file, GIGABYTE, kind)
        ours, theirs = [], []
        for _ in range(2):
            theirs.append(seconds([sys.executable, "-c", BARE_ORJSON, str(file)]))
            ours.append(seconds([FTUI, "data", str(file)]))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{kind}: at most {peak:.0f} MiB in any process so far", file=sys.stderr)
    return min(ours), min(theirs)


def _estimate() -> tuple[float, float]:
    """Ours: memory, fit, price and speed on every GPU, as on each keystroke. Bare: one sum."""
    preset = find_preset("llama3-8b-qlora")
    model = find_shape(str(preset.settings["base_model"]))
    gpus = [find_gpu(name) for name in GPUS]
    offers = [listed(gpu, 1) for gpu in gpus]

    def ours() -> None:
        found = estimate(preset.settings, model)
        found.fittings(offers)
        found.cheapest(offers)
        for gpu in gpus:
            found.speed(gpu)

    training = read_training(preset.settings, model).training
    return _best(lambda: _timed(ours)), _best(lambda: _timed(lambda: memory(training)))


def _runs() -> tuple[float, float]:
    """Both as whole processes. Nine of ten runs are done; the others failed half-way."""
    with tempfile.TemporaryDirectory() as home:
        for number in range(RUNS):
            _write_run(Path(home) / "runs" / f"nano-sql-{number:04}", failed=number % 10 == 0)
        ours, bare = [FTUI, "runs"], [sys.executable, "-c", BARE_RUNS, f"{home}/runs"]
        alone = {**os.environ, "FTUI_HOME": home}

        def once(command: list[str]) -> float:
            return _timed(
                lambda: subprocess.run(command, env=alone, check=True, capture_output=True)
            )

        return _best(lambda: once(ours)), _best(lambda: once(bare))


def _write_run(folder: Path, *, failed: bool, steps: int = 200) -> None:
    """A run of 200 logged steps and a record of usual length."""
    run = Run(folder)
    run.output_dir.mkdir(parents=True)
    settings = {f"setting_{number}": number for number in range(50)}
    store.write_record(run, RunRecord(run.name, "nano", "", "local", 1.0, settings))
    event = {"v": 1, "ts": 1.0, "max_steps": steps}
    values = {"loss": 0.5, "grad_norm": 0.5, "learning_rate": 0.001, "ppl": 1.6}
    logged = {**event, "event": "log", "values": values}
    told = [{**event, "event": "launched"}, {**event, "event": "train_begin"}]
    told += [{**logged, "step": step + 1} for step in range(steps // 2 if failed else steps)]
    if not failed:
        run.output_dir.joinpath("adapter_model.safetensors").touch()
        told += [{**event, "event": kind, "step": steps} for kind in ("save", "train_end", "saved")]
    told.append({"v": 1, "ts": 1.0, "event": "exit", "values": {"code": int(failed)}})
    run.events_file.write_text("".join(json.dumps(each) + "\n" for each in told))


async def _worker() -> tuple[float, float]:
    runtime = find(Kind.TRAIN)
    assert runtime is not None
    ours = []
    async with Validator() as validator:
        await validator.validate(CONFIG, ())
        for _ in range(ROUNDS):
            began = time.perf_counter()
            await validator.validate(CONFIG, ())
            ours.append(time.perf_counter() - began)
    command = [str(runtime.python), "-c", BARE_VALIDATION, CONFIG, json.dumps(capabilities(()))]
    ended = subprocess.run(
        [*command, str(ROUNDS + 1)], env=quiet_environment(), check=True, capture_output=True
    )
    return min(ours), float(ended.stdout.split()[-1])


def _best(measure: Callable[[], float]) -> float:
    return min(measure() for _ in range(ROUNDS))


class _Text(App[None]):
    def compose(self) -> ComposeResult:
        yield Static()


async def _chart(points: int) -> tuple[float, float]:
    """CPU seconds until a new point, or a new text of the same size, is on the screen."""
    history = falling(points)
    stage = Stage(history)
    ours, theirs = [], []
    async with stage.run_test(size=(120, 34)) as pilot:
        for step in range(ROUNDS):
            history.series["loss"].append(Point(points + step, 0.5))
            began = time.process_time()
            stage.chart.show(history)
            await pilot.pause()
            ours.append(time.process_time() - began)
    app = _Text()
    async with app.run_test(size=(120, 34)) as pilot:
        for step in range(ROUNDS):
            began = time.process_time()
            app.query_one(Static).update("\n".join([str(step) * 120] * 34))
            await pilot.pause()
            theirs.append(time.process_time() - began)
    return median(ours), median(theirs)


def _events(run: Run) -> tuple[float, float]:
    event = {"v": 1, "ts": 1.0, "event": "log", "max_steps": 50_000, "values": {"loss": 0.5}}
    lines = [json.dumps(event | {"step": step}) for step in range(50_000)]
    run.events_file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def bare() -> None:
        for line in run.events_file.read_text(encoding="utf-8").splitlines():
            json.loads(line)

    return _timed(lambda: read_history(run)), _timed(bare)


def _log(run: Run) -> tuple[float, float]:
    run.log_file.write_text("a line of a log, of usual length\n" * 200_000, encoding="utf-8")

    def ours() -> None:
        follower = LogFollower(run)
        while follower.poll():
            pass

    return _timed(ours), _timed(lambda: run.log_file.read_text(encoding="utf-8").splitlines())


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
