"""transformers and axolotl make of our facts the models that they describe."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from ftui.plan.models import known_models
from ftui.runtimes.process import quiet_environment

_INSIDE = Path(__file__).parent / "meta_models.py"


def _built() -> dict[str, Any]:
    """What they make of every model, by id; nothing is downloaded."""
    done = subprocess.run(
        [os.environ["FTUI_TRAIN_PYTHON"], str(_INSIDE)],
        input=json.dumps([dataclasses.asdict(model) for model in known_models()]),
        env=quiet_environment() | {"HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        check=True,
        timeout=300,
        text=True,
    )
    built: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])  # axolotl logs before it
    return built


def test_weights_layers_and_fused_code_are_what_the_facts_say() -> None:
    built = _built()
    ours = {
        model.id: {
            "parameters": model.parameters,
            "vision": model.vision.parameters if model.vision else 0,
            "decoder_layers": [model.decoder_layer],
            "lora_kernels": model.lora_kernels,
        }
        for model in known_models()
    }
    assert built == ours
