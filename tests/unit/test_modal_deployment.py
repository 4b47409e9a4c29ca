"""What is written, priced and told for an endpoint on Modal. Needs no Modal."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest

from ftui.errors import UsageError
from ftui.runs import store
from ftui.runs.model import Run, RunRecord
from ftui.targets.modal import app, deployment, gpu, market, modal_app, submit, volume
from ftui.targets.modal.api import RUNS, Api
from ftui.targets.modal.deployment import Machine, Wanted
from ftui.targets.stored import Heap, StoredFile, heaps
from ftui.targets.vllm.command import models_of

NOW = gpu.LISTED.as_told({"gpu_hour_cost_l4": 9.0}, "Modal's rates of 14:05")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run with an adapter on a model of the hub, trained on Modal for $10 at most."""
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    found = Run(tmp_path / "home" / "runs" / "amber")
    found.output_dir.mkdir(parents=True)
    settings = {"base_model": "org/model", "adapter": "lora", "lora_r": 16}
    extra = {"modal": {"options": {"gpu": "H100", "max_dollars": 10.0}}}
    record = RunRecord("amber", "nano", "", "modal", 1.0, settings)
    store.write_record(found, replace(record, gpus=1, extra=extra))
    found.config_file.write_text("base_model: org/model\n")
    (found.output_dir / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 16}')
    (found.output_dir / "adapter_model.safetensors").write_text("weights")
    return found


def asked(run: Run) -> Wanted:
    return Wanted(run, app.place_of(run), app.LEFT, models_of(run), Machine("L4", 1, NOW))


class Modal(Api):
    """Notes what is uploaded, and to where."""

    def __init__(self) -> None:
        super().__init__("ftui-x-serve")
        self.there: list[str] = []

    async def has_secret(self, name: str) -> bool:
        return True

    async def upload(self, files: Sequence[tuple[Path | bytes, str]], volume: str = RUNS) -> None:
        self.there += [there for _, there in files]

    async def url(self, function: str) -> str:
        return "https://x"


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the command that deploys has in its environment, once it was run."""
    given: dict[str, str] = {}

    async def modal(*arguments: str, variables: dict[str, str], **rest: Any) -> None:
        given.update(variables)

    monkeypatch.setattr(deployment, "modal", modal)
    return given


async def test_an_endpoint_has_a_folder_of_its_own(
    run: Run, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    api, place = Modal(), app.place_of(run)
    await deployment.put(api, asked(run), "key", None, lambda words: None)
    assert set(api.there) == {
        f"/{place}/endpoint/serve/config.yml",
        f"/{place}/endpoint/serve/out/adapter_config.json",
        f"/{place}/endpoint/serve/out/adapter_model.safetensors",
    }
    for name in variables:
        monkeypatch.setenv(name, variables[name])
    assert modal_app._of_this_shell()["SERVE_FROM"] == "endpoint/serve"


async def test_its_end_is_the_one_that_was_told_whatever_the_shell_has(
    run: Run, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVE_HOURS", "99")
    for until in (2000.5, None):
        await deployment.put(Modal(), asked(run), "key", until, lambda words: None)
        for name in variables:
            monkeypatch.setenv(name, variables[name])
        told = modal_app._of_this_shell()["SERVE_UNTIL"]
        assert (float(told) if told else None) == until


async def test_the_file_still_trains_as_it_was_launched(run: Run, variables: Any) -> None:
    submit.remember(run, {"app": "ftui-x", "an_hour": {"train": 20.0}})
    values = app.Values(app.place_of(run), "H100:1", 1, 3, 0.5, secrets=("wandb",))
    (run.folder / app.FILE).write_text(app.text(values))
    for _ in range(2):
        await deployment.put(Modal(), asked(run), "key", None, lambda words: None)
    text = (run.folder / app.FILE).read_text()
    assert "\nMAX_HOURS = 0.5 " in text, "ten dollars at what an hour cost then"
    assert '\nGPU = "H100:1"' in text
    assert '\nSERVE_GPU = "L4:1"' in text
    assert app.secrets_in(run.folder / app.FILE) == ("wandb", "huggingface")


def test_it_is_chosen_and_priced_at_the_rates_of_now(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODAL_TOKEN_ID", "ak-x")
    monkeypatch.setenv("MODAL_TOKEN_SECRET", "as-x")
    terms = {}
    for rates in (NOW, gpu.LISTED):
        monkeypatch.setattr(market, "current", lambda rates=rates: (rates, ""))
        terms[rates.source] = deployment.wanted(run).machine.terms
    assert terms == {
        NOW.source: "A10 · $1.42/h",
        gpu.LISTED.source: "L4 · $1.12/h (Modal's list of 2026-07-01)",
    }


# ── What the volume keeps ────────────────────────────────────────────────────────────────────


def test_what_an_endpoint_reads_is_a_heap_that_stays_as_long_as_it_is_served(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [StoredFile(path, 1, 1.0) for path in ("out/adapter", "endpoint/1a2b/out/adapter")]
    found: dict[str, Heap] = {heap.name: heap for heap in heaps(files)}
    assert list(found) == ["weights", "endpoint", "everything"]
    assert found["endpoint"].folder == app.ENDPOINT

    class There(Api):
        async def __aenter__(self) -> Self:
            return self

        async def is_deployed(self) -> bool:
            return self.app.endswith("-1a2b")

    monkeypatch.setattr(volume, "Api", There)
    for name in ("endpoint", "everything"):
        with pytest.raises(UsageError, match="the endpoint of amber reads it"):
            volume.discard(run, found[name])


# ── In its container ─────────────────────────────────────────────────────────────────────────


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the container asks of Modal at its end."""
    asked: list[str] = []
    monkeypatch.setattr(modal_app, "serve_app", SimpleNamespace(stop=lambda: asked.append("app")))
    stopping = "modal.experimental.stop_fetching_inputs"
    monkeypatch.setattr(stopping, lambda: asked.append("container"))
    return asked


def test_a_container_without_its_vllm_ends_and_the_endpoint_stays(ended: list[str]) -> None:
    with subprocess.Popen(["true"]) as vllm:
        vllm.wait()
        modal_app._end_in_time(vllm, time.time() + 60)
    assert ended == ["container"]


def test_nothing_is_loaded_once_the_time_is_up(
    ended: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "key")
    monkeypatch.setenv("SERVE_UNTIL", "1.0")
    monkeypatch.setattr(modal_app, "_start", lambda *_, **__: pytest.fail("vLLM was started"))
    with pytest.raises(RuntimeError, match="its time is up"):
        modal_app._begin()
    assert ended == ["app", "container"]


# ── In the container of a training ───────────────────────────────────────────────────────────


def test_a_stop_at_the_end_of_a_long_try_is_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modal_app, "_sum_up", lambda with_checkpoint: None)
    monkeypatch.setattr(modal_app, "_commit", lambda: None)
    monkeypatch.setattr(modal_app, "_next_try", lambda: SimpleNamespace(object_id="fc-2"))
    status: Any = SimpleNamespace(seconds=1.0, ended=lambda code, why: {"code": code})
    watch: Any = SimpleNamespace(out_of_time=True, asked_to_stop=False)
    assert modal_app._outcome(0, watch, status) == {"call": "fc-2"}
    watch.asked_to_stop = True
    assert modal_app._outcome(0, watch, status) == {"code": 0}
