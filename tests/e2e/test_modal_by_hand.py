"""modal_app.py exactly as it lies in a run folder, used with Modal's own command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftui.errors import UsageError
from ftui.runs.model import Run
from ftui.targets.modal.app import place_of
from ftui.targets.resume import resume
from tests.standins.modal_server.lab import Lab, lab
from tests.standins.modal_server.people import LIMIT, let, plan_of, prepared
from tests.standins.modal_server.worker import OK, TIMED_OUT
from tests.standins.runs import wait_for

STEPS = 6


@pytest.fixture(scope="module")
def modal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("modal")) as made:
        yield made


@pytest.fixture
def run(modal: Lab, home: Path) -> Iterator[Run]:
    """A run that was only written (`--dry-run`)."""
    modal.play_scripted(STEPS)
    yield prepared(plan_of())
    modal.mend()


def by_hand(modal: Lab, run: Run, *arguments: str) -> str:
    """What `modal …` prints in the run folder. ftui is not importable there."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "modal", *arguments],
        cwd=run.folder,
        env={**os.environ, **modal.env, "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def results(modal: Lab) -> list[int]:
    wait_for(lambda: not modal.at_work(), "the end of every call", LIMIT)
    return [call.result.status for call in modal.calls if call.result]


def test_it_imports_no_ftui(run: Run) -> None:
    text = (run.folder / "modal_app.py").read_text()
    assert not re.search(r"^\s*(import|from) ftui", text, re.MULTILINE)


def test_deployed_twice_it_is_one_app(modal: Lab, run: Run) -> None:
    for _ in range(2):
        assert "App deployed" in by_hand(modal, run, "deploy", "modal_app.py")
    assert modal.deployed() == [f"ftui-{place_of(run)}"]
    assert modal.at_work() == []


def test_one_command_uploads_and_trains_and_merge_is_another(modal: Lab, run: Run) -> None:
    container = modal.kept(run)
    before = len(modal.calls)
    modal.allow(run, STEPS)
    assert "started: fc-" in by_hand(modal, run, "run", "--detach", "modal_app.py")
    assert results(modal)[before:] == [OK, OK]  # prepare, train
    assert (container / "out" / "adapter_model.safetensors").is_file()
    assert (container / "results.json").is_file()

    modal.play('echo "$*" >merged; mkdir -p out/merged')
    by_hand(modal, run, "run", "modal_app.py::merge")
    assert (container / "merged").read_text() == ("merge-lora config.yml --lora-model-dir=out\n")
    listed = by_hand(modal, run, "volume", "ls", "ftui-runs", f"{place_of(run)}/out")
    assert "adapter_model.safetensors" in listed


def test_what_was_trained_by_hand_is_not_cleared_away_by_a_launch(
    modal: Lab, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    modal.allow(run, STEPS)
    by_hand(modal, run, "run", "--detach", "modal_app.py")
    results(modal)
    weights = modal.kept(run) / "out" / "adapter_model.safetensors"
    assert weights.is_file()
    for name, value in modal.env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="was trained on Modal already, started by hand"):
        resume(run)
    assert weights.is_file()
    assert not modal.at_work()


def test_the_base_model_of_an_endpoint_is_downloaded_by_a_command_of_its_own(
    modal: Lab, run: Run
) -> None:
    run.config_file.write_text("base_model: org/small\n")
    by_hand(modal, run, "deploy", "modal_app.py")  # which makes the volumes
    by_hand(modal, run, "volume", "put", "ftui-runs", "config.yml", f"{place_of(run)}/config.yml")
    modal.play("echo got $2", "hf")
    assert "got org/small" in by_hand(modal, run, "run", "modal_app.py::fetch")


def test_a_try_that_is_as_long_as_a_function_may_be_is_followed_by_another(
    modal: Lab, run: Run
) -> None:
    change(run, TRY_HOURS="0.0005")
    modal.allow(run, 3)
    before = len(modal.calls)
    by_hand(modal, run, "run", "--detach", "modal_app.py")
    wait_for(lambda: len(modal.calls) - before >= 4, "another call", LIMIT)  # prepare, train × 3
    let(modal, run, STEPS)
    assert set(results(modal)[before:]) == {OK}
    truth = (modal.container(run) / "truth").read_text().split()
    assert [one for one in truth if one.startswith("log:")] == [
        f"log:{step}" for step in range(1, STEPS + 1)
    ]


def test_a_try_that_heeds_nothing_is_ended_by_modal(modal: Lab, run: Run) -> None:
    change(run, MAX_HOURS="0.0003", GRACE_SECONDS="2", RETRIES="0")
    begun = '{"v": 1, "ts": 1, "event": "train_begin", "step": 0, "max_steps": 6}'
    modal.play(f"echo '{begun}' >>events.jsonl; sleep 600")
    before = len(modal.calls)
    by_hand(modal, run, "run", "--detach", "modal_app.py")
    assert results(modal)[before:] == [OK, TIMED_OUT]


def change(run: Run, **values: str) -> None:
    """Change constants of the file, as a person does."""
    file = run.folder / "modal_app.py"
    text = file.read_text()
    for name, value in values.items():
        text, count = re.subn(rf"^{name} = [\d.]+", f"{name} = {value}", text, flags=re.MULTILINE)
        assert count == 1
    file.write_text(text)
