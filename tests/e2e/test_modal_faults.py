"""What can go wrong with a run on Modal: told in words, refused in time, nothing left at work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from grpclib import GRPCError, Status

from ftui.errors import ConfigError, TargetUnavailable, UsageError
from ftui.plain import follow as plain
from ftui.runs import store
from ftui.runs.model import Run, RunState
from ftui.targets.modal.app import place_of
from ftui.targets.modal.target import ModalTarget
from tests.standins import secrets
from tests.standins.modal_server.lab import Lab, lab
from tests.standins.modal_server.people import (
    LIMIT,
    come_to_end,
    end_follower,
    launched,
    log_of,
    plan_of,
    prepared,
)
from tests.standins.runs import failure_words, history, state, wait_for

SAVES = "mkdir -p out; echo weights >out/adapter_model.safetensors"
SECRET = "not-a-real-key"


@pytest.fixture(scope="module")
def modal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("modal")) as made:
        yield made


@pytest.fixture(autouse=True)
def logged_in(modal: Lab, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A person who is logged in; nothing of theirs is at work afterwards."""
    for name, value in modal.env.items():
        monkeypatch.setenv(name, value)
    for name in secrets.NAMES:
        monkeypatch.delenv(name, raising=False)
    modal.play(SAVES)
    yield
    for run in store.list_runs():
        end_follower(run)
    modal.mend()


def holding(folder: Path, text: str) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if text.encode() in path.read_bytes()]


# ── Refused before anything runs ─────────────────────────────────────────────────────────────


def refused(modal: Lab, run: Run) -> TargetUnavailable:
    calls = len(modal.calls)
    with pytest.raises(TargetUnavailable) as caught:
        ModalTarget().launch(run)
    assert state(run) is RunState.CREATED
    assert len(modal.calls) == calls
    assert modal.deployed() == []
    return caught.value


@pytest.mark.parametrize(
    ("change", "words", "hint"),
    [
        ({"MODAL_TOKEN_SECRET": "as-wrong"}, "refuses the login", "modal setup"),
        ({"MODAL_SERVER_URL": "http://127.0.0.1:9"}, "does not answer", "status.modal.com"),
        ({"MODAL_TOKEN_ID": ""}, "not logged in", "modal token set"),
    ],
)
def test_a_login_that_does_not_work(
    modal: Lab,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, str],
    words: str,
    hint: str,
) -> None:
    run = prepared(plan_of())
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    error = refused(modal, run)
    assert words in error.what
    assert hint in error.hint
    assert error.exit_code == 3


def test_a_secret_that_the_run_needs_and_nobody_has(modal: Lab) -> None:
    error = refused(modal, prepared(plan_of(wandb_project="ftui")))
    assert "'wandb'" in error.what
    assert "modal secret create wandb WANDB_API_KEY=" in error.hint


def test_a_config_that_was_edited_into_a_mistake(modal: Lab) -> None:
    run = prepared(plan_of())
    run.config_file.write_text(run.config_file.read_text() + "\nlearning_rat: 0.1\n")
    with pytest.raises(ConfigError, match="learning_rat") as caught:
        ModalTarget().launch(run)
    assert "learning_rate" in caught.value.hint
    assert caught.value.exit_code == 2
    assert modal.at_work() == []


def test_a_config_that_this_gpu_cannot_train(modal: Lab) -> None:
    plan = replace(plan_of("qwen3-4b-lora", bf16=True), machine={"gpu": "T4"})
    with pytest.raises(ConfigError, match="bf16"):
        ModalTarget().launch(prepared(plan))
    assert modal.at_work() == []


def test_a_run_folder_without_its_config(modal: Lab) -> None:
    run = prepared(plan_of())
    run.config_file.unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        ModalTarget().launch(run)
    assert modal.at_work() == []


@pytest.mark.parametrize("machine", [{"gpu": "FOO"}, {"gpu": "H100:0"}, {"gpu": "H100:2"}])
def test_a_gpu_that_modal_has_not(modal: Lab, machine: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        prepared(replace(plan_of(), machine=machine))
    assert caught.value.hint
    assert caught.value.exit_code == 2


# ── Found out later ──────────────────────────────────────────────────────────────────────────


def failed(modal: Lab, run: Run) -> str:
    come_to_end(run)
    assert state(run) is RunState.FAILED
    assert modal.at_work() == []
    return failure_words(run)


def not_taken(modal: Lab, run: Run) -> str:
    """The same of a run that Modal could not take: nothing runs, nothing is in place, exit 3."""
    words = failed(modal, run)
    assert modal.calls_of(run) == []
    assert modal.deployed() == []
    assert plain.until_ended(run) == 3
    return words


def test_an_image_that_cannot_be_built(modal: Lab) -> None:
    modal.state.faults.image_error = "manifest unknown: axolotlai/axolotl:main-latest"
    modal.state.images.clear()
    words = not_taken(modal, run := launched())
    assert "modal_app.py could not be deployed" in words
    assert "manifest unknown" in words
    assert "building the image" in log_of(run)


def test_a_volume_that_is_full(modal: Lab) -> None:
    full = GRPCError(Status.RESOURCE_EXHAUSTED, "the volume has no room left")
    modal.state.faults.refusals["VolumePutFiles2"] = [full] * 20
    words = not_taken(modal, launched())
    assert "the run could not be uploaded" in words
    assert "no room left" in words


def test_a_quota_that_is_used_up(modal: Lab) -> None:
    used_up = GRPCError(Status.RESOURCE_EXHAUSTED, "the workspace has reached its spend limit")
    modal.state.faults.refusals["FunctionMap"] = [used_up] * 20
    words = not_taken(modal, launched())
    assert "the training could not be started" in words
    assert "spend limit" in words


def test_a_volume_that_fills_up_is_told_and_not_paid_for_again(modal: Lab) -> None:
    begun = '{"v": 1, "ts": 1, "event": "train_begin", "step": 0, "max_steps": 6}'
    full = "OSError: [Errno 28] No space left on device"
    modal.play(f"echo '{begun}' >>events.jsonl; sleep 1; echo '{full}'; exit 1")
    words = failed(modal, run := launched())
    assert "the volume ftui-runs is full" in words
    [call] = modal.calls_of(run)
    assert call.retries == 0


def test_results_that_arrive_damaged_are_not_taken_for_good(modal: Lab) -> None:
    modal.state.faults.damages = "/out/"
    words = failed(modal, run := launched())
    assert "could not be brought home" in words
    assert f"modal volume get ftui-runs {place_of(run)}/out" in words
    assert not (run.output_dir / "adapter_model.safetensors").exists()


# ── Secrets ──────────────────────────────────────────────────────────────────────────────────


def test_a_secret_of_the_workspace_is_named_in_the_file_and_reaches_the_trainer(
    modal: Lab, home: Path
) -> None:
    modal.secret("wandb", WANDB_API_KEY=SECRET)
    modal.play(f'[ "$WANDB_API_KEY" = {SECRET} ] && echo it came\n{SAVES}')
    run = launched(plan_of(wandb_project="ftui"))
    come_to_end(run)
    assert history(run).exit_code == 0
    assert "it came\n" in log_of(run)
    assert 'SECRETS: list[str] = ["wandb"]' in (run.folder / "modal_app.py").read_text()
    assert holding(home, SECRET) == []


def test_a_secret_of_the_environment_is_sent_for_this_run_alone(
    modal: Lab, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    script = f'[ "$HF_TOKEN" = {SECRET} ] && echo $0 has it'
    modal.play(f"{script}\n{SAVES}")
    modal.play(script, "hf")
    modal.play(script, "python")
    run = launched(replace(plan_of("qwen3-4b-lora"), machine={"gpu": "a100-80gb"}))
    come_to_end(run)
    assert history(run).exit_code == 0, failure_words(run)
    log = log_of(run)
    assert "hf has it\n" in log
    assert "python has it\n" in log
    assert "axolotl has it\n" in log
    assert holding(home, SECRET) == []
    assert SECRET not in str(modal.state.secret_names)


# ── Money ────────────────────────────────────────────────────────────────────────────────────


def test_model_and_rows_are_downloaded_where_no_gpu_is_paid_for(modal: Lab) -> None:
    modal.play("echo downloaded $*", "hf")
    modal.play('echo "rows: $3"', "python")
    run = launched(replace(plan_of("qwen3-4b-lora"), machine={"gpu": "h100", "max_hours": "2"}))
    come_to_end(run)
    assert [call.gpus for call in modal.calls_of(run)] == [[""], ["H100:1"]]
    log = log_of(run)
    assert "downloaded download " in log
    assert 'rows: {"path": ' in log
    assert "1 × H100 · $4." in log
    assert "at most 2 h ($8." in log


def test_a_base_model_that_may_not_be_downloaded_costs_no_gpu(modal: Lab) -> None:
    modal.play("echo 401 Client Error; exit 1", "hf")
    words = failed(modal, run := launched(plan_of("qwen3-4b-lora")))
    assert "could not be downloaded" in words
    assert [call.gpus for call in modal.calls_of(run)] == [[""]]
    assert "401 Client Error" in log_of(run)


def test_waiting_for_a_machine_is_told(modal: Lab) -> None:
    modal.machines(there=False)
    run = launched()
    wait_for(lambda: "waiting for a machine (queued)" in log_of(run), "the queue", LIMIT)
    modal.machines(there=True)
    come_to_end(run)
    assert history(run).exit_code == 0
