"""What a run holds, what vLLM is told about it, and what it would refuse."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ftui.errors import RunFailed
from ftui.plan.hardware import Gpu, Hardware
from ftui.runs.model import Run
from ftui.targets.vllm.command import ServedModels, max_lora_rank, models_of, serve_command

CPU = Hardware(cores=2, memory_gib=24)
GPU = Hardware(cores=16, memory_gib=128, gpus=(Gpu("NVIDIA A10", 24, "sm_86"),))


def make_run(folder: Path, adapter: dict[str, Any] | None = None, **config: Any) -> Run:
    run = Run(folder / "run")
    run.output_dir.mkdir(parents=True)
    (folder / "nano").mkdir()
    settings = {"base_model": str(folder / "nano"), **config}
    run.config_file.write_text(yaml.safe_dump(settings))
    if adapter is not None:
        (run.output_dir / "adapter_config.json").write_text(json.dumps(adapter))
    return run


def flags(models: ServedModels, hardware: Hardware) -> dict[str, str]:
    command, _ = serve_command(Path("/serve/bin/python"), models, 8123, hardware)
    return dict(zip(command, [*command[1:], ""], strict=True))


def test_base_and_adapter_are_served_by_one_loopback_server(tmp_path: Path) -> None:
    run = make_run(tmp_path, {"r": 10})
    given = flags(models_of(run), CPU)
    assert given["/serve/bin/python"] == "-m"
    assert given["serve"] == str(tmp_path / "nano")
    assert given["--host"] == "127.0.0.1"
    assert given["--port"] == "8123"
    assert given["--served-model-name"] == "base"
    assert given["--lora-modules"] == f"tuned={run.output_dir}"
    assert given["--max-lora-rank"] == "16"


def test_on_a_cpu_nothing_is_compiled_and_memory_is_bounded(tmp_path: Path) -> None:
    models = models_of(make_run(tmp_path, {"r": 8}))
    assert {"--enforce-eager", "--kv-cache-memory-bytes"} <= set(flags(models, CPU))
    assert "--gpu-memory-utilization" not in flags(models, CPU)
    assert "--gpu-memory-utilization" in flags(models, GPU)
    assert "--enforce-eager" not in flags(models, GPU)


def test_on_a_cpu_an_empty_place_for_an_adapter_keeps_the_base_model_itself(tmp_path: Path) -> None:
    models = models_of(make_run(tmp_path, {"r": 8}))
    assert flags(models, CPU)["--max-loras"] == "2"
    assert "--max-loras" not in flags(models, GPU)


def test_telemetry_is_off_and_the_hub_is_left_alone_for_a_local_model(tmp_path: Path) -> None:
    local = models_of(make_run(tmp_path, {"r": 8}))
    _, variables = serve_command(Path("python"), local, 1, CPU)
    assert variables["VLLM_NO_USAGE_STATS"] == variables["DO_NOT_TRACK"] == "1"
    assert variables["HF_HUB_OFFLINE"] == "1"
    _, variables = serve_command(Path("python"), ServedModels("meta-llama/Llama-3.1-8B"), 1, CPU)
    assert variables["VLLM_NO_USAGE_STATS"] == variables["DO_NOT_TRACK"] == "1"
    assert "HF_HUB_OFFLINE" not in variables


def test_a_full_fine_tune_is_served_alone_as_tuned(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run.output_dir / "model.safetensors").touch()
    models = models_of(run)
    assert models.alone
    given = flags(models, CPU)
    assert given["serve"] == str(run.output_dir)
    assert given["--served-model-name"] == "tuned"
    assert "--enable-lora" not in given


def test_the_template_that_the_run_trained_with_is_the_one_to_chat_with(tmp_path: Path) -> None:
    run = make_run(tmp_path, {"r": 8})
    assert "--chat-template" not in flags(models_of(run), CPU)
    template = run.output_dir / "chat_template.jinja"
    template.write_text("{{ messages }}")
    assert flags(models_of(run), CPU)["--chat-template"] == str(template)


@pytest.mark.parametrize(
    ("adapter", "rank"),
    [
        ({"r": 1}, 1),
        ({"r": 8}, 8),
        ({"r": 9, "rank_pattern": {}}, 16),
        ({"r": 200}, 256),
        ({"r": 8, "rank_pattern": {"q_proj": 33}}, 64),
        ({"r": 512, "init_lora_weights": "gaussian", "bias": "none"}, 512),
    ],
)
def test_the_rank_is_rounded_up_to_one_that_vllm_takes(adapter: dict[str, Any], rank: int) -> None:
    assert max_lora_rank(adapter, Path("adapter_config.json")) == rank


@pytest.mark.parametrize(
    ("trait", "words"),
    [
        ({"modules_to_save": ["embed_tokens", "lm_head"]}, "embed_tokens, lm_head"),
        ({"use_dora": True}, "DoRA"),
        ({"bias": "all"}, "bias"),
        ({"lora_bias": True}, "bias"),
        ({"init_lora_weights": "pissa_niter_4"}, "pissa"),
        ({"use_qalora": True}, "QALoRA"),
        ({"layer_replication": [[0, 4]]}, "layer_replication"),
        ({"alora_invocation_tokens": [1]}, "aLoRA"),
        ({"use_bdlora": {"n": 1}}, "block-diagonal"),
        ({"peft_type": "IA3"}, "not a LoRA"),
        ({"rank_pattern": {"q_proj": 600}}, "512"),
    ],
)
def test_an_adapter_that_vllm_refuses_is_refused_before_it_starts(
    tmp_path: Path, trait: dict[str, Any], words: str
) -> None:
    run = make_run(tmp_path, {"r": 8} | trait)
    with pytest.raises(RunFailed, match=words) as caught:
        models_of(run)
    assert "merge" in caught.value.hint
    assert "adapter_config.json" in caught.value.where


def test_a_run_without_a_model_is_told_so(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with pytest.raises(RunFailed, match="no model yet") as caught:
        models_of(run)
    assert "ftui watch run" in caught.value.hint


def test_a_base_model_that_was_moved_away_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path, {"r": 8}, base_model=str(tmp_path / "gone"))
    with pytest.raises(RunFailed, match="gone"):
        models_of(run)


@pytest.mark.parametrize("text", ["base_model: [", "- a list", "base_model: 3"])
def test_a_broken_config_is_told(tmp_path: Path, text: str) -> None:
    run = make_run(tmp_path, {"r": 8})
    run.config_file.write_text(text)
    with pytest.raises(RunFailed, match=r"config\.yml"):
        models_of(run)


@pytest.mark.parametrize("text", ["{", "[]", '{"r": "many"}'])
def test_a_broken_adapter_is_told(tmp_path: Path, text: str) -> None:
    run = make_run(tmp_path, {})
    (run.output_dir / "adapter_config.json").write_text(text)
    with pytest.raises(RunFailed, match=r"adapter_config\.json"):
        models_of(run)
