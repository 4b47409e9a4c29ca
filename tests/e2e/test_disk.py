"""The checkpoints of real trainings are as large as ftui says before they start."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ftui.demo import resolve
from ftui.estimate.checkpoints import disk
from ftui.runtimes.process import quiet_environment
from tests.fixtures.tokens import GOOD
from tests.tools.tiny_model import write_model

TRAIN_ALL = Path(__file__).parents[1] / "tools" / "train_all.py"
RECEIPT = replace(GOOD.receipt, checkpoints=3, checkpoints_kept=2)
SETTINGS: dict[str, Any] = {
    "chat_template": "tokenizer_default",
    "sequence_len": 256,
    "micro_batch_size": 2,
    "gradient_accumulation_steps": 1,
    "max_steps": 3,
    "save_steps": 1,
    "save_total_limit": 2,
    "learning_rate": 0.001,
    "bf16": False,
    "logging_steps": 1,
    "lora_mlp_kernel": False,
    "lora_qkv_kernel": False,
    "lora_o_kernel": False,
    "dataset_prepared_path": "prepared",
}
LORA: dict[str, Any] = {"adapter": "lora", "lora_r": 16, "lora_alpha": 32}
CASES: dict[str, dict[str, Any]] = {
    "full": {"optimizer": "adamw_torch"},
    "full in 8 bits": {"optimizer": "adamw_bnb_8bit"},
    "lora": {"optimizer": "adamw_torch", **LORA, "lora_target_linear": True},
    "lora of two layers": {
        "optimizer": "adamw_torch",
        **LORA,
        "lora_target_modules": ["q_proj", "v_proj"],
    },
    "weights alone": {
        "optimizer": "adamw_torch",
        **LORA,
        "lora_target_linear": True,
        "save_only_model": True,
    },
}


def _write(title: str, folder: Path) -> Path:
    stem = title.replace(" ", "_")
    data = str(resolve("builtin:nl2sql/train.jsonl"))
    config = {
        **SETTINGS,
        **CASES[title],
        "base_model": str(resolve("builtin:nano")),
        "datasets": [{"path": data, "ds_type": "json", "type": "chat_template"}],
        "output_dir": f"{stem}.out",
    }
    path = folder / f"{stem}.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which every case was trained."""
    folder = tmp_path_factory.mktemp("disk")
    write_model(folder / "tiny", vocabulary=1_152)  # what train_all.py gives weights to
    configs = [_write(title, folder) for title in CASES]
    with (folder / "log").open("wb") as log:
        subprocess.run(
            [os.environ["FTUI_TRAIN_PYTHON"], str(TRAIN_ALL), *map(str, configs)],
            cwd=folder,
            env=quiet_environment(),
            stdout=log,
            stderr=log,
            check=True,
            timeout=900,
        )
    return folder


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize("title", CASES)
def test_a_checkpoint_is_within_a_tenth_of_what_is_told(title: str, trained: Path) -> None:
    out = trained / f"{title.replace(' ', '_')}.out"
    needed = disk({**SETTINGS, **CASES[title], "base_model": "builtin:nano"}, RECEIPT)
    assert needed is not None
    assert sorted(folder.name for folder in out.glob("checkpoint-*")) == [
        "checkpoint-2",
        "checkpoint-3",
    ]
    assert needed.checkpoint == pytest.approx(_size(out / "checkpoint-3"), rel=0.1)
    left = _size(out) - (out / "debug.log").stat().st_size
    assert 2 * needed.checkpoint + needed.result == pytest.approx(left, rel=0.1)
