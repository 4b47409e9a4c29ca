"""Endpoints on Modal: what travels, what vLLM is told, who is let in. Needs no Modal."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any, ClassVar

import pytest

from ftui.errors import RunFailed, TargetUnavailable, UsageError
from ftui.plain import export
from ftui.runs import endpoints, store
from ftui.runs.model import Run, RunRecord
from ftui.targets.endpoint import Stage
from ftui.targets.modal import app, deployment, gpu, market, modal_app, serving
from ftui.targets.modal.api import Api
from ftui.targets.modal.deployment import Machine, Wanted
from ftui.targets.vllm.command import models_of


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run with an adapter, on nano."""
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    found = Run(tmp_path / "home" / "runs" / "amber")
    found.output_dir.mkdir(parents=True)
    settings = {"base_model": "builtin:nano", "adapter": "lora", "lora_r": 16}
    store.write_record(found, RunRecord("amber", "nano", "", "local", 1.0, settings))
    (found.output_dir / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 16}')
    (found.output_dir / "adapter_model.safetensors").write_text("weights")
    (found.output_dir / "checkpoint-3").mkdir()
    (found.output_dir / "checkpoint-3" / "optimizer.pt").write_text("large")
    return found


def base_at(run: Run, folder: Path, config: str) -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    run.config_file.write_text(config)


def travels(run: Run) -> dict[str, Path | bytes]:
    asked = Wanted(run, "amber-1", app.LEFT, models_of(run), Machine("L4", 1))
    return {there: here for here, there in deployment._files(asked)}


# ── What travels ─────────────────────────────────────────────────────────────────────────────


def test_a_base_model_of_this_machine_travels_and_is_named_where_it_comes_to(
    run: Run, tmp_path: Path
) -> None:
    base = tmp_path / "my model, new"
    base_at(run, base, f"base_model: {base}\ndatasets: [{{path: /home/me/rows.jsonl}}]\n")
    found = travels(run)
    assert set(found) == {
        "out/adapter_config.json",
        "out/adapter_model.safetensors",
        "config.yml",
        "inputs/my_model__new/config.json",
    }
    assert found["config.yml"] == b'{"base_model": "./inputs/my_model__new"}'


def test_what_was_trained_on_modal_keeps_its_config(run: Run) -> None:
    base_at(run, run.folder / "inputs" / "nano", "base_model: ./inputs/nano\nmax_steps: 3\n")
    found = travels(run)
    assert found["config.yml"] == run.config_file
    assert "inputs/nano/config.json" in found


def test_a_base_model_of_the_hub_is_only_named(run: Run) -> None:
    run.config_file.write_text("base_model: org/model\n")
    found = travels(run)
    assert found["config.yml"] == b'{"base_model": "org/model"}'
    assert not any(name.startswith("inputs") for name in found)


def test_a_model_that_was_trained_whole_travels_alone(run: Run) -> None:
    (run.output_dir / "adapter_config.json").unlink()
    (run.output_dir / "model.safetensors").write_text("weights")
    assert "config.yml" not in travels(run)


def test_nothing_to_serve_and_no_login_are_told_before_anything_is_rented(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET", "MODAL_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MODAL_CONFIG_PATH", str(tmp_path / "none.toml"))
    with pytest.raises(TargetUnavailable, match="not logged in to Modal"):
        deployment.wanted(run)
    monkeypatch.setenv("MODAL_TOKEN_ID", "ak-x")
    monkeypatch.setenv("MODAL_TOKEN_SECRET", "as-x")
    (run.output_dir / "adapter_config.json").unlink()
    (run.output_dir / "adapter_model.safetensors").unlink()
    with pytest.raises(RunFailed, match="no model yet"):
        deployment.wanted(run)


def test_the_cheapest_gpu_that_holds_the_model(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODAL_TOKEN_ID", "ak-x")
    monkeypatch.setenv("MODAL_TOKEN_SECRET", "as-x")
    monkeypatch.setattr(market, "current", lambda: (gpu.LISTED, ""))
    run.config_file.write_text("base_model: org/model\n")
    assert deployment.wanted(run).machine.terms.startswith("L4 · $1.1")
    settings = {"base_model": "Qwen/Qwen3-32B", "adapter": "lora", "lora_r": 16}
    store.write_record(run, RunRecord("amber", "nano", "", "local", 1.0, settings))
    assert deployment.wanted(run).machine.terms.startswith("2 × A100-80GB · $5.6")


# ── modal_app.py ─────────────────────────────────────────────────────────────────────────────


def test_ftui_and_the_file_agree() -> None:
    assert deployment.IDLE_SECONDS == modal_app.IDLE_SECONDS
    assert serving._NO_START.strip() == modal_app.NO_START
    assert serving._AWAKE_SECONDS * 2 < modal_app.IDLE_SECONDS
    assert hasattr(modal_app, deployment.APP)
    assert hasattr(modal_app, deployment.FUNCTION)
    assert hasattr(modal_app, deployment.FETCH)


def test_another_gpu_may_serve_than_trained() -> None:
    values = app.Values("amber", "H100:8", 8, 1, 2.0, serve_gpu="L4:1")
    text = app.text(values)
    assert '\nGPU = "H100:8"' in text
    assert '\nSERVE_GPU = "L4:1"' in text


def told(run: Run, monkeypatch: pytest.MonkeyPatch, gpus: int = 1) -> list[str]:
    monkeypatch.setattr(modal_app, "SERVED", run.folder)
    monkeypatch.setattr(modal_app, "SERVE_GPUS", gpus)
    return modal_app.serve_command()


@pytest.mark.parametrize(
    ("adapter", "rank"),
    [
        ({"r": 4}, "8"),
        ({"r": 16}, "16"),
        ({"r": 17}, "32"),
        ({"r": 8, "rank_pattern": {"q_proj": 60}}, "64"),
        ({"r": 8, "rank_pattern": None}, "8"),
    ],
)
def test_vllm_is_told_a_rank_that_it_takes(
    run: Run, monkeypatch: pytest.MonkeyPatch, adapter: Mapping[str, Any], rank: str
) -> None:
    run.config_file.write_text("base_model: ./inputs/nano\n")
    (run.output_dir / "adapter_config.json").write_text(json.dumps(adapter))
    command = told(run, monkeypatch)
    assert command[:3] == ["vllm", "serve", str(run.folder / "inputs/nano")]
    assert command[command.index("--max-lora-rank") + 1] == rank
    assert command[command.index("--lora-modules") + 1] == f"tuned={run.output_dir}"
    assert "--tensor-parallel-size" not in command


def test_several_gpus_share_a_model_and_the_template_is_the_training_s(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.config_file.write_text("base_model: org/model\n")
    (run.output_dir / "chat_template.jinja").write_text("{{ messages }}")
    command = told(run, monkeypatch, gpus=4)
    assert command[2] == "org/model"
    assert command[command.index("--tensor-parallel-size") + 1] == "4"
    template = str(run.output_dir / "chat_template.jinja")
    assert command[command.index("--chat-template") + 1] == template


def test_a_whole_model_is_served_as_tuned(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (run.output_dir / "adapter_config.json").unlink()
    command = told(run, monkeypatch)
    assert command[:5] == ["vllm", "serve", str(run.output_dir), "--served-model-name", "tuned"]
    assert "--enable-lora" not in command


@pytest.mark.filterwarnings("ignore:The serve function is executing locally")
def test_an_endpoint_without_a_key_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VLLM_API_KEY", raising=False)
    with pytest.raises(RuntimeError, match="it has no key"):
        modal_app.serve.local()


def test_what_the_shell_tells_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "SERVE_UNTIL", "SERVE_HOURS", "SERVE_FROM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VLLM_API_KEY", "secret")
    others = dict.fromkeys(("HF_TOKEN", "SERVE_UNTIL", "SERVE_FROM"))
    assert modal_app._of_this_shell() == {"VLLM_API_KEY": "secret", **others}
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setenv("SERVE_HOURS", "2")
    known = modal_app._of_this_shell()
    assert known["HF_TOKEN"] is None, "the workspace's own secret is not to be hidden"
    assert float(known["SERVE_UNTIL"] or 0) == pytest.approx(time.time() + 7200, abs=60)


@pytest.mark.parametrize(
    ("kind", "path", "passes"),
    [
        ("http", "/v1/chat/completions", True),
        ("http", "/health", True),
        ("http", "/invocations", False),
        ("http", "/metrics", False),
        ("http", "/v1", False),
        ("websocket", "/v1/realtime", True),
        ("websocket", "/other", False),
        ("lifespan", "", True),
    ],
)
def test_only_what_asks_for_the_key_is_open(kind: str, path: str, passes: bool) -> None:
    space: dict[str, Any] = {}
    exec(modal_app.GATE, space)
    passed, sent = [], []

    async def vllm(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])

    asyncio.run(space["Gate"](vllm)({"type": kind, "path": path}, None, send))
    assert bool(passed) is passes
    assert bool(sent) is not passes


# ── How a start goes ─────────────────────────────────────────────────────────────────────────


def test_the_end_of_vllm_is_told_with_its_reason_not_the_container_s(tmp_path: Path) -> None:
    log = tmp_path / "serve.log"
    log.write_text(
        "ValueError: vLLM does not yet support DoRA.\n"
        "the endpoint does not begin: vLLM ended with exit code 1\n"
        "RuntimeError: vLLM ended with exit code 1\n"
    )
    with pytest.raises(RunFailed, match="does not start") as caught:
        serving._refuse_ended(start_with(io.StringIO(), log))
    assert caught.value.why == "ValueError: vLLM does not yet support DoRA."
    assert str(log) in caught.value.hint
    log.write_text("killed\nthe endpoint does not begin: vLLM ended with exit code -9\n")
    with pytest.raises(RunFailed) as caught:
        serving._refuse_ended(start_with(io.StringIO(), log))
    assert caught.value.why == "vLLM ended with exit code -9"


def start_with(told: IO[str], log: Path) -> serving._Start:
    """A start that waits for a machine."""
    start = serving._Start(Api("x"), log, told, lambda phase: None, Machine("L4", 1), time.time())
    start.reach(Stage.MACHINE)
    return start


class Errors(BaseHTTPRequestHandler):
    """Answers with an error, and after a few with the way on."""

    left: ClassVar[int] = 0

    def do_GET(self) -> None:
        type(self).left -= 1
        self.send_response(500 if type(self).left >= 0 else 200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"broken")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where something answers that is not ready."""
    monkeypatch.setattr(serving, "_POLL_SECONDS", 0.01)
    with ThreadingHTTPServer(("127.0.0.1", 0), Errors) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


async def test_a_few_errors_are_passed_over(wrong: str) -> None:
    Errors.left = 3
    await serving._wake(wrong)


async def test_nothing_but_errors_is_no_start(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_ERRORS_SECONDS", 0.1)
    Errors.left = 10**6
    with pytest.raises(RunFailed, match="does not start") as caught:
        await serving._wake(wrong)
    assert caught.value.why == "HTTP 500: broken"


# ── ftui export ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "key", ["", "short", "with spaces in it, so no key", "schlüssel-schlüssel"]
)
def test_a_key_that_is_none_is_refused_and_not_repeated(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", key)
    with pytest.raises(UsageError, match="MY_KEY") as caught:
        export._key("MY_KEY")
    assert not key or key not in f"{caught.value}{caught.value.why}{caught.value.hint}"
    monkeypatch.setenv("MY_KEY", "0123456789abcdef")
    assert export._key("MY_KEY") == "0123456789abcdef"


def test_a_target_that_leaves_nothing_in_place(run: Run) -> None:
    with pytest.raises(UsageError, match="local leaves no endpoint in place"):
        export.export(run, "local", None, "MY_KEY", as_json=False)
    with pytest.raises(UsageError, match="no endpoint that was left in place"):
        export.end(run)


# ── What it costs ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("reached", "words"),
    [
        (
            {Stage.IMAGE: 0.0, Stage.MACHINE: 50.0},
            "ended; it cost nothing, there was no machine yet",
        ),
        ({Stage.IMAGE: 0.0, Stage.STARTING: 100.0}, "ended; about $1.12: L4 for 1 h"),
        ({Stage.MACHINE: 1.0, Stage.LOADING: 1900.0}, "ended; about $0.56: L4 for 30 min"),
        ({Stage.MODEL: 100.0}, "ended; about $0.13: a download, without a GPU"),
        (
            {Stage.MODEL: 0.0, Stage.MACHINE: 100.0, Stage.STARTING: 100.0},
            "ended; about $1.12: L4 for 1 h",
        ),
    ],
)
def test_at_the_end_it_is_said_what_it_cost(reached: dict[Stage, float], words: str) -> None:
    assert serving.cost_words(Machine("L4", 1), reached, 3700.0) == words


def test_what_it_cost_ends_with_its_hours(tmp_path: Path) -> None:
    with (tmp_path / "serve.log").open("w") as told:
        until = time.time() - 3600
        start = serving._Start(
            Api("x"), tmp_path / "serve.log", told, lambda phase: None, Machine("L4", 1), until
        )
        start.reached[Stage.STARTING] = time.monotonic() - 5400
        start.tell_cost()
    assert (tmp_path / "serve.log").read_text() == "modal: ended; about $0.56: L4 for 30 min\n"


def test_what_it_cost_is_told_only_of_what_is_gone(run: Run) -> None:
    log = run.folder / "serve.log"
    start = start_with(log.open("w"), log)
    endpoints.note(run, endpoints.Served("modal", start.api.app))
    serving._tell_end(run, start)
    assert log.read_text() == ""
    endpoints.forget(run, start.api.app)
    serving._tell_end(run, start)
    assert log.read_text().startswith("modal: ended; ")
    start.told.close()


def test_a_log_that_finds_no_room_ends_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Path("/dev/full").open("w")  # noqa: SIM115 - closing it is what this is about
    monkeypatch.setattr(serving, "own_log", lambda folder: full)
    with serving._log_in(run.folder) as told:
        start = start_with(told, tmp_path)
        start.tell("uploading the model")
        start.tell_cost()
