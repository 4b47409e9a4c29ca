"""`ftui fit`: what it prints, how it ends, and what it says when it cannot say."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ftui.plan.presets import catalogue, find
from ftui.runs import store
from ftui.runs.model import RunRecord
from tests.unit.command import Ended, ftui

LLAMA = {
    "model_type": "llama",
    "hidden_size": 2048,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 8192,
    "vocab_size": 128256,
    "tie_word_embeddings": True,
}
CONFIG = """\
base_model: model
datasets: [{path: some/rows, type: alpaca}]
adapter: lora
lora_r: 16
lora_alpha: 32
lora_target_linear: true
learning_rate: 0.0002
micro_batch_size: 2
sequence_len: 2048
max_steps: 10
bf16: true
gradient_checkpointing: true
output_dir: out
"""


Fit = Callable[..., Ended]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a model's config.json and an axolotl config; no hub."""
    monkeypatch.setenv("FTUI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("PATH", "")  # no driver to ask: a machine without a GPU
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    (tmp_path / "config.yml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


@pytest.fixture
def fit(folder: Path, capfd: pytest.CaptureFixture[str]) -> Fit:
    def call(*arguments: str) -> Ended:
        return ftui(capfd, "fit", *arguments)

    return call


# What it says


def test_a_preset_is_told_with_its_terms_and_the_gpus_it_fits(fit: Fit) -> None:
    ended = fit("llama3-8b-qlora")
    assert ended.code == 0
    assert "weights of the base model" in ended.out
    assert "lowest price" in ended.out
    assert "About " in ended.out
    assert "Prices: " in ended.out


def test_the_document_keeps_the_contract(fit: Fit) -> None:
    document = fit("llama3-8b-qlora", "--json").document
    gib = document["gib_per_gpu"]
    assert gib["low"] < gib["expected"] < gib["high"]
    assert document["fits"]["A100"] is True
    assert sum(document["terms"].values()) == pytest.approx(gib["expected"], abs=0.05)


def test_every_preset_has_an_estimate_or_a_reason_why_not(fit: Fit) -> None:
    for preset in catalogue().presets:
        ended = fit(preset.name, "--json")
        assert ended.code in (0, 3), preset.name
        document = ended.document
        assert (document["gib_per_gpu"] is None) == (ended.code == 3), preset.name
        assert ended.code == 0 or document["why"], preset.name


def test_a_gpu_without_bf16_is_not_the_cheapest_for_a_config_that_insists_on_it(
    fit: Fit, folder: Path
) -> None:
    ended = fit("config.yml")
    [least] = [line for line in ended.out.splitlines() if "lowest price" in line]
    assert "L4" in least
    (folder / "config.yml").write_text(CONFIG.replace("bf16", "fp16"), encoding="utf-8")
    [least] = [line for line in fit("config.yml").out.splitlines() if "lowest price" in line]
    assert "T4" in least


def test_a_config_of_ones_own_is_read_with_its_models_folder(fit: Fit) -> None:
    document = fit("config.yml", "--json").document
    assert 4 < document["gib_per_gpu"]["expected"] < 12


def test_a_run_is_told_with_what_was_measured_of_it(fit: Fit) -> None:
    run = store.create("llama3-8b-qlora")
    settings = find("llama3-8b-qlora").settings
    record = RunRecord(run.name, "llama3-8b-qlora", "", "local", 0.0, settings, gpus=1)
    store.write_record(run, record)
    logged = [{"memory/max_allocated (GiB)": gib, "loss": 1.0} for gib in (8.5, 9.125, 9.0)]
    lines = [
        json.dumps({"v": 1, "ts": step, "event": "log", "step": step, "values": values})
        for step, values in enumerate(logged, 1)
    ]
    run.events_file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    ended = fit(run.name)
    assert "Measured: torch held 9.1 GiB at most" in ended.out
    assert fit(run.name, "--json").document["measured_gib"] == 9.12


# How it ends


@pytest.mark.parametrize(("gpu", "code"), [("rtx 4090", 0), ("rtx 2060", 1), ("h100:8", 0)])
def test_the_exit_code_says_whether_it_fits_the_gpu_asked_for(
    fit: Fit, gpu: str, code: int
) -> None:
    ended = fit("config.yml", "--gpu", gpu)
    assert ended.code == code
    assert ended.out.count("GiB usable") == 1


def test_a_gpu_named_alone_leaves_the_preset_its_number_of_them(fit: Fit) -> None:
    assert "4 GPUs" in fit("llama3-70b-lora-fsdp", "--gpu", "h100").out
    assert "8 GPUs" in fit("llama3-70b-lora-fsdp", "--gpu", "h100:8").out
    assert fit("llama3-70b-lora-fsdp", "--gpu", "h100:8", "--gpus", "2").code == 2


def test_what_does_not_fit_comes_with_what_would_make_it_fit(fit: Fit) -> None:
    ended = fit("llama3-8b-lora", "--gpu", "t4")
    assert ended.code == 1
    assert "It fits with this:" in ended.out
    assert "load_in_4bit: true" in ended.out


def test_what_nothing_helps_is_told_so(fit: Fit) -> None:
    ended = fit("llama3-70b-lora-fsdp", "--gpu", "rtx 2060")
    assert ended.code == 1
    assert "Nothing that ftui knows makes it fit" in ended.out


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("no-such-preset", "there is no preset"),
        ("no/such.yml", "no such file"),
        ("broken.yml", "broken.yml:1"),
        ("unknown.yml", "micro_batch_sise"),
        ("nameless.yml", "base_model"),
    ],
)
def test_what_is_no_config_is_refused(fit: Fit, folder: Path, source: str, told: str) -> None:
    (folder / "broken.yml").write_text("a: [", encoding="utf-8")
    (folder / "unknown.yml").write_text(CONFIG + "micro_batch_sise: 2\n", encoding="utf-8")
    nameless = CONFIG.replace("base_model: model\n", "")
    (folder / "nameless.yml").write_text(nameless, encoding="utf-8")
    ended = fit(source)
    assert ended.code == 2
    assert told in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("gpu", ["", "no such gpu", "h100:0", "h100:x", "none"])
def test_a_gpu_that_is_none_is_refused(fit: Fit, gpu: str) -> None:
    assert fit("config.yml", "--gpu", gpu).code == 2


# What it cannot say


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({**LLAMA, "num_local_experts": 8}, "mixture of 8 experts"),
        ({**LLAMA, "layer_types": ["linear_attention", "full_attention"]}, "hybrid"),
        ({**LLAMA, "is_encoder_decoder": True}, "encoder"),
        ({**LLAMA, "model_type": "bert"}, "writes no text"),
        ({**LLAMA, "architectures": ["BertForMaskedLM"]}, "BertForMaskedLM"),
        ({**LLAMA, "num_key_value_heads": 7}, "cannot share 7 heads"),
        ({**LLAMA, "hidden_size": None}, "hidden_size"),
        ({**LLAMA, "hidden_size": -4}, "hidden_size"),
        ({**LLAMA, "num_hidden_layers": 10**30}, "num_hidden_layers"),
        ({**LLAMA, "vocab_size": "many"}, "vocab_size"),
        ({}, "it has no hidden_size"),
        ([], "no mapping"),
        ("{", "not JSON"),
        (b"\xff\xfe", "UTF-8"),
    ],
)
def test_a_model_that_the_estimate_is_not_for_is_told_apart(
    fit: Fit, folder: Path, document: Any, told: str
) -> None:
    file = folder / "model" / "config.json"
    if isinstance(document, bytes):
        file.write_bytes(document)
    else:
        text = document if isinstance(document, str) else json.dumps(document)
        file.write_text(text, encoding="utf-8")
    ended = fit("config.yml")
    assert ended.code == 3
    assert told in ended.err
    assert "Traceback" not in ended.err


def test_why_it_cannot_say_is_in_the_document_too(fit: Fit, folder: Path) -> None:
    (folder / "model" / "config.json").unlink()
    ended = fit("config.yml", "--json")
    assert ended.code == 3
    assert ended.document["gib_per_gpu"] is None
    assert "config.json" in ended.document["why"]


# The hub


class _Hub(BaseHTTPRequestHandler):
    """A model hub with one open model and one gated one."""

    asked: ClassVar[list[tuple[str, str]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Authorization", "")))
        status = {"/some/open/resolve/main/config.json": 200, "/some/gated/resolve/main/config.json": 401}  # fmt: skip  # noqa: E501
        self.send_response(status.get(self.path, 404))
        self.end_headers()
        self.wfile.write(json.dumps(LLAMA).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str]]]:
    """What is asked of the hub, which runs on loopback."""
    server = HTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    _Hub.asked.clear()
    yield _Hub.asked
    server.shutdown()
    server.server_close()
    thread.join()


def named(folder: Path, base_model: str) -> str:
    """A config for that base model."""
    text = CONFIG.replace("base_model: model", f"base_model: {base_model}")
    (folder / "named.yml").write_text(text, encoding="utf-8")
    return "named.yml"


def test_the_hub_is_asked_with_the_persons_token_for_what_nobody_here_knows(
    fit: Fit, folder: Path, hub: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    ended = fit(named(folder, "some/open"), "--json")
    assert ended.code == 0
    assert hub == [("/some/open/resolve/main/config.json", "Bearer hf_secret")]
    assert "hf_secret" not in ended.out + ended.err


def test_a_gated_and_a_missing_model_are_told_apart(
    fit: Fit, folder: Path, hub: list[tuple[str, str]]
) -> None:
    assert "HF_TOKEN" in fit(named(folder, "some/gated")).err
    assert "404" in fit(named(folder, "some/missing")).err


def test_what_the_hubs_cache_holds_is_not_asked_for(
    fit: Fit, folder: Path, hub: list[tuple[str, str]]
) -> None:
    snapshot = folder / "hub" / "hub" / "models--some--cached" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    assert fit(named(folder, "some/cached")).code == 0
    assert hub == []


def test_without_a_network_the_reason_is_told(fit: Fit, folder: Path) -> None:
    ended = fit(named(folder, "some/open"))
    assert ended.code == 3
    assert "HF_HUB_OFFLINE" in ended.err


# What a target has on offer


def test_what_modal_has_is_told_at_its_list_prices_where_it_cannot_be_asked(fit: Fit) -> None:
    ended = fit("llama3-8b-qlora", "--target", "modal")
    assert ended.code == 0
    assert "Prices: Modal's list of" in ended.out
    assert "RTX-PRO-6000" in ended.out
    assert ended.out.count("lowest price") == 1


def test_the_offers_are_in_the_document_with_what_to_ask_for(fit: Fit) -> None:
    told = json.loads(fit("llama3-8b-qlora", "--target", "modal", "--gpus", "2", "--json").out)
    offer = next(one for one in told["offers"] if one["gpu"] == "H100")
    assert (offer["gpus"], offer["fit"], offer["machine"]) == (2, "fits", {"gpu": "H100"})
    assert told["usd_per_hour"]["H100"] == pytest.approx(offer["usd_per_hour"] / 2, abs=1e-4)
    assert told["prices"].startswith("Modal's list of")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--target", "local"], 2, "rents no machines"),
        (["--target", "moon"], 2, "there is no target 'moon'"),
        (["--target", "modal", "--gpu", "a10"], 2, "give one of them"),
    ],
)
def test_a_target_that_offers_nothing_is_refused(
    fit: Fit, arguments: list[str], code: int, words: str
) -> None:
    ended = fit("llama3-8b-qlora", *arguments)
    assert ended.code == code
    assert words in ended.err


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_where_a_target_cannot_be_asked_the_usual_gpus_are_told(fit: Fit, form: list[str]) -> None:
    ended = fit("llama3-8b-qlora", "--target", "dstack", *form)
    assert ended.code == 0
    for words in (ended.err, ended.out):
        assert "dstack tells no offers: " in words
        assert "not logged in to dstack" in words
    assert "RTX 4090" in ended.out
    assert "Modal's list of" in ended.out


@pytest.mark.parametrize(("gpu", "warned"), [("T4", True), ("B200", False)])
def test_a_launch_warns_of_a_gpu_that_is_too_small(
    gpu: str, warned: bool, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked = ("--preset", "llama3-8b-qlora", "--target", "modal", "--dry-run", "-y")
    ended = ftui(capfd, *asked, "--machine", f"gpu={gpu}", "--set", "sequence_len=65536")
    assert ended.code == 0
    told = re.search(rf"▲ it needs about [\d.]+ GiB .*; {gpu} has [\d.]+ GiB usable", ended.err)
    assert (told is not None) is warned
