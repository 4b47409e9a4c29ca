"""Following a run, with a scripted server and an `ssh` that runs its commands on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftui.runs import events, store
from ftui.runs.checkpoints import checkpoints
from ftui.runs.failures import diagnose
from ftui.runs.model import Run, RunRecord, RunState
from ftui.runs.stop_on import remember
from ftui.runs.tail import EventFollower, read_history
from ftui.runs.tripwires import Tripwire
from ftui.targets.dstack import position, results
from ftui.targets.dstack.api import Api, LogEntry, Unreachable
from ftui.targets.dstack.follow import Follower
from ftui.targets.dstack.login import Login
from ftui.targets.dstack.shell import Shell, ShellFailed
from tests.standins.scripted_trainer import save_weights

SSH = """\
#!/bin/sh
for command in "$@"; do :; done
DSTACK_WORKING_DIR={container} exec sh -c "$command"
"""


class Server(Api):
    """A server whose every answer a test has written: one `Answer` a look."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(Login("main", "http://nowhere", "none"))
        self.answers = list(answers)
        self.printed: dict[str, bytes] = {}
        self.stopped: list[bool] = []
        self.asked = 0
        self.deaf = False

    async def run(self, name: str) -> Any:
        self.asked += 1
        if self.deaf:
            await asyncio.Event().wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer = answer()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def logs(self, run_name: str, submission: str, after: str) -> list[LogEntry]:
        data = self.printed.get(submission, b"")
        lines = data.splitlines(keepends=True)
        pieces = [piece for one in lines for piece in (one[:7], one[7:]) if piece]
        begin = int(after or 0)
        return [LogEntry(str(begin + 1 + n), piece) for n, piece in enumerate(pieces[begin:])]

    async def ssh_key(self) -> str:
        return "key"

    async def stop(self, name: str, *, abort: bool) -> None:
        self.stopped.append(abort)

    async def fleets(self) -> Any:
        return []


def told(status: str, *tries: str, **job: Any) -> dict[str, Any]:
    """What the server says of a run with these tries."""
    data = {"hostname": "10.0.0.1", "username": "u", "dockerized": True, "backend": "aws"}
    told: dict[str, Any] = {"submitted_at": "2026-11-28T10:00:00Z", "status": "failed"}
    listed = [{**told, "id": one} for one in tries or ("one",)]
    listed[-1] |= {"status": status, "job_provisioning_data": {**data, "price": 2.5}, **job}
    return {
        "status": status,
        "submitted_at": "2026-11-28T10:00:00Z",
        "cost": 1.25,
        "run_spec": {"configuration": {"working_dir": "/workspace/x", "idle_duration": 300}},
        "jobs": [{"job_submissions": listed}],
        "latest_job_submission": listed[-1],
    }


def event(kind: str, step: int = 0, **values: Any) -> bytes:
    import json

    full = {"v": 1, "ts": time.time(), "event": kind, "step": step, "max_steps": 9}
    return b"@ftui " + json.dumps({**full, "values": values}).encode() + b"\r\n"


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What `ssh` leads to."""
    folder, programs = tmp_path / "container", tmp_path / "programs"
    folder.mkdir()
    programs.mkdir()
    (programs / "ssh").write_text(SSH.format(container=folder))
    (programs / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    made = store.create("scripted")
    record = RunRecord(made.name, "scripted", "Scripted", "dstack", time.time(), {})
    store.write_record(made, record)
    return made


async def follow(run: Run, server: Server) -> None:
    await Follower(run, run.name, 0.0).follow(server)


def trained(container: Path) -> None:
    """A container whose training has ended: an adapter, and checkpoints of steps 2 and 10."""
    for folder in ("", "checkpoint-2", "checkpoint-10"):
        (container / "out" / folder).mkdir(parents=True, exist_ok=True)
        save_weights(container / "out" / folder)
        if folder:
            step = folder.rpartition("-")[2]
            state = f'{{"global_step": {step}}}'
            (container / "out" / folder / "trainer_state.json").write_text(state)
    (container / "out" / "odd name: ü.txt").write_text("x")


def until_fetched(container: Path) -> Callable[[], Any]:
    def answer() -> Any:
        over = (container / "fetched").exists()
        return told("done", exit_status=0) if over else told("running")

    return answer


async def test_results_come_home_and_only_then_it_is_done(run: Run, container: Path) -> None:
    trained(container)
    server = Server(until_fetched(container))
    server.printed["one"] = (
        event("train_begin") + event("log", 9, loss=0.5) + event("saved", 9) + b"@ftui ready 0\r\n"
    )
    await follow(run, server)

    assert store.state(run) is RunState.DONE
    assert store.has_weights(run)
    assert (run.output_dir / "odd name: ü.txt").read_text() == "x"
    assert not list(run.output_dir.glob("checkpoint-*"))
    assert not (run.folder / "out.part").exists()
    assert "each verified" in run.log_file.read_text()


async def test_after_a_stop_the_newest_checkpoint_comes_along(run: Run, container: Path) -> None:
    trained(container)
    run.stop_file.touch()
    server = Server(until_fetched(container))
    server.printed["one"] = event("train_begin") + event("step", 4) + b"@ftui ready 0\r\n"
    await follow(run, server)

    assert store.state(run) is RunState.STOPPED
    assert [one.step for one in checkpoints(run)] == [10]
    assert checkpoints(run)[0].problem == ""


async def test_a_run_whose_time_is_over_is_stopped_and_can_go_on(run: Run, container: Path) -> None:
    trained(container)
    server = Server(until_fetched(container))
    over = event("stop_requested", 0, why="its time is over: max_duration 12h")
    ends = event("saved", 5) + b"@ftui ready 0\r\n"
    server.printed["one"] = event("train_begin") + event("step", 5) + over + ends
    await follow(run, server)

    assert store.state(run) is RunState.STOPPED
    assert read_history(run).stop_reason == "its time is over: max_duration 12h"
    assert [one.step for one in checkpoints(run)] == [10]


async def test_what_it_waits_for_is_told_once_in_words(run: Run) -> None:
    phases: list[str] = []

    def look(status: str) -> Callable[[], Any]:
        def answer() -> Any:
            phases.append(read_history(run).phase)
            return told(status)

        return answer

    await follow(run, Server(*map(look, ["submitted", "pulling", "pulling"]), told("failed")))
    assert phases[0] == ""
    assert len(set(phases[1:])) == 2
    said = [one.values["words"] for one in EventFollower(run).poll() if one.kind == "phase"]
    assert len(set(said)) == len(said), "each once"


async def test_a_run_whose_results_were_lost_is_not_done(run: Run, container: Path) -> None:
    server = Server(told("running"), told("done", exit_status=0))
    server.printed["one"] = event("train_begin") + event("saved", 9) + b"@ftui ready 0\r\n"
    await follow(run, server)

    assert store.state(run) is RunState.FAILED
    assert "results could not be brought home" in diagnose(run).what


def test_a_file_that_arrives_damaged_is_refused(
    run: Run, container: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(container)
    ssh = tmp_path / "programs" / "ssh"
    ssh.write_text(
        ssh.read_text().replace("exec ", "")
        + f"echo more >>{container}/out/adapter_model.safetensors\n"
    )
    with pytest.raises(ShellFailed, match="checksum differs"):
        results.fetch(Shell(tmp_path / "none", str(container)), run, with_checkpoint=False)
    assert not store.has_weights(run)


async def test_another_try_begins_from_nothing(run: Run, container: Path) -> None:
    reason = {"termination_reason": "interrupted_by_no_capacity"}
    server = Server(
        told("running", "one"),
        told("pending", "one", **reason),
        told("running", "one", "two"),
        told("failed", "one", "two", **reason),
    )
    server.printed["one"] = event("train_begin") + event("log", 1, loss=3.0) + b"half a li"
    server.printed["two"] = event("train_begin") + event("log", 1, loss=2.0)
    await follow(run, server)

    history = read_history(run)
    assert [point.value for point in history.series["loss"]] == [2.0]
    assert history.newest_try.again
    log = run.log_file.read_text()
    assert "half a li\n" in log
    assert "another try" in log
    assert "spot interruption" in diagnose(run).what


async def test_a_server_that_does_not_answer_is_asked_again(
    run: Run, container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftui.targets.remote.contact.SILENT_SECONDS", 0.0)
    shown: list[tuple[str, ...]] = []

    def silent() -> Any:
        shown.append(read_history(run).notices)
        return Unreachable("it does not answer")

    server = Server(*[silent] * 4, told("failed", exit_status=7))
    server.printed["one"] = b"hello\r\n"
    await follow(run, server)
    assert [len(notices) for notices in shown] == [0, 1, 1, 1]
    assert re.search(r"nothing is heard from the dstack server since \d\d:\d\d:\d\d", shown[-1][0])
    assert read_history(run).notices == ()

    log = run.log_file.read_text()
    assert log.count("it does not answer") == 1
    assert log.count("answers again") == 1
    assert log.count("hello\n") == 1
    assert read_history(run).exit_code == 7


async def test_a_run_that_the_server_has_forgotten(run: Run, container: Path) -> None:
    await follow(run, Server(None))
    assert "does not know the run" in diagnose(run).what


async def test_a_later_try_is_told_of_a_stop_as_well(run: Run, container: Path) -> None:
    run.stop_file.touch()
    first, second = told("running"), told("running", "one", "two")
    server = Server(first, first, second, second, told("terminated", "one", "two"))
    await follow(run, server)
    assert server.stopped == [False, False]
    assert store.state(run) is RunState.STOPPED


async def test_another_run_that_has_its_name_since_is_left_alone(run: Run, container: Path) -> None:
    store.write_record(
        run, replace(store.read_record(run), extra={"dstack": {"name": run.name, "id": "ours"}})
    )
    run.stop_file.touch()
    ours, other = told("running") | {"id": "ours"}, told("running") | {"id": "other"}
    server = Server(ours, other)
    await follow(run, server)
    assert server.stopped == []
    assert "does not know the run" in diagnose(run).what


async def test_a_stop_before_training_interrupts_it(run: Run, container: Path) -> None:
    run.stop_file.touch()
    server = Server(told("running"), told("running"), told("terminated"))
    await follow(run, server)
    assert server.stopped == [False]
    assert store.state(run) is RunState.STOPPED


async def test_a_stop_waits_until_the_server_answers(run: Run, container: Path) -> None:
    run.stop_file.touch()
    events.append(run.events_file, "stop_requested", through="dstack")
    waits: list[str] = []

    def silent() -> Any:
        waits.append(read_history(run).stop_waits_for)
        return Unreachable("it does not answer")

    def interrupted() -> Any:
        waits.append(read_history(run).stop_waits_for)
        return told("terminated")

    server = Server(silent, silent, told("running"), told("running"), interrupted)
    os.utime(run.stop_file, (0, 0))
    await follow(run, server)
    assert waits == ["dstack", "dstack", ""]
    assert store.state(run) is RunState.STOPPED
    assert run.stop_file.stat().st_mtime > 0, "impatience begins when it was passed on"


async def test_a_trainer_that_stays_out_of_reach_is_interrupted(
    run: Run, container: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ftui.targets.dstack.follow._UNTOLD_SECONDS", 0.0)
    (tmp_path / "programs" / "ssh").write_text("#!/bin/sh\necho refused >&2; exit 255\n")
    run.stop_file.touch()
    server = Server(told("running"), told("running"), told("terminated"))
    server.printed["one"] = event("train_begin") + event("step", 1)
    await follow(run, server)
    assert server.stopped == [False]
    assert "could not be asked to save" in run.log_file.read_text()
    assert read_history(run).stop_became == "interrupted"
    assert "asked to save and end" not in run.log_file.read_text()


_FAILS_ONCE = """\
#!/bin/sh
here=$(dirname "$0")
case "$*" in *"touch stop"*)
  [ -e "$here/failed" ] || { : >"$here/failed"; echo reset >&2; exit 255; };;
esac
exec "$here/later" "$@"
"""
"""An ssh whose first request to stop is lost; what reads the events is another connection."""


async def test_a_trainer_that_is_out_of_reach_for_a_moment_is_asked_later(
    run: Run, container: Path, tmp_path: Path
) -> None:
    ssh = tmp_path / "programs" / "ssh"
    ssh.rename(ssh.with_name("later"))
    ssh.write_text(_FAILS_ONCE)
    ssh.chmod(0o755)
    run.stop_file.touch()

    def until_asked() -> Any:
        return told("terminated" if (container / "stop").exists() else "running")

    server = Server(until_asked)
    server.printed["one"] = event("train_begin") + event("step", 1)
    await follow(run, server)
    assert server.stopped == []
    assert read_history(run).stop_became == ""
    log = run.log_file.read_text()
    assert log.count("could not be asked to save") == 1
    assert "asked to save and end" in log


async def test_a_stop_that_comes_once_training_has_ended_waits_for_nobody(
    run: Run, container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[str] = []

    def bring(*_: Any, **__: Any) -> int:
        events.append(run.events_file, "stop_requested", through="dstack")
        waits.append(read_history(run).stop_waits_for)
        return 1

    monkeypatch.setattr(results, "fetch", bring)
    server = Server(until_fetched(container))
    server.printed["one"] = event("train_begin") + event("saved", 9) + b"@ftui ready 0\r\n"
    await follow(run, server)
    assert waits == [""]
    assert read_history(run).stop_became == "over"


async def test_a_tripwire_stops_it(run: Run, container: Path) -> None:
    remember(run, (Tripwire.NAN,))
    server = Server(told("running"), told("running"), told("terminated"))
    lost = b"".join(event("log", step, loss="nan", grad_norm="nan") for step in range(1, 16))
    server.printed["one"] = event("train_begin") + lost
    await follow(run, server)
    assert (container / "stop").exists()
    assert "--stop-on nan" in read_history(run).stop_reason


async def test_a_follower_that_comes_later_goes_on_where_the_first_one_was(
    run: Run, container: Path
) -> None:
    server = Server(told("running"), RuntimeError("killed"))
    server.printed["one"] = b"".join(b"line %d\r\n" % n + event("step", n) for n in range(40))
    with pytest.raises(RuntimeError, match="killed"):
        await follow(run, server)
    size = run.log_file.stat().st_size
    assert replace(position.read(run), told="").log_size == size

    server.answers = [told("failed", exit_status=1)]
    server.printed["one"] += b"the end\r\n"
    await follow(run, server)
    lines = [one for one in run.log_file.read_text().splitlines() if not one.startswith("dstack")]
    assert lines == [*(f"line {n}" for n in range(40)), "the end"]
    assert read_history(run).step == 39


async def test_events_are_there_before_the_server_has_them_and_only_once(
    run: Run, container: Path
) -> None:
    told_later = [event("train_begin"), event("log", 1, loss=3.0), event("log", 2, loss=2.0)]
    lines = [one.removeprefix(b"@ftui ").strip() for one in told_later]
    (container / "events.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    server = Server(lambda: told("running"))
    early = asyncio.create_task(Follower(run, run.name, 0.01).follow(server))
    async with asyncio.timeout(30):
        while read_history(run).step < 2:
            await asyncio.sleep(0.01)
    early.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await early

    server.printed["one"] = b"".join(told_later) + event("log", 3, loss=1.0)
    server.answers = [told("running")] * 3 + [told("failed", exit_status=1)]
    await follow(run, server)
    losses = read_history(run).series["loss"]
    assert [point.step for point in losses] == [1, 2, 3]
    assert run.events_file.read_bytes().count(b'"step": 2') == 1
    assert not list(Path(tempfile.gettempdir()).glob("ftui-dstack-*/key"))


async def test_events_go_on_while_the_server_never_answers(run: Run, container: Path) -> None:
    (container / "events.jsonl").write_bytes(b"")
    server = Server(lambda: told("running"))
    following = asyncio.create_task(Follower(run, run.name, 0.01).follow(server))
    async with asyncio.timeout(30):
        while not server.asked:
            await asyncio.sleep(0.01)
        server.deaf = True
        with (container / "events.jsonl").open("ab") as events:
            events.write(event("train_begin").removeprefix(b"@ftui "))
            events.write(event("log", 1, loss=3.0).removeprefix(b"@ftui "))
        while read_history(run).step < 1:
            await asyncio.sleep(0.01)
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following
