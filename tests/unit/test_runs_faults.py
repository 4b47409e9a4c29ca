"""Whatever is wrong with a run's files, each command says so in words, with the right exit code."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ftui import paths
from ftui.cli import _guarded, cli
from ftui.errors import ExitCode
from ftui.runs import process
from ftui.runs.members import members
from ftui.runs.model import Run, RunState
from ftui.targets.local import LocalTarget
from tests.standins import bounds, runs, secrets
from tests.standins.runs import allow, history, state, wait_for

COMMANDS = (
    ("runs",),
    ("--plain", "watch"),
    ("logs",),
    ("stop",),
    ("--plain", "resume"),
    ("--plain", "resume", "--fix", "-y"),
)
NAMES = tuple(" ".join(word for word in command if word[:2] != "--") for command in COMMANDS)
CODES = (ExitCode.OK, ExitCode.RUN_FAILED, ExitCode.USAGE, ExitCode.UNAVAILABLE)


@pytest.fixture
def failed(killed: Run) -> Run:
    """A run that was killed at step 5 of 9; what resumes it comes to its end."""
    allow(killed, 9)
    return killed


class Said:
    """What a command said, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err
        self.all = out + err


@pytest.fixture
def ftui(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs a command; whatever it is, it is no traceback and no unforeseen error."""

    def ftui(*line: str) -> Said:
        code = _guarded(lambda: cli.main(list(line), prog_name="ftui", standalone_mode=False))
        said = Said(code, *capsys.readouterr())
        assert "Traceback" not in said.all or "logs" in line  # the trainer's own
        assert "unexpected" not in said.all, said.all
        assert not paths.log_file().exists()
        assert said.code in CODES
        return said

    return ftui


def each(run: Run) -> Iterator[list[str]]:
    """Every command about this run."""
    for command in COMMANDS:
        yield [*command] if command == ("runs",) else [*command, run.name]


def event(kind: str, step: int = 0, *, at: float = 0.0, v: int = 1, **values: Any) -> str:
    told = {"v": v, "ts": at, "event": kind, "step": step, "max_steps": 9, "values": values}
    return json.dumps(told) + "\n"


# ── Events ───────────────────────────────────────────────────────────────────────────────────

GARBAGE: dict[str, bytes] = {
    "a torn last line": b'{"v": 1, "ts": 17',
    "binary": bytes(range(256)) * 4 + b"\n",
    "a very long line": b'{"v": 1, "event": "' + b"x" * 5_000_000 + b'"}\n',
    "zeroes": bytes(100_000) + b"\n",
    "deeply nested": b"[" * 200_000 + b"\n",
    "events of a newer ftui": event("exit", v=2, code=0).encode(),
    "an event nobody knows": event("weather", 5, sun="yes").encode(),
    "values of other types": (
        b'{"v": 1, "ts": "soon", "event": "log", "step": [1], "values": {"loss": {}}}\n'
        b'{"v": 1, "ts": 1e999, "event": "exit", "step": 1e308, "values": {"code": "no"}}\n'
        b'{"v": 1, "event": "eval", "step": 5, "values": {"eval_loss": ["x"]}}\n'
        b'{"v": 1, "event": "train_begin", "step": 5, "values": {"vocabulary": "many"}}\n'
    ),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_garbage_among_the_events(
    failed: Run, ftui: Callable[..., Said], garbage: bytes, command: tuple[str, ...]
) -> None:
    lines = failed.events_file.read_bytes().splitlines(keepends=True)
    middle = len(lines) // 2
    last = b"" if garbage.endswith(b"\n") else garbage
    failed.events_file.write_bytes(
        b"".join([*lines[:middle], garbage.rstrip(b"\n") + b"\n", *lines[middle:], last])
    )
    said = ftui(*command, *([] if command == ("runs",) else [failed.name]))
    if command[-1] == "resume":
        assert "goes on from step 4" in said.err
        assert said.code == ExitCode.OK


def test_clocks_that_jump(failed: Run, ftui: Callable[..., Said]) -> None:
    now = time.time()
    moments = [now, now + 1, now - 86400, now - 86399, now + 1e9, 0.0, -5.0, now + 2]
    lines = [event("launched"), event("train_begin", at=now)]
    lines += [event("log", 1 + i, at=at, loss=1.0) for i, at in enumerate(moments)]
    failed.events_file.write_text("".join([*lines, event("exit", at=0.0, code=-9)]))
    said = ftui("--plain", "watch", failed.name)
    assert "✗ failed" in said.out
    for line in each(failed):
        ftui(*line)


def test_a_request_to_stop_from_the_future(
    made: list[Run], ftui: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock was set back since: it must not count as just now for an hour."""
    monkeypatch.setattr("ftui.runs.stop._GRACE_SECONDS", 0.2)
    run = runs.make_run(9, "stubborn")
    made.append(run)
    LocalTarget().launch(run)
    allow(run, 1)
    wait_for(lambda: history(run).step == 1, "step 1")
    assert "● " in ftui("stop", run.name).err
    later = time.time() + 3600
    os.utime(run.stop_file, (later, later))
    assert "ended at once" in ftui("stop", run.name).err
    wait_for(lambda: state(run) is RunState.STOPPED, "the end")


# ── The record ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", ["", "{", '{"v": 1, "name"', "[]", "null", "\0\0\0", '"\\ud800"'])
def test_a_torn_record(failed: Run, ftui: Callable[..., Said], text: str) -> None:
    failed.record_file.write_text(text)
    for line in each(failed):
        said = ftui(*line)
        if line[0] == "logs":  # needs no record
            assert (said.code, said.out) == (ExitCode.OK, failed.log_file.read_text())
        elif line != ["runs"]:
            assert said.code == ExitCode.USAGE
            assert "its record cannot be read" in said.err
            assert str(failed.record_file) in said.err


def test_no_record_no_run(failed: Run, ftui: Callable[..., Said]) -> None:
    failed.record_file.unlink()
    for line in each(failed):
        said = ftui(*line)
        if line != ["runs"]:
            assert said.code == ExitCode.USAGE
            assert "there is no run" in said.err


def test_a_run_of_a_newer_ftui(failed: Run, ftui: Callable[..., Said]) -> None:
    record = json.loads(failed.record_file.read_text())
    record |= {"v": 2, "weather": {"sun": True}, "extra": {"stop_on": ["meteor"], "more": [1]}}
    failed.record_file.write_text(json.dumps(record))
    with failed.events_file.open("a") as file:
        file.write(event("tea", 3, v=2, cups=2))
    assert "goes on from step 4" in ftui("--plain", "resume", failed.name).err
    for line in each(failed):
        ftui(*line)


# ── The other files ──────────────────────────────────────────────────────────────────────────


def test_no_log(failed: Run, ftui: Callable[..., Said]) -> None:
    failed.log_file.unlink()
    said = ftui("logs", failed.name)
    assert (said.code, said.out) == (ExitCode.OK, "")
    assert "has printed nothing yet" in said.err
    for line in each(failed):
        ftui(*line)


@pytest.mark.parametrize("name", ["log_file", "events_file", "config_file", "stop_file"])
def test_a_folder_in_the_place_of_a_file(failed: Run, ftui: Callable[..., Said], name: str) -> None:
    path: Path = getattr(failed, name)
    path.unlink(missing_ok=True)
    path.mkdir()
    for line in each(failed):
        ftui(*line)
    if name == "log_file":
        said = ftui("logs", failed.name)
        assert said.code == ExitCode.UNAVAILABLE
        assert f"{path}: a file of the run cannot be used" in said.err
        assert "is a directory" in said.err


@pytest.mark.parametrize("target", ["out", "/dev/null", "/nowhere"])
def test_an_output_folder_that_is_none(failed: Run, ftui: Callable[..., Said], target: str) -> None:
    failed.output_dir.rename(failed.folder / "elsewhere")
    failed.output_dir.symlink_to(target)
    for line in each(failed):
        ftui(*line)


# ── A full disk ──────────────────────────────────────────────────────────────────────────────


def test_a_full_disk_keeps_nobody_from_stopping(made: list[Run], ftui: Callable[..., Said]) -> None:
    run = runs.make_run(9)
    made.append(run)
    LocalTarget().launch(run)
    allow(run, 1)
    wait_for(lambda: history(run).step == 1, "step 1")
    run.stop_file.symlink_to(run.folder / "gone" / "stop")  # cannot be made, nor read
    run.stop_file.unlink()
    with pytest.MonkeyPatch.context() as disk:
        real = os.open

        def full(path: Any, flags: int, *rest: Any, **more: Any) -> int:
            if str(path) == str(run.stop_file):
                raise OSError(28, os.strerror(28), str(path))
            return real(path, flags, *rest, **more)

        disk.setattr(os, "open", full)
        said = ftui("stop", run.name)
    assert "could not be written down (no space left on device)" in said.err
    wait_for(lambda: state(run).ended, "the end")
    assert members(run) == []


def test_a_disk_with_room_for_an_empty_file_only(
    made: list[Run], ftui: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request can be made, its event not: a checkpoint would find no room either."""
    run = runs.make_run(9)
    made.append(run)
    LocalTarget().launch(run)
    allow(run, 1)
    wait_for(lambda: history(run).step == 1, "step 1")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, os.strerror(28))

    sent, send = [], process.send

    def noted(processes: Any, number: signal.Signals) -> None:
        sent.append(number)
        send(processes, number)

    monkeypatch.setattr("ftui.runs.stop.events.append", full)
    monkeypatch.setattr("ftui.runs.stop.process.send", noted)
    said = ftui("stop", run.name)
    assert "it was interrupted" in said.err
    assert sent == [signal.SIGINT]
    wait_for(lambda: state(run).ended, "the end")


def test_a_disk_that_is_full_from_some_moment_on(
    made: list[Run], ftui: Callable[..., Said]
) -> None:
    """The trainer may write files of 3,000 bytes at most: it fails while it saves."""
    run = runs.make_run(9)
    made.append(run)
    script = run.script_file.read_text()
    run.script_file.write_text(script.replace("exec ", "ulimit -f 3\nexec ", 1))
    LocalTarget().launch(run)
    allow(run, 9)
    wait_for(lambda: state(run).ended, "the end")
    said = ftui("--plain", "watch", run.name)
    assert said.code == ExitCode.RUN_FAILED
    assert "✗ failed" in said.out
    assert "larger than" in said.out
    for line in each(run):
        ftui(*line)


# ── Permissions ──────────────────────────────────────────────────────────────────────────────


def bound(*line: str) -> Said:
    """A command of somebody to whom permissions apply."""
    done = bounds.ftui(*line)
    said = Said(done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in said.all
    assert "unexpected" not in said.all, said.all
    return said


@pytest.fixture
def denied() -> Iterator[Callable[[Path, int], None]]:
    """Changes a mode until the test ends."""
    before: list[tuple[Path, int]] = []

    def denied(path: Path, mode: int) -> None:
        before.append((path, path.stat().st_mode))
        path.chmod(mode)

    yield denied
    for path, mode in reversed(before):
        path.chmod(mode)


def test_a_run_that_may_only_be_read(failed: Run, denied: Callable[[Path, int], None]) -> None:
    for path in (failed.events_file, failed.log_file, failed.record_file, failed.folder):
        denied(path, 0o555)
    assert "✗ failed" in bound("--plain", "watch", failed.name).out
    assert bound("logs", failed.name).code == ExitCode.OK
    assert failed.name in bound("--plain", "runs").out
    said = bound("--plain", "resume", failed.name)
    assert said.code == ExitCode.UNAVAILABLE
    assert "permission denied" in said.err


def test_a_home_that_may_only_be_read(failed: Run, denied: Callable[[Path, int], None]) -> None:
    for path in (paths.runs_dir(), paths.home()):
        denied(path, 0o555)
    assert failed.name in bound("--plain", "runs").out
    said = bound("--preset", "nano-sql-lora", "--dry-run")
    assert said.code == ExitCode.UNAVAILABLE
    assert "permission denied" in said.err


@pytest.mark.parametrize("command", COMMANDS[1:], ids=NAMES[1:])
@pytest.mark.parametrize("name", ["output_dir", "events_file", "log_file", "record_file"])
def test_what_may_not_be_read(
    failed: Run, denied: Callable[[Path, int], None], name: str, command: tuple[str, ...]
) -> None:
    denied(getattr(failed, name), 0)
    said = bound(*command, failed.name)
    assert said.code in CODES
    if name in ("events_file", "record_file") and command != ("logs",):
        assert "permission denied" in said.err.lower()


# ── Secrets ──────────────────────────────────────────────────────────────────────────────────


def test_no_secret_of_the_environment_is_left_in_a_file(
    made: list[Run], monkeypatch: pytest.MonkeyPatch, ftui: Callable[..., Said]
) -> None:
    values = secrets.plant(monkeypatch)
    run = runs.make_run(9, "memory", "micro_batch_size: 4\n")
    made.append(run)
    LocalTarget().launch(run)
    allow(run, 9)
    wait_for(lambda: history(run).exit_code is not None, "the failure")
    assert "✓ done" in ftui("--plain", "resume", run.name, "--fix", "-y").out
    ftui("logs", run.name)
    assert secrets.found(values, paths.home()) == []
