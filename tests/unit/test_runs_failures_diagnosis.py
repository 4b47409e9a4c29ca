"""Why a run ended: from the exit code, the kernel's counts, the numbers and the log."""

from __future__ import annotations

import json
import math
import signal
from pathlib import Path
from typing import Any

import pytest

from ftui.runs import events, evidence
from ftui.runs.evidence import OomKills
from ftui.runs.failures import Cause, Trial, diagnose, endings, numbers_lost
from ftui.runs.model import Run
from ftui.runs.tail import read_history
from tests.standins.runs import failure_words

EXCERPTS = Path(__file__).parents[1] / "fixtures" / "failures"
TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\n'
LAUNCHER = (
    TRACEBACK
    + "subprocess.CalledProcessError: Command '['python', '-m', 'axolotl.cli.train']' returned "
    "non-zero exit status 1.\n"
)
GIB = 2**30


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def tried(run: Run, gpus: int = 1, **settings: Any) -> None:
    run.record_file.write_text(json.dumps({"settings": settings, "gpus": gpus}))


def log(run: Run, *names: str) -> None:
    run.log_file.write_text("".join((EXCERPTS / f"{name}.log").read_text() for name in names))


def launched(run: Run) -> None:
    events.append(run.events_file, "launched", pid=1)


def ended(run: Run, code: int, **noted: Any) -> None:
    events.append(run.events_file, "exit", code=code, **noted)


def trained(run: Run, *grad_norms: float) -> None:
    with run.events_file.open("a") as file:
        file.write('{"v": 1, "ts": 1.0, "event": "train_begin", "step": 0, "values": {}}\n')
    for step, value in enumerate(grad_norms, 1):
        event = {
            "v": 1,
            "ts": 1.0,
            "event": "log",
            "step": step,
            "values": {"grad_norm": value if math.isfinite(value) else str(value)},
        }
        with run.events_file.open("a") as file:
            file.write(json.dumps(event) + "\n")


def test_a_known_failure_is_explained_and_mended(run: Run) -> None:
    tried(run, micro_batch_size=4, gradient_accumulation_steps=2)
    log(run, "gpu-memory")
    ended(run, 1)
    found = diagnose(run)
    assert found.cause is Cause.GPU_MEMORY
    assert found.changes == {"micro_batch_size": 2, "gradient_accumulation_steps": 4}
    assert found.resumes
    assert found.evidence is not None
    assert found.evidence.number == 1
    assert failure_words(run).endswith(
        "Set micro_batch_size: 2, gradient_accumulation_steps: 4: "
        "fewer examples at once, and as many as before in each step"
    )


def test_without_a_setting_to_change_there_is_a_hint(run: Run) -> None:
    log(run, "old-driver")
    ended(run, 1)
    assert "Update the driver" in failure_words(run)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TRACEBACK + "RuntimeError: the loss is sad\n", "RuntimeError: the loss is sad"),
        (TRACEBACK + "KeyError: 'x'\n" + LAUNCHER, "KeyError: 'x'"),
        ("\x1b[31mAssertionError\x1b[0m\n", "AssertionError"),
        ("the error: not an exception\n", "it ended with exit code 1"),
        ("", "it ended with exit code 1"),
    ],
)
def test_an_unknown_failure_is_told_in_its_own_words(run: Run, text: str, words: str) -> None:
    run.log_file.write_text(text)
    ended(run, 1)
    assert failure_words(run) == words
    assert diagnose(run).cause is Cause.CRASHED


def test_the_first_error_counts_and_not_who_missed_its_process(run: Run) -> None:
    log(run, "nccl-timeout")
    with run.log_file.open("a") as file:
        file.write(
            "[rank1]: RuntimeError: the loss is sad\n[rank0]: BrokenPipeError: Broken pipe\n"
        )
    ended(run, 1)
    assert failure_words(run) == "RuntimeError: the loss is sad"


def test_a_trainer_that_never_began_says_why(run: Run) -> None:
    ended(run, 127, why="no such file")
    assert failure_words(run) == "no such file"


def test_there_are_always_words(run: Run) -> None:
    assert failure_words(run)


# Signals


def test_killed_without_evidence_is_killed_by_nobody_knows_whom(run: Run) -> None:
    log(run, "healthy")
    ended(run, -9, oom_kills=0, machine_oom_kills=0, peak_rss=GIB, memory=16 * GIB)
    found = diagnose(run)
    assert found.cause is Cause.KILLED
    assert found.what == "it was killed (signal 9); nothing says by whom"
    assert not found.changes


@pytest.mark.parametrize("code", [-9, 137])
def test_the_kernels_count_tells_who_killed_it(run: Run, code: int) -> None:
    tried(run, micro_batch_size=2)
    trained(run, 1.0)
    ended(run, code, oom_kills=1, peak_rss=15 * GIB, memory=16 * GIB)
    found = diagnose(run)
    assert found.cause is Cause.MEMORY
    assert "it held 15.0 GiB of 16 GiB" in found.what
    assert found.changes["micro_batch_size"] == 1


def test_before_the_first_step_the_data_took_the_memory(run: Run) -> None:
    launched(run)
    ended(run, -9, oom_kills=1)
    assert diagnose(run).changes == {"dataset_num_proc": 1}


def test_another_process_may_have_been_killed_on_the_same_machine(run: Run) -> None:
    ended(run, -9, machine_oom_kills=1, peak_rss=GIB, memory=256 * GIB)
    found = diagnose(run)
    assert found.cause is Cause.KILLED
    assert "1 of its processes for lack of memory" in found.what


def test_the_largest_process_of_the_machine_was_the_one(run: Run) -> None:
    ended(run, -9, machine_oom_kills=1, peak_rss=200 * GIB, memory=256 * GIB)
    assert diagnose(run).cause is Cause.MEMORY


def test_told_to_end_is_no_crash(run: Run) -> None:
    log(run, "no-module")
    ended(run, -15)
    assert diagnose(run).cause is Cause.KILLED


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_signals_of_its_own_are_crashes(run: Run, number: int) -> None:
    ended(run, -number)
    found = diagnose(run)
    assert found.cause is Cause.CRASHED
    assert f"signal {number}" in found.what


# Disk, numbers


def test_a_full_disk_is_seen_though_no_log_could_say_so(run: Run) -> None:
    ended(run, 1, disk_free=4096)
    found = diagnose(run)
    assert found.cause is Cause.DISK_FULL
    assert found.changes == {"save_total_limit": 1}


def test_ended_without_weights(run: Run) -> None:
    ended(run, 0, disk_free=0)
    assert failure_words(run) == "it ended without saving any weights"


def test_lost_numbers_tell_since_when(run: Run) -> None:
    tried(run, learning_rate=0.0004)
    trained(run, 1.0, 2.0, math.nan, math.nan)
    ended(run, 1)
    found = diagnose(run)
    assert found.cause is Cause.NOT_A_NUMBER
    assert found.bad_since == 3
    assert found.changes == {"learning_rate": 0.0001}
    assert not found.resumes


def test_a_run_that_is_done_may_have_lost_its_numbers(run: Run) -> None:
    trained(run, 1.0, math.nan, math.nan)
    found = numbers_lost(read_history(run), Trial({"fp16": True}))
    assert found is not None
    assert found.changes == {"fp16": None, "bf16": "auto"}


@pytest.mark.parametrize("values", [(), (1.0,), (math.nan, 1.0), (1.0, math.inf)])
def test_one_step_that_was_left_out_is_no_loss(run: Run, values: tuple[float, ...]) -> None:
    trained(run, *values)
    assert numbers_lost(read_history(run), Trial({})) is None


# Lost, and tried again


def test_gone_with_the_machine(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    launched(run)
    last = read_history(run).last_time
    monkeypatch.setattr(endings, "booted", lambda: last + 90)
    found = diagnose(run)
    assert found.cause is Cause.LOST
    assert found.what == (
        "the machine was restarted (its last sign of life is from 1 min 30 s before that)"
    )


def test_gone_while_the_machine_stayed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    launched(run)
    monkeypatch.setattr(endings, "booted", lambda: 1.0)
    assert "not restarted" in diagnose(run).what
    monkeypatch.setattr(endings, "booted", lambda: None)
    assert "nothing says why" in diagnose(run).what


def test_what_is_gone_may_have_said_why(run: Run) -> None:
    launched(run)
    log(run, "disk-full")
    assert diagnose(run).cause is Cause.DISK_FULL


def test_an_earlier_try_is_not_this_ones_reason(run: Run) -> None:
    launched(run)
    log(run, "disk-full")
    ended(run, 1, log_size=run.log_file.stat().st_size)
    launched(run)
    with run.log_file.open("a") as file:
        file.write("RuntimeError: the loss is sad\n")
    ended(run, 1, log_size=run.log_file.stat().st_size)
    assert failure_words(run) == "RuntimeError: the loss is sad"


def test_the_last_trys_end_is_not_this_ones(run: Run) -> None:
    launched(run)
    ended(run, -9)
    launched(run)
    assert diagnose(run).cause is Cause.LOST


@pytest.mark.parametrize("record", ["", "[]", "{", '{"settings": 3, "gpus": "x"}'])
def test_a_broken_record_changes_nothing(run: Run, record: str) -> None:
    run.record_file.write_text(record)
    log(run, "gpu-memory")
    ended(run, 1)
    assert diagnose(run).cause is Cause.GPU_MEMORY


# What the supervisor notes


def kernel(root: Path, *, group: int, machine: int, version: int = 2) -> tuple[Path, Path]:
    proc, cgroups = root / "proc", root / "cgroup"
    own = cgroups / "user/app" if version == 2 else cgroups / "memory/user/app"
    for folder in (proc / "self", own):
        folder.mkdir(parents=True, exist_ok=True)
    line = "0::/user/app\n" if version == 2 else "4:memory:/user/app\n0::/\n"
    (proc / "self" / "cgroup").write_text(line)
    (proc / "vmstat").write_text(f"pgfault 1\noom_kill {machine}\n")
    (proc / "meminfo").write_text("MemTotal:       16777216 kB\nMemFree: 1 kB\n")
    name = "memory.events" if version == 2 else "memory.oom_control"
    (own / name).write_text(f"oom 9\noom_kill {group}\noom_group_kill 0\n")
    return proc, cgroups


@pytest.mark.parametrize("version", [1, 2])
def test_the_kernels_counts_are_read(run: Run, version: int) -> None:
    proc, cgroups = kernel(run.folder, group=2, machine=5, version=version)
    before = evidence.oom_kills(proc, cgroups)
    assert before == OomKills(2, 5)
    kernel(run.folder, group=3, machine=7, version=version)
    run.log_file.write_text("12345")
    noted = evidence.at_exit(run, before, proc=proc, cgroups=cgroups)
    assert (noted["oom_kills"], noted["machine_oom_kills"]) == (1, 2)
    assert (noted["memory"], noted["log_size"]) == (16 * GIB, 5)
    assert noted["disk_free"] > 0
    assert noted["peak_rss"] >= 0


def test_a_container_sees_only_the_root_of_its_own_group(run: Run) -> None:
    proc, cgroups = kernel(run.folder, group=2, machine=5)
    (proc / "self" / "cgroup").write_text("0::/../of/the/host\n")
    (cgroups / "memory.events").write_text("oom_kill 8\n")
    assert evidence.oom_kills(proc, cgroups).group == 8


def test_what_nobody_knows_is_left_out(run: Run) -> None:
    nowhere = run.folder / "nowhere"
    before = evidence.oom_kills(nowhere, nowhere)
    assert before == OomKills(None, None)
    noted = evidence.at_exit(run, before, proc=nowhere, cgroups=nowhere)
    assert set(noted) == {"disk_free", "peak_rss"}
