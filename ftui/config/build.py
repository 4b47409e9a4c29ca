"""From a plan to the axolotl config that will run: the preset's settings, resolved.

What this adds to the settings is only what a person would otherwise have to add by hand: absolute
paths, the run folder's own output paths, a seed, ftui's events plugin, and on a CPU what axolotl
needs there. On a GPU nothing is changed.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftui import demo, paths
from ftui.plan.held_out import EVALUATION
from ftui.plan.plan import Plan

EVENTS_PLUGIN = "ftui_events.FtuiEvents"
"""The file that ftui puts into the run folder, and its class."""

OUTPUT = "./out"
"""Where the result goes: into the run folder."""

SEED = 42
"""Without a seed, axolotl shuffles and splits the rows by chance: no receipt could be kept, no run
repeated. transformers' own seed is 42, too."""

_CPU_SETTINGS: dict[str, Any] = {
    # axolotl turns these on by itself for LoRA; then: "Torch not compiled with CUDA enabled".
    "lora_mlp_kernel": False,
    "lora_qkv_kernel": False,
    "lora_o_kernel": False,
    "lora_embedding_kernel": False,
    "bf16": False,  # absent or `auto` would become fp16 on a CPU, in silence
}
_GPU_ONLY = ("fp16", "bfloat16", "float16", "fp8", "tf32", "flash_attention", "xformers_attention")
_CPU_ATTENTION = ("sdpa", "eager")
_CPU_OPTIMIZER = "adamw_torch"
_GPU_OPTIMIZER_MARKS = ("8bit", "4bit", "paged", "fused", "fp8", "bnb")


def build(plan: Plan) -> dict[str, Any]:
    """The axolotl config of a plan; relative paths in it are the run folder's.

    Raises UsageError when a `builtin:` reference names nothing.
    """
    config = copy.deepcopy(dict(plan.settings))
    _resolve_paths(config, plan.preset.path.parent)
    config["output_dir"] = OUTPUT
    config["dataset_prepared_path"] = "./prepared"
    if config.get("seed") is None:
        config["seed"] = SEED
    config["plugins"] = [*_other_plugins(config), EVENTS_PLUGIN]
    return config if plan.gpus else for_cpu(config)


def _other_plugins(config: dict[str, Any]) -> list[Any]:
    plugins = config.get("plugins")
    return [item for item in plugins if item != EVENTS_PLUGIN] if isinstance(plugins, list) else []


def _resolve_paths(config: dict[str, Any], preset_folder: Path) -> None:
    for key in ("base_model", "tokenizer_config", "deepspeed"):
        if key in config:
            config[key] = _resolve(config[key], preset_folder)
    for key in ("datasets", "test_datasets"):
        entries = config.get(key)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and "path" in entry:
                entry["path"] = _resolve(entry["path"], preset_folder)


def _resolve(value: Any, preset_folder: Path) -> Any:
    """An absolute path for what is on this machine; a hub id stays what it is."""
    if not isinstance(value, str):
        return value
    if value.startswith(demo.PREFIX):
        return str(demo.resolve(value))
    found = paths.existing(value, preset_folder) if value else None
    return str(found) if found else value


def for_cpu(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Without what cannot work without a GPU (measured with axolotl 0.19 and 0.21, torch 2.13)."""
    config = dict(settings)
    for key in _GPU_ONLY:
        config.pop(key, None)
    config.update(_CPU_SETTINGS)
    optimizer = config.get("optimizer")
    if optimizer is None or any(mark in str(optimizer) for mark in _GPU_OPTIMIZER_MARKS):
        config["optimizer"] = _CPU_OPTIMIZER
    if config.get("attn_implementation", "sdpa") not in _CPU_ATTENTION:
        config["attn_implementation"] = "sdpa"
    if config.get("load_in_4bit"):
        # bitsandbytes 0.50 repacks 4-bit weights in the first evaluation on a CPU with AVX512-BF16
        # and never back: every gradient after it is wrong (142 of 400 right instead of 395).
        config["val_set_size"] = 0
        for key in ("test_datasets", *EVALUATION):
            config.pop(key, None)
    if isinstance(config.get("gradient_checkpointing"), str):  # `offload` moves to the CPU
        config["gradient_checkpointing"] = True
    return config
