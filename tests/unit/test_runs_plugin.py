"""The plugin: whole valid lines, few of them, from one process, and never a failed training."""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import psutil
import pytest

import ftui.axolotl_plugin
from ftui.runs.events import Event, parse

ARGS = SimpleNamespace(
    output_dir="./out",
    world_size=1,
    logging_steps=1,
    eval_steps=5,
    save_steps=10,
    get_warmup_steps=lambda steps: steps // 10,
)
MODEL = SimpleNamespace(config=SimpleNamespace(vocab_size=4096))


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The file as axolotl loads it, with empty base classes in place of axolotl's."""
    for name, base in (
        ("axolotl.integrations.base", "BasePlugin"),
        ("transformers", "TrainerCallback"),
    ):
        module = ModuleType(name)
        setattr(module, base, type(base, (), {}))
        monkeypatch.setitem(sys.modules, name, module)
    for name in ("axolotl", "axolotl.integrations"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    path = Path(ftui.axolotl_plugin.__path__[0]) / "ftui_events.py"
    spec = importlib.util.spec_from_file_location("ftui_events", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "events.jsonl"
    monkeypatch.setenv("FTUI_EVENTS", str(path))
    return path


def callback(plugin: ModuleType, model: Any = MODEL, **config: Any) -> Any:
    return plugin.FtuiEvents().add_callbacks_pre_trainer(config, model)[0]


def stopper(plugin: ModuleType) -> Any:
    return plugin.FtuiEvents().add_callbacks_pre_trainer({}, MODEL)[1]


def to_come(evaluate: bool = False, save: bool = False) -> SimpleNamespace:
    """What the trainer will do after a step."""
    return SimpleNamespace(should_evaluate=evaluate, should_save=save)


def at(step: int, main: bool = True) -> SimpleNamespace:
    return SimpleNamespace(
        global_step=step, max_steps=20, epoch=0.5, num_train_epochs=1, is_world_process_zero=main
    )


def told(file: Path) -> list[Event]:
    events = [parse(line) for line in file.read_text().splitlines()]
    assert None not in events
    return [event for event in events if event is not None]


def test_a_training_in_events(plugin: ModuleType, file: Path) -> None:
    hook = callback(plugin)
    hook.on_train_begin(ARGS, at(0), None)
    hook.on_log(ARGS, at(1), None, logs={"loss": 2.5, "learning_rate": 1e-3, "epoch": 0.1})
    hook.on_log(ARGS, at(1), None, logs={"eval_loss": 2.0, "eval_ppl": 7.4})
    hook.on_save(ARGS, at(10), None)
    hook.on_train_end(ARGS, at(20), None)
    begin, log, evaluated, save, end = told(file)
    assert begin.kind == "train_begin"
    assert begin.values["save_steps"] == 10
    assert (begin.values["warmup_steps"], begin.values["vocabulary"]) == (2, 4096)
    assert (log.kind, log.step, log.max_steps) == ("log", 1, 20)
    assert log.values["loss"] == 2.5
    assert "epoch" not in log.values
    assert (evaluated.kind, evaluated.values) == ("eval", {"eval_loss": 2.0, "eval_ppl": 7.4})
    assert (save.kind, save.values["path"]) == ("save", "./out/checkpoint-10")
    assert end.kind == "train_end"


def test_floats_that_are_not_finite_stay_valid_json(plugin: ModuleType, file: Path) -> None:
    values = {"grad_norm": math.nan, "ppl": math.inf, "low": -math.inf}
    callback(plugin).on_log(ARGS, at(1), None, logs=values)
    assert "NaN" not in file.read_text()
    (event,) = told(file)
    assert math.isnan(event.values["grad_norm"])
    assert event.values["ppl"] == math.inf
    assert event.values["low"] == -math.inf


def test_tensors_and_odd_values_become_plain(plugin: ModuleType, file: Path) -> None:
    tensor = SimpleNamespace(item=lambda: 1.5)
    callback(plugin).on_log(ARGS, at(1), None, logs={"loss": tensor, "path": Path("x")})
    (event,) = told(file)
    assert event.values["loss"] == 1.5
    assert event.values["path"] == "x"


def test_memory_is_told_where_axolotl_knows_none(plugin: ModuleType, file: Path) -> None:
    hook = callback(plugin)
    hook.on_log(ARGS, at(1), None, logs={"loss": 1.0, "memory/max_active (GiB)": 0.0})
    hook.on_log(ARGS, at(2), None, logs={"loss": 1.0, "memory/max_active (GiB)": 3.5})
    on_cpu, on_gpu = told(file)
    assert 0 < on_cpu.values["memory/rss (GiB)"] < 64
    assert "memory/rss (GiB)" not in on_gpu.values


def test_fast_steps_share_an_event_but_the_last_is_told(plugin: ModuleType, file: Path) -> None:
    hook = callback(plugin)
    for step in range(1, 21):
        hook.on_step_end(ARGS, at(step), to_come())
    steps = [event.step for event in told(file)]
    assert steps[-1] == 20
    assert len(steps) < 20


def test_what_takes_its_time_between_two_steps_is_told_when_it_begins(
    plugin: ModuleType, file: Path
) -> None:
    hook = callback(plugin)
    hook.on_step_end(ARGS, at(4), to_come())
    hook.on_step_end(ARGS, at(5), to_come(evaluate=True, save=True))  # told at once, though soon
    hook.on_prediction_step(ARGS, at(5), None)  # too soon to say it again
    hook.on_evaluate(ARGS, at(5), to_come(save=True))
    hook.on_epoch_end(ARGS, at(6), to_come(save=True))
    kinds = [(event.kind, event.step) for event in told(file)]
    assert kinds == [
        ("step", 4),
        ("step", 5),
        ("evaluating", 5),
        ("saving", 5),
        ("saving", 6),
    ]


def test_a_long_evaluation_gives_signs_of_life(
    plugin: ModuleType, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin, "_EVALUATING_SECONDS", 0.0)
    hook = callback(plugin)
    for _ in range(3):
        hook.on_prediction_step(ARGS, at(0), None)
    assert [event.kind for event in told(file)] == ["evaluating"] * 3


@pytest.mark.parametrize(
    ("model", "config", "vocabulary"),
    [
        (MODEL, {}, 4096),
        (MODEL, {"rl": "dpo"}, 0),
        (MODEL, {"reward_model": True}, 0),
        (SimpleNamespace(), {}, 0),
        (SimpleNamespace(config=SimpleNamespace(get_text_config=lambda: MODEL.config)), {}, 4096),
    ],
)
def test_the_vocabulary_is_told_where_it_bounds_the_loss(
    plugin: ModuleType, file: Path, model: Any, config: dict[str, Any], vocabulary: int
) -> None:
    callback(plugin, model, **config).on_train_begin(ARGS, at(0), None)
    [begin] = told(file)
    assert begin.values["vocabulary"] == vocabulary


def test_only_the_first_process_writes(
    plugin: ModuleType, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = plugin.FtuiEvents()
    loaded.add_callbacks_pre_trainer({}, MODEL)[0].on_train_begin(ARGS, at(0, main=False), None)
    monkeypatch.setenv("RANK", "1")
    loaded.post_train_unload(None)
    assert not file.exists()
    monkeypatch.setenv("RANK", "0")
    loaded.post_train_unload(None)
    assert [event.kind for event in told(file)] == ["saved"]


def test_a_resumed_training_ends_the_torn_line_it_finds(plugin: ModuleType, file: Path) -> None:
    file.write_text('{"v": 1, "event": "log", "st')
    callback(plugin).on_train_begin(ARGS, at(10), None)
    torn, whole = file.read_text().splitlines()
    assert parse(torn) is None
    event = parse(whole)
    assert event is not None
    assert event.step == 10


def test_a_full_disk_is_one_warning_and_no_more(
    plugin: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FTUI_EVENTS", "/dev/full")
    hook = callback(plugin)
    for step in range(1, 4):
        hook.on_log(ARGS, at(step), None, logs={"loss": 1.0})
    assert capsys.readouterr().err == "ftui_events: /dev/full: No space left on device\n"


def test_a_line_that_only_half_fitted_spoils_no_other(
    plugin: ModuleType, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = callback(plugin)
    write = os.write
    with monkeypatch.context() as disk:
        disk.setattr(os, "write", lambda handle, data: write(handle, data[:20]))
        hook.on_log(ARGS, at(1), None, logs={"loss": 1.0})
    hook.on_log(ARGS, at(2), None, logs={"loss": 0.5})
    torn, whole = file.read_text().splitlines()
    assert parse(torn) is None
    event = parse(whole)
    assert event is not None
    assert event.step == 2


def flags() -> SimpleNamespace:
    return SimpleNamespace(should_save=False, should_training_stop=False)


def test_a_training_ends_with_a_checkpoint_when_a_file_asks_for_it(
    plugin: ModuleType, file: Path
) -> None:
    hook = stopper(plugin)
    assert hook.on_step_end(ARGS, at(1), flags()) == flags()
    (file.parent / "stop").touch()
    asked = hook.on_step_end(ARGS, at(2), flags())
    assert asked == SimpleNamespace(should_save=True, should_training_stop=True)


@pytest.mark.parametrize("first_says", [True, False])
def test_of_several_processes_the_first_one_decides(
    plugin: ModuleType, file: Path, monkeypatch: pytest.MonkeyPatch, first_says: bool
) -> None:
    """The others may not see the file yet, or ever: they may be on another machine."""

    def broadcast(said: list[int], src: int) -> None:
        assert src == 0
        said[:] = [int(first_says)]

    class Tensor(list[int]):
        def item(self) -> int:
            return self[0]

    torch = ModuleType("torch")
    torch.tensor = lambda value, device: Tensor([value])  # type: ignore[attr-defined]
    torch.distributed = SimpleNamespace(broadcast=broadcast)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    if not first_says:
        (file.parent / "stop").touch()
    args = SimpleNamespace(world_size=2, device="cpu")
    told = stopper(plugin).on_step_end(args, at(3, main=False), flags())
    assert told.should_training_stop is first_says


TRAINER = """
import importlib.util, os, signal, sys, types
bases = {"axolotl.integrations.base": "BasePlugin", "transformers": "TrainerCallback"}
for name, base in bases.items():
    sys.modules[name] = types.ModuleType(name)
    setattr(sys.modules[name], base, type(base, (), {}))
for name in ("axolotl", "axolotl.integrations"):
    sys.modules[name] = types.ModuleType(name)
spec = importlib.util.spec_from_file_location("ftui_events", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
if sys.argv[2] == "with":
    module.end_helpers_with_trainer()
child = os.fork()
if not child:
    signal.pause()
print(child, flush=True)
signal.pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
@pytest.mark.parametrize(("how", "stays"), [("with", False), ("without", True)])
def test_a_process_that_reads_data_does_not_outlive_a_killed_trainer(how: str, stays: bool) -> None:
    """Without the plugin's hook it would: it then stands in the way of a resume."""
    path = Path(ftui.axolotl_plugin.__path__[0]) / "ftui_events.py"
    command = [sys.executable, "-c", TRAINER, str(path), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as trainer:
        assert trainer.stdout is not None
        helper = psutil.Process(int(trainer.stdout.readline()))
        trainer.kill()
        trainer.wait()
        end = time.monotonic() + (0.5 if stays else 40)
        while _lives(helper) and time.monotonic() < end:
            time.sleep(0.01)
        assert _lives(helper) == stays
        with contextlib.suppress(psutil.NoSuchProcess):
            helper.kill()


def _lives(process: psutil.Process) -> bool:
    """A zombie has ended: nobody has asked how."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
