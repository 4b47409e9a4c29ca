"""The steps, evaluations and checkpoints that ftui tells are those of a real training."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ftui.data.tokens import Tokens
from ftui.demo import resolve, shipped
from ftui.runtimes.dataset_worker import DatasetWorker
from ftui.runtimes.process import quiet_environment
from tests.tools.tiny_model import write_model

TRAIN_ALL = Path(__file__).parents[1] / "tools" / "train_all.py"
PLUGIN = "plugins: [note_plugin.Notes]\n"
"""Notes what the trainer does; not in the config that ftui looks at."""
SETTINGS: dict[str, Any] = {
    "base_model": "tiny",
    "sequence_len": 160,
    "micro_batch_size": 2,
    "gradient_accumulation_steps": 1,
    "num_epochs": 1,
    "optimizer": "adamw_torch",
    "learning_rate": 0.001,
    "bf16": False,
    "seed": 42,
    "logging_steps": 1,
}
CASES: dict[str, tuple[int, dict[str, Any]]] = {
    "as it comes": (21, {}),
    "packed": (
        150,
        {
            "sample_packing": True,
            "gradient_accumulation_steps": 2,
            "num_epochs": 1.5,
            "val_set_size": 0.1,
            "evals_per_epoch": 2,
            "saves_per_epoch": 2,
            "warmup_ratio": 0.2,
        },
    ),
    "not packed": (
        37,
        {
            "gradient_accumulation_steps": 3,
            "num_epochs": 2.5,
            "val_set_size": 5,
            "evals_per_epoch": 3,
            "saves_per_epoch": 3,
            "save_total_limit": 2,
        },
    ),
    "so many steps": (
        40,
        {
            "max_steps": 7,
            "num_epochs": 3,
            "warmup_steps": 3,
            "save_steps": 3,
            "eval_steps": 4,
            "val_set_size": 0.1,
            "save_first_step": True,
        },
    ),
    "by epoch": (
        30,
        {
            "num_epochs": 3,
            "micro_batch_size": 4,
            "val_set_size": 4,
            "eval_strategy": "epoch",
            "warmup_ratio": 0.1,
        },
    ),
    "long": (90, {"micro_batch_size": 1, "save_strategy": "no"}),
    "dpo": (
        20,
        {
            "rl": "dpo",
            "num_epochs": 2,
            "max_steps": 6,
            "warmup_ratio": 0.5,
            "val_set_size": 0.1,
            "evals_per_epoch": 2,
            "saves_per_epoch": 1,
        },
    ),
    "kto": (15, {"rl": "kto", "remove_unused_columns": False, "micro_batch_size": 4}),
}
"""By title: so many rows, and what the config says."""


def _rows(count: int, rl: str) -> list[dict[str, Any]]:
    lines = shipped("builtin:nl2sql/train.jsonl").read_text(encoding="utf-8").splitlines()
    chats = [json.loads(line) for line in lines[:count]]
    if not rl:
        return chats
    asked = [row["messages"][1]["content"] for row in chats]
    if rl == "kto":
        return [
            {"question": text, "completion": "SELECT 1", "label": number % 2 == 0}
            for number, text in enumerate(asked)
        ]
    return [{"question": text, "chosen": "SELECT 1", "rejected": "no"} for text in asked]


def _write(title: str, folder: Path) -> Path:
    """The config of a case, for the training."""
    count, settings = CASES[title]
    rl, stem = settings.get("rl", ""), title.replace(" ", "_")
    lines = map(json.dumps, _rows(count, rl))
    (folder / f"{stem}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    kind = "chatml.intel" if rl else "chat_template"
    config = {
        **SETTINGS,
        "tokenizer_config": str(resolve("builtin:nano")),
        "datasets": [{"path": f"{stem}.jsonl", "ds_type": "json", "type": kind}],
        "dataset_prepared_path": f"{stem}.prepared",
        "output_dir": f"{stem}.out",
        **settings,
    }
    path = folder / f"{stem}.yml"
    path.write_text(f"{yaml.safe_dump(config)}{PLUGIN}", encoding="utf-8")
    return path


async def _look(configs: list[Path]) -> list[Tokens]:
    async with DatasetWorker() as worker:
        texts = [config.read_text(encoding="utf-8").removesuffix(PLUGIN) for config in configs]
        return [await worker.look(text, configs[0].parent, ()) for text in texts]


def _train(configs: list[Path], folder: Path) -> None:
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


@pytest.fixture(scope="module")
def told_and_done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Tokens, Any]]:
    """What ftui told and what axolotl did, by title; made once for all tests."""
    folder = tmp_path_factory.mktemp("receipts")
    write_model(folder / "tiny", vocabulary=1_152)
    configs = [_write(title, folder) for title in CASES]
    looks = asyncio.run(_look(configs))
    _train(configs, folder)
    done = []
    for config in configs:
        notes = config.with_suffix(".json")
        assert notes.is_file(), config.with_suffix(".log").read_text()[-2_000:]
        done.append(json.loads(notes.read_text()))
    return dict(zip(CASES, zip(looks, done, strict=True), strict=True))


@pytest.mark.parametrize("title", CASES)
def test_a_training_does_what_the_receipt_says(
    title: str, told_and_done: dict[str, tuple[Tokens, Any]]
) -> None:
    look, done = told_and_done[title]
    receipt = look.receipt
    told = {name: getattr(receipt, name) for name in done if hasattr(receipt, name)}
    told |= {"rows": look.rows.train, "max_steps": receipt.steps}
    assert told == {**done, "epochs": pytest.approx(done["epochs"], abs=0.001)}
    assert receipt.steps_range[0] <= done["steps"] <= receipt.steps_range[1]
