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

from ftui.errors import TargetUnavailable, UsageError
from ftui.runs import endpoints, store
from ftui.runs.endpoints import Served
from ftui.runs.model import Run, RunRecord
from ftui.targets.modal import app, deployment, export, gpu, market, modal_app, submit, volume
from ftui.targets.modal.api import RUNS, Api, Outcome
from ftui.targets.modal.deployment import Machine, Wanted
from ftui.targets.modal.failures import Unreachable
from ftui.targets.remote import patience
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


# ── Putting it in place ──────────────────────────────────────────────────────────────────────


class Exports(Modal):
    """A connection that is there at once, and whose answers a test says."""

    def __init__(self, *outcomes: Outcome | Unreachable | None) -> None:
        super().__init__()
        self.outcomes = list(outcomes)

    async def __aenter__(self) -> Self:
        return self

    async def spawn(self, *_: Any, failed: str) -> str:
        return failed

    async def outcome(self, call_id: str) -> Outcome | None:
        answer = self.outcomes.pop(0)
        if isinstance(answer, Unreachable):
            raise answer
        return answer


@pytest.mark.parametrize("wrong", [TargetUnavailable("no room"), OSError("no room")])
def test_an_endpoint_that_is_not_replaced_is_noted_as_it_was(
    run: Run, monkeypatch: pytest.MonkeyPatch, wrong: Exception
) -> None:
    noted: list[Sequence[Served]] = []
    ended: list[str] = []

    async def put(*_: Any) -> str:
        noted.append(endpoints.known(run))
        raise wrong

    monkeypatch.setattr(deployment, "wanted", asked)
    monkeypatch.setattr(deployment, "put", put)
    monkeypatch.setattr(export, "Api", lambda name: Exports())
    monkeypatch.setattr(export, "end", lambda run, app: ended.append(app))
    lasting = Served("modal", asked(run).app)
    endpoints.note(run, lasting)
    with pytest.raises(type(wrong), match="no room"):
        export.export(run, "key", 2.0, lambda words: None)
    [[meanwhile]] = noted
    assert meanwhile.until is not None, "who looks meanwhile sees what is being put in place"
    assert endpoints.known(run) == (lasting,)
    assert ended == []
    endpoints.forget(run, lasting.name)
    with pytest.raises(type(wrong), match="no room"):
        export.export(run, "key", None, lambda words: None)
    assert ended == [lasting.name], "a new one goes again, whatever there is of it"


async def test_a_download_waits_for_a_silent_modal_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deployment, "_POLL_SECONDS", 0.0)
    monkeypatch.setattr(patience, "_PAUSE_SECONDS", 0.0)
    told: list[str] = []
    silent = Unreachable("Modal does not answer")
    await deployment.fetch(Exports(None, silent, silent, None, Outcome(0)), told.append)
    assert told == ["Modal does not answer; this tries again for a while"]
    monkeypatch.setattr(patience, "_SECONDS", -1.0)
    with pytest.raises(Unreachable):
        await deployment.fetch(Exports(None, silent), told.append)


# ── What the volume keeps ────────────────────────────────────────────────────────────────────


def test_what_an_endpoint_reads_is_a_heap_that_stays_as_long_as_it_is_served(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [StoredFile(path, 1, 1.0) for path in ("out/adapter", "endpoint/1a2b/out/adapter")]
    found: dict[str, Heap] = {heap.name: heap for heap in heaps(files)}
    assert list(found) == ["weights", "endpoint", "everything"]
    assert found["endpoint"].folder == app.ENDPOINT

    there(monkeypatch, "1a2b")
    for name in ("endpoint", "everything"):
        with pytest.raises(UsageError, match="the endpoint of amber reads it"):
            volume.discard(run, found[name])


def there(monkeypatch: pytest.MonkeyPatch, *names: str) -> list[str]:
    """Have endpoints of these names on Modal; what is removed from the volume."""
    removed: list[str] = []

    class There(Api):
        async def __aenter__(self) -> Self:
            return self

        async def is_deployed(self) -> bool:
            return self.app.rpartition("-")[2] in names

        async def remove(self, path: str, volume: str = RUNS) -> None:
            removed.append(path)

    monkeypatch.setattr(volume, "Api", There)
    return removed


def test_one_that_was_deployed_by_hand_reads_the_run_s_own_files(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = ("out/adapter", "out/checkpoint-3/x", "inputs/rows", "feed/00001", "config.yml")
    found = {heap.name: heap for heap in heaps(StoredFile(path, 1, 1.0) for path in paths)}
    removed = there(monkeypatch, app.LEFT)
    for name in ("weights", "inputs", "other", "everything"):
        with pytest.raises(UsageError, match="reads it") as caught:
            volume.discard(run, found[name])
        assert f"modal app stop {app.endpoint_app(app.place_of(run))}" in caught.value.hint
    assert removed == []
    for name in ("checkpoint-3", "log"):
        volume.discard(run, found[name])
    endpoints.note(run, Served("modal", app.endpoint_app(app.place_of(run))))
    volume.discard(run, found["weights"])  # ftui's own has files of its own
    top = f"/{app.place_of(run)}"
    assert removed == [f"{top}/{path}" for path in ("out/checkpoint-3", "feed", "out/adapter")]


def test_what_a_chat_uploads_at_this_moment_stays(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed = there(monkeypatch)
    endpoints.note(run, Served("modal", app.endpoint_app(app.place_of(run), "1a2b")))
    files = [StoredFile("endpoint/1a2b/out/adapter", 1, 1.0), StoredFile("out/adapter", 1, 1.0)]
    found = {heap.name: heap for heap in heaps(files)}
    for name in ("endpoint", "everything"):
        with pytest.raises(UsageError, match="reads it") as caught:
            volume.discard(run, found[name])
        assert "leave its chat" in caught.value.hint
    volume.discard(run, found["weights"])
    assert removed == [f"/{app.place_of(run)}/out/adapter"]


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
