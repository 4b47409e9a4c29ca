"""The vLLM command line: which models a run's folder holds, and how vLLM serves them.

Nothing here starts anything. What vLLM would refuse only after half a minute is refused here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftui.errors import RunFailed
from ftui.plan.hardware import Hardware
from ftui.runs.model import Run

ADAPTER_CONFIG = "adapter_config.json"
_LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The only values that --max-lora-rank takes."""
_CPU_CACHE = "512M"
"""Memory for keys and values on a CPU. Unset, vLLM asks for nearly all the memory there is."""
_CPU_ADAPTERS = "2"
"""One more than there is. On a CPU, vLLM 0.32 gives a request without an adapter the *last* one
whenever another request of its batch has one (index -1 in lora/ops/torch_ops/lora_ops.py): with
one place, asked at the same time, base answered as tuned (370 of 400 right; alone, none). The
second place stays empty, and so changes nothing."""
GPU_MEMORY_SHARE = "0.88"
"""Leaves room for the desktop, and for what vLLM allocates after it has measured."""
_PLAIN_INITS = ("gaussian", "eva", "orthogonal", "mica", "lora_ga")
"""How a LoRA may have begun; PiSSA, LoftQ and others change the base model's weights as well."""


@dataclass(frozen=True)
class ServedModels:
    """What to serve: a base model and an adapter on it, or one whole model alone."""

    model: str
    """A folder or a hub id: the base model, or the whole fine-tuned model when `alone`."""
    adapter: Path | None = None
    rank: int = 0
    chat_template: Path | None = None
    alone: bool = False

    @property
    def local(self) -> bool:
        """Whether the model is on this disk, so that nothing has to be downloaded."""
        return Path(self.model).is_dir()


def models_of(run: Run) -> ServedModels:
    """The models that a run made, read from its config.yml and out/.

    Raises RunFailed when there is nothing to serve, or an adapter that vLLM cannot serve.
    """
    adapter_file = run.output_dir / ADAPTER_CONFIG
    if adapter_file.is_file():
        return ServedModels(
            model=_base_model(run),
            adapter=run.output_dir,
            rank=max_lora_rank(_read_adapter(adapter_file), adapter_file),
            chat_template=_chat_template(run),
        )
    if any(run.output_dir.glob("*.safetensors")):
        return ServedModels(model=str(run.output_dir), alone=True)
    raise RunFailed(
        "this run has made no model yet",
        where=run.name,
        why=f"there is neither {ADAPTER_CONFIG} nor *.safetensors in {run.output_dir}",
        hint=f"see how far it came: ftui watch {run.name}",
    )


def max_lora_rank(adapter: dict[str, Any], where: Path) -> int:
    """The --max-lora-rank for an adapter_config.json. Raises RunFailed if vLLM cannot serve it."""
    why = refusal(adapter)
    if why:
        raise RunFailed(
            "vLLM cannot serve this adapter beside its base model",
            where=str(where),
            why=why,
            hint="merge it into the base model (axolotl merge-lora config.yml) and serve that",
        )
    return next(rank for rank in _LORA_RANKS if rank >= _rank(adapter))


def refusal(adapter: dict[str, Any]) -> str:
    """Why vLLM refuses an adapter with this adapter_config.json; empty when it does not.

    Source: `PEFTHelper.validate_legal` in vllm/lora/peft_helper.py, 0.32.
    """
    saved = ", ".join(adapter.get("modules_to_save") or ())
    init = adapter.get("init_lora_weights")
    reasons = (
        (adapter.get("peft_type", "LORA") != "LORA", "it is not a LoRA adapter"),
        (saved, f"it also trained whole layers ({saved})"),
        (adapter.get("use_dora"), "it uses DoRA"),
        (adapter.get("use_qalora"), "it uses QALoRA"),
        (adapter.get("use_bdlora"), "it is a block-diagonal LoRA"),
        (adapter.get("alora_invocation_tokens"), "it is an activated LoRA (aLoRA)"),
        (adapter.get("layer_replication"), "it repeats layers (layer_replication)"),
        (adapter.get("bias", "none") != "none", "it trained bias terms"),
        (adapter.get("lora_bias"), "it trained bias terms"),
        (
            isinstance(init, str) and init.lower() not in _PLAIN_INITS,
            f"it began from {init}, which changed the base model's weights",
        ),
        (_rank(adapter) > _LORA_RANKS[-1], f"its rank is above {_LORA_RANKS[-1]}"),
    )
    return next((words for holds, words in reasons if holds), "")


def _rank(adapter: dict[str, Any]) -> int:
    """The highest rank in an adapter; single modules may have their own."""
    own_ranks = (adapter.get("rank_pattern") or {}).values()
    return max(int(rank) for rank in (adapter.get("r") or 0, *own_ranks))


def serve_command(
    python: Path, models: ServedModels, port: int, hardware: Hardware
) -> tuple[list[str], dict[str, str]]:
    """The command that serves `models` on 127.0.0.1, and the environment variables it needs."""
    asked = arguments(models, port, 1 if hardware.gpus else 0)
    module = (str(python), "-m", "vllm.entrypoints.cli.main")
    return [*module, *asked], environment(offline=models.local)


def arguments(models: ServedModels, port: int, gpus: int) -> list[str]:
    """What vLLM is told, from `serve` on. It listens on 127.0.0.1; several GPUs share the work."""
    told = [
        *("serve", models.model, "--served-model-name", "tuned" if models.alone else "base"),
        *("--host", "127.0.0.1", "--port", str(port)),
        # The longest conversation that the model knows and the memory holds.
        *("--max-model-len", "auto"),
        "--disable-uvicorn-access-log",
    ]
    if gpus:
        told += ["--gpu-memory-utilization", GPU_MEMORY_SHARE]
    else:
        # Compiling would take longer than it saves: 52-71 s to the first answer instead of 22-44.
        told += ["--enforce-eager", "--kv-cache-memory-bytes", _CPU_CACHE]
    if gpus > 1:
        told += ["--tensor-parallel-size", str(gpus)]
    if models.adapter is not None:
        told += ["--enable-lora", "--lora-modules", f"tuned={models.adapter}"]
        told += ["--max-lora-rank", str(models.rank)]
        if not gpus:
            told += ["--max-loras", _CPU_ADAPTERS]
    if models.chat_template is not None:
        told += ["--chat-template", str(models.chat_template)]
    return told


def environment(*, offline: bool) -> dict[str, str]:
    """Telemetry off, and no hub where the model is on the disk."""
    variables = {
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        # Container images often forbid it; then each of vLLM's three processes compiles all that
        # it imports at each start, in 19 s of CPU time instead of 11.
        "PYTHONDONTWRITEBYTECODE": "",
    }
    return variables | {"HF_HUB_OFFLINE": "1"} if offline else variables


def _chat_template(run: Run) -> Path | None:
    """The template that the run trained with, which axolotl saves beside the adapter.

    vLLM takes the base model's for every request, which may be another one, or none at all.
    """
    saved = run.output_dir / "chat_template.jinja"
    return saved if saved.is_file() else None


def _base_model(run: Run) -> str:
    """The base model as vLLM takes it; a relative folder counts from the run's folder."""
    base = _read_config(run).get("base_model")
    if not isinstance(base, str) or not base:
        raise RunFailed("its config names no base_model", where=str(run.config_file))
    folder = run.folder / Path(base).expanduser()
    if folder.is_dir():
        return str(folder)
    if base.startswith(("/", "~", ".")):
        raise RunFailed(
            "the base model is not where it was when this run trained",
            where=str(run.config_file),
            why=f"there is no folder {folder}",
            hint="put it back, or correct base_model",
        )
    return base


def _read_config(run: Run) -> dict[str, Any]:
    import yaml

    try:
        config = yaml.safe_load(run.config_file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RunFailed(
            "the run's config cannot be read", where=str(run.config_file), why=str(error)
        ) from error
    return config if isinstance(config, dict) else {}


def _read_adapter(file: Path) -> dict[str, Any]:
    try:
        adapter = json.loads(file.read_text(encoding="utf-8"))
        _rank(adapter)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise RunFailed(
            "this is no adapter_config.json of PEFT", where=str(file), why=str(error)
        ) from error
    return dict(adapter)
