"""Whether the chat template is the model's own is told from what axolotl really trains."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ftui.data.concerns import concerns
from ftui.data.tokens import Tokens
from ftui.demo import resolve
from ftui.runtimes.dataset_worker import DatasetWorker
from tests.tools.tiny_model import write_model

CHAT: dict[str, Any] = {"type": "chat_template"}
PROMPT = "<|im_start|>user\n{instruction}<|im_end|>\n<|im_start|>assistant\n"
BY_HAND: dict[str, Any] = {
    "type": {
        "field_instruction": "instruction",
        "field_output": "output",
        "format": PROMPT,
        "no_input_format": PROMPT,
    }
}
FITS: dict[str, tuple[dict[str, Any], str]] = {
    "its own": (CHAT, "tokenizer_default"),
    "chatml": (CHAT, "chatml"),
    "qwen3": (CHAT, "qwen3"),
    "written by hand": (BY_HAND, ""),
    "plain text": ({"type": "completion", "field": "output"}, ""),
}
"""The entry and the template, for a model that was taught chatml."""
FOREIGN: dict[str, tuple[dict[str, Any], str, str]] = {
    "gemma3": (CHAT, "gemma3", "<end_of_turn> is no token to it"),
    "phi_35": (CHAT, "phi_35", "<|assistant|> is no token to it"),
    "alpaca as a template": (CHAT, "alpaca", "taught to answer after <|im_start|>"),
    "alpaca rows": ({"type": "alpaca"}, "", "taught to answer after <|im_start|>"),
}
ROWS = [
    {
        "messages": [
            {"role": "user", "content": f"ask {number}"},
            {"role": "assistant", "content": "say so"},
        ],
        "instruction": f"ask {number}",
        "output": "say so",
    }
    for number in range(30)
]


@pytest.fixture(scope="module")
def looks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tokens]:
    """What axolotl makes of every case, by title."""
    folder = tmp_path_factory.mktemp("templates")
    write_model(folder / "tiny", vocabulary=1_152)
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    cases = {**FITS, **{title: case[:2] for title, case in FOREIGN.items()}}

    async def ask() -> dict[str, Tokens]:
        async with DatasetWorker() as worker:
            texts = {title: _config(data, *case) for title, case in cases.items()}
            return {title: await worker.look(text, folder, ()) for title, text in texts.items()}

    return asyncio.run(ask())


def _config(data: Path, entry: dict[str, Any], template: str) -> str:
    config = {
        "base_model": "tiny",
        "tokenizer_config": str(resolve("builtin:nano")),
        "datasets": [{"path": str(data), "ds_type": "json", **entry}],
        "sequence_len": 256,
        "micro_batch_size": 1,
        "gradient_accumulation_steps": 1,
        "num_epochs": 1,
        "optimizer": "adamw_torch",
        "learning_rate": 0.001,
        "bf16": False,
        "output_dir": "out",
    }
    return yaml.safe_dump(config | ({"chat_template": template} if template else {}))


def _about_the_template(tokens: Tokens) -> list[str]:
    told = [concern.message for concern in concerns(tokens)]
    return [words for words in told if "template" in words or "taught" in words]


@pytest.mark.parametrize("title", FITS)
def test_a_template_that_fits_gets_no_word(title: str, looks: dict[str, Tokens]) -> None:
    assert looks[title].template.own == ("<|im_start|>",)
    assert _about_the_template(looks[title]) == []


@pytest.mark.parametrize("title", FOREIGN)
def test_a_template_of_another_model_is_told(title: str, looks: dict[str, Tokens]) -> None:
    [told] = _about_the_template(looks[title])
    assert FOREIGN[title][2] in told
