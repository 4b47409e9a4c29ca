"""Following a run, with a Modal whose every answer a test has written and files on this disk."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ftui.errors import TargetUnavailable
from ftui.plain import follow as plain
from ftui.runs import events, store
from ftui.runs.checkpoints import checkpoints
from ftui.runs.model import Run, RunRecord, RunState
from ftui.runs.stop_on import remember
from ftui.runs.tail import read_history
from ftui.runs.tripwires import Tripwire
from ftui.targets.modal import position, results
from ftui.targets.modal.api import RUNS, STOPS, Api, Outcome, Standing
from ftui.targets.modal.app import place_of
from ftui.targets.modal.failures import Missing, Unreachable
from ftui.targets.modal.follow import Follower
from ftui.targets.remote import contact
from tests.standins.scripted_trainer import save_weights

GOES_ON = None
DONE = Outcome(0)


class Modal(Api):
    """Answers one outcome a look; the last one again and again."""

    def __init__(self, volume: Path, *outcomes: Outcome | Exception | None) -> None:
        super().__init__("ftui-scripted")
        self.volume = volume
        self.outcomes = list(outcomes)
        self.asked: list[str] = []
        self.put: list[tuple[str, str]] = []
        self.cancelled: list[str] = []
        self.stopped = 0
        self.waiting = 0

    async def outcome(self, call_id: str) -> Outcome | None:
        self.asked.append(call_id)
        answer = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sizes(self, folder: str) -> dict[str, int]:
        top = self.volume / folder.lstrip("/")
        files = [path for path in top.rglob("*") if path.is_file()] if top.is_dir() else []
        return {str(path.relative_to(top)): path.stat().st_size for path in files}

    async def read(self, path: str) -> AsyncIterator[bytes]:
        file = self.volume / path
        if not file.is_file():
            raise Missing(f"{path} is not there")
        data = file.read_bytes()
        for begin in range(0, len(data), 7):
            yield data[begin : begin + 7]

    async def upload(self, files: Sequence[tuple[Path | bytes, str]], volume: str = RUNS) -> None:
        self.put += [(volume, there) for _, there in files]

    async def cancel(self, call_id: str) -> None:
        self.cancelled.append(call_id)
        self.outcomes = [Outcome(1, "cancelled")]

    async def standing(self, function: str) -> Standing:
        return Standing(self.waiting, 1 - self.waiting)

    async def stop_app(self) -> None:
        self.stopped += 1


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    made = store.create("scripted")
    store.write_record(made, RunRecord(made.name, "scripted", "Scripted", "modal", time.time(), {}))
    return made


@pytest.fixture
def volume(tmp_path: Path, run: Run) -> Path:
    """The volume of runs; the run has its folders on it."""
    (tmp_path / "volume" / place_of(run) / "feed").mkdir(parents=True)
    return tmp_path / "volume"


def feed(volume: Path, run: Run, text: bytes, number: int = 1) -> None:
    with (volume / place_of(run) / "feed" / f"{number:05d}").open("ab") as file:
        file.write(text)


def event(kind: str, step: int = 0, **values: Any) -> bytes:
    full = {"v": 1, "ts": time.time(), "event": kind, "step": step, "max_steps": 9}
    return b"@ftui " + json.dumps({**full, "values": values}).encode() + b"\n"


def trained(volume: Path, run: Run, *steps: int) -> None:
    """Results on the volume, as `train` sums them up, and checkpoints that stay there."""
    top = volume / place_of(run)
    save_weights_in(top / "out")
    digest = hashlib.sha256((top / "out/adapter_model.safetensors").read_bytes()).hexdigest()
    sums = {"out/adapter_model.safetensors": {"sha256": digest, "size": 1}}
    (top / "results.json").write_text(json.dumps(sums))
    for step in steps:
        folder = top / "out" / f"checkpoint-{step}"
        save_weights_in(folder)
        (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))


def save_weights_in(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(folder)


async def follow(run: Run, modal: Modal, *, call: str = "fc-1") -> None:
    follower = Follower(run, "", 0.0)
    if call:
        follower.begin("train", call)
    await follower.follow(modal)


def own_lines(run: Run) -> list[str]:
    """The log without what ftui itself says."""
    lines = run.log_file.read_text().splitlines()
    return [line for line in lines if not line.startswith("modal:")]


async def test_log_and_events_are_taken_apart_and_the_results_come_home(
    run: Run, volume: Path
) -> None:
    feed(volume, run, b"loading\n" + event("train_begin") + b"@ftui is no event\n[1, 2]\n")
    feed(volume, run, event("log", 9, loss=0.5) + event("saved", 9), number=2)
    trained(volume, run, 4)
    modal = Modal(volume, DONE)
    await follow(run, modal)

    assert own_lines(run) == ["loading", "@ftui is no event", "[1, 2]"]
    history = read_history(run)
    assert history.latest("loss") == 0.5
    assert history.exit_code == 0
    assert store.state(run) is RunState.DONE
    assert checkpoints(run) == []
    assert modal.stopped == 1


async def test_half_a_line_waits_for_its_other_half(run: Run, volume: Path) -> None:
    whole = event("log", 3, loss=0.25)
    feed(volume, run, b"one\n" + whole[:20])
    with pytest.raises(KeyboardInterrupt):
        await follow(run, Interrupted(volume, lambda: None))
    assert own_lines(run) == ["one"]
    assert not run.events_file.exists()

    feed(volume, run, whole[20:] + b"two\n")
    trained(volume, run)
    await follow(run, Modal(volume, DONE), call="")
    assert own_lines(run) == ["one", "two"]
    assert read_history(run).latest("loss") == 0.25


class Interrupted(Modal):
    """One whose follower is killed after the first look."""

    def __init__(self, volume: Path, meanwhile: Any) -> None:
        super().__init__(volume, GOES_ON)
        self.meanwhile = meanwhile

    async def standing(self, function: str) -> Standing:
        self.meanwhile()
        raise KeyboardInterrupt


@pytest.mark.parametrize("lost", ["log", "events", "both"])
async def test_a_follower_killed_before_it_wrote_down_how_far_it_came_doubles_nothing(
    run: Run, volume: Path, lost: str
) -> None:
    text = b"one\n" + event("log", 1, loss=1.0) + b"two\n" + event("log", 2, loss=0.5)
    before = position.Sink(run).position  # nothing taken in yet
    found = position.taken(text.rstrip(b"\n").split(b"\n"))
    if lost in ("log", "both"):
        run.log_file.write_bytes(found.log)
    if lost in ("events", "both"):
        run.events_file.write_bytes(b"".join(line + b"\n" for line in found.events))
    position.write(run, before)

    feed(volume, run, text + b"three\n")
    trained(volume, run)
    await follow(run, Modal(volume, DONE))
    assert own_lines(run) == ["one", "two", "three"]
    assert [point.value for point in read_history(run).series["loss"]] == [1.0, 0.5]
    assert run.events_file.read_bytes().count(b'"log"') == 2


async def test_the_call_that_goes_on_with_the_work_is_followed(run: Run, volume: Path) -> None:
    trained(volume, run)
    modal = Modal(volume, Outcome(0, call="fc-2"), GOES_ON, DONE)
    await follow(run, modal)
    assert modal.asked == ["fc-1", "fc-2", "fc-2"]
    assert position.read(run).call == "fc-2"


async def test_a_lost_connection_is_waited_out(run: Run, volume: Path) -> None:
    trained(volume, run)
    modal = Modal(volume, Unreachable("Modal does not answer"), GOES_ON, DONE)
    await follow(run, modal)
    assert store.state(run) is RunState.STOPPED  # it ended with weights, and told of no steps
    assert read_history(run).exit_code == 0


async def test_a_silence_and_its_end_are_told_once_each(
    run: Run, volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact, "SILENT_SECONDS", 0.0)
    trained(volume, run)
    lost = Unreachable("Modal does not answer")
    await follow(run, Modal(volume, GOES_ON, lost, lost, lost, GOES_ON, DONE))
    log, told = run.log_file.read_text(), run.events_file.read_text()
    assert log.count("nothing is heard from Modal since") == 1
    assert log.count("Modal answers again") == 1
    assert [told.count(f'"event": "{kind}"') for kind in ("silent", "heard")] == [1, 1]
    assert read_history(run).silence is None


async def test_results_wait_for_a_connection_that_is_lost_at_the_end(
    run: Run, volume: Path
) -> None:
    class Silent(Modal):
        left = 9

        async def read(self, path: str) -> AsyncIterator[bytes]:
            self.left -= 1
            if self.left >= 0:
                raise Unreachable("Modal does not answer")
            async for piece in super().read(path):
                yield piece

    trained(volume, run)
    await follow(run, Silent(volume, DONE))
    assert read_history(run).exit_code == 0
    assert "could not be brought home" not in run.log_file.read_text()
    assert (run.output_dir / "adapter_model.safetensors").exists()


async def test_a_silence_costs_no_try_of_bringing_the_results_home(run: Run, volume: Path) -> None:
    class Silent(Modal):
        left = 4

        async def read(self, path: str) -> AsyncIterator[bytes]:
            self.left -= 1
            if self.left >= 0:
                self.outcomes = [TargetUnavailable("Modal refuses the login")]
                raise Unreachable("Modal does not answer")
            async for piece in super().read(path):
                yield piece

    trained(volume, run)
    await follow(run, Silent(volume, DONE))
    assert read_history(run).exit_code == 0
    assert "could not be brought home" not in run.log_file.read_text()


async def test_a_refused_login_is_no_end_of_the_run(run: Run, volume: Path) -> None:
    with pytest.raises(TargetUnavailable, match="refuses"):
        await follow(run, Modal(volume, TargetUnavailable("Modal refuses the login")))
    assert read_history(run).exit_code is None


async def test_an_app_that_was_taken_away_by_hand_ends_the_run(run: Run, volume: Path) -> None:
    class Gone(Modal):
        async def standing(self, function: str) -> Standing:
            raise Missing("there is no such app")

    await follow(run, Gone(volume, GOES_ON, Outcome(1, "Function call was cancelled")))
    assert store.state(run) is RunState.FAILED
    assert "was cancelled" in run.events_file.read_text()


async def test_the_state_is_told_once(
    run: Run, volume: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(volume, run)
    modal = Modal(volume, GOES_ON, GOES_ON, GOES_ON, DONE)
    modal.waiting = 1
    await follow(run, modal)
    assert run.log_file.read_text().count("waiting for a machine (queued)") == 1
    plain.until_ended(run)
    assert capsys.readouterr().out.count("◌ waiting for a machine (queued)\n") == 1


async def test_steps_speak_for_themselves(run: Run, volume: Path) -> None:
    feed(volume, run, event("train_begin") + event("log", 1, loss=1.0))
    trained(volume, run)
    await follow(run, Modal(volume, GOES_ON, GOES_ON, DONE))
    assert "axolotl is at work" not in run.log_file.read_text()


async def test_a_stop_of_a_training_goes_to_the_trainer(run: Run, volume: Path) -> None:
    feed(volume, run, event("train_begin"))
    trained(volume, run)
    run.stop_file.touch()
    events.append(run.events_file, "stop_requested", through="Modal")
    modal = Modal(volume, GOES_ON, GOES_ON, DONE)
    await follow(run, modal)
    assert modal.put == [(STOPS, f"/{place_of(run)}")]
    assert modal.cancelled == []
    assert '"stop_passed_on"' in run.events_file.read_text()


async def test_a_stop_that_did_not_reach_modal_is_not_told_as_one_that_did(
    run: Run, volume: Path
) -> None:
    class Deaf(Modal):
        async def upload(
            self, files: Sequence[tuple[Path | bytes, str]], volume: str = RUNS
        ) -> None:
            assert read_history(run).stop_waits_for == "Modal"
            raise Unreachable("Modal does not answer")

    feed(volume, run, event("train_begin"))
    trained(volume, run)
    run.stop_file.touch()
    events.append(run.events_file, "stop_requested", through="Modal")
    modal = Deaf(volume, GOES_ON, GOES_ON, GOES_ON, DONE)
    await follow(run, modal)
    assert "asked to save and end" not in run.log_file.read_text()
    assert read_history(run).stop_became == "over"


async def test_a_stop_before_that_cancels_the_call(run: Run, volume: Path) -> None:
    run.stop_file.touch()
    modal = Modal(volume, GOES_ON)
    await follow(run, modal)
    assert modal.cancelled == ["fc-1"]
    assert store.state(run) is RunState.STOPPED


async def test_a_tripwire_may_stop_it(run: Run, volume: Path) -> None:
    remember(run, [Tripwire.NAN])
    losses = b"".join(event("log", step, loss="nan", grad_norm="nan") for step in range(1, 16))
    feed(volume, run, event("train_begin") + losses)
    trained(volume, run)
    modal = Modal(volume, GOES_ON, GOES_ON, DONE)
    await follow(run, modal)
    assert modal.put == [(STOPS, f"/{place_of(run)}")]
    assert "--stop-on nan" in read_history(run).stop_reason


async def test_the_newest_whole_checkpoint_of_a_failed_run_comes_home(
    run: Run, volume: Path
) -> None:
    trained(volume, run, 2, 10)
    save_weights_in(volume / place_of(run) / "out" / "checkpoint-11")  # never written to its end
    await follow(run, Modal(volume, Outcome(1, "Runner failed with exit code: -9")))
    assert store.state(run) is RunState.FAILED
    assert [(one.step, one.problem) for one in checkpoints(run)] == [(10, "")]
    assert "its newest checkpoint is here: checkpoint-10" in run.log_file.read_text()


@pytest.mark.parametrize(("noted", "arrives"), [("right", True), ("wrong", False), ("{", True)])
async def test_what_was_noted_of_a_checkpoint_when_it_was_saved_is_what_has_to_arrive(
    run: Run, volume: Path, noted: str, arrives: bool
) -> None:
    trained(volume, run, 2)
    top = volume / place_of(run)
    weights = "out/checkpoint-2/adapter_model.safetensors"
    digest = hashlib.sha256((top / weights).read_bytes()).hexdigest()
    sums = {weights: {"sha256": digest if noted == "right" else "0" * 64}}
    (top / "sums").mkdir()
    (top / "sums" / "checkpoint-2.json").write_text("{" if noted == "{" else json.dumps(sums))
    await follow(run, Modal(volume, Outcome(1, "Runner failed with exit code: -9")))
    assert bool(checkpoints(run)) is arrives
    assert ("arrived damaged" in run.log_file.read_text()) is not arrives


# ── Results ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"out/a": {}}', "cannot be read"),
        ("{}", "no results"),
        ('{"config.yml": {"sha256": "x"}}', "which is no result"),
        ('{"out/../run.json": {"sha256": "x"}}', "which is no result"),
        ('{"/etc/passwd": {"sha256": "x"}}', "which is no result"),
        ('{"out/adapter_model.safetensors": {"sha256": "x"}}', "checksum differs"),
        ('{"out/gone": {"sha256": "x"}}', "is not there"),
    ],
)
async def test_results_that_are_not_what_they_say(
    run: Run, volume: Path, text: str, words: str
) -> None:
    trained(volume, run)
    (volume / place_of(run) / "results.json").write_text(text)
    with pytest.raises(TargetUnavailable, match=words):
        await results.fetch(Modal(volume, DONE), run)
    assert not run.output_dir.exists()


async def test_results_that_never_come_end_it_as_lost_and_say_where_they_are(
    run: Run, volume: Path
) -> None:
    await follow(run, Modal(volume, DONE))
    history = read_history(run)
    assert history.exit_code == 1
    [end] = [line for line in run.events_file.read_text().splitlines() if '"exit"' in line]
    assert f"modal volume get ftui-runs {place_of(run)}/out" in json.loads(end)["values"]["why"]
