"""A model of a few thousand numbers, so that making and training it takes no time."""

from __future__ import annotations

import json
from pathlib import Path

from ftui.demo import shipped


def write_model(folder: Path, vocabulary: int) -> None:
    """The config of one with room for so many tokens; prepare_all.give_weights does the rest."""
    config = json.loads((shipped("builtin:nano") / "config.json").read_text(encoding="utf-8"))
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "head_dim": 8}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    folder.mkdir()
    text = json.dumps({**config, **small, **heads, "vocab_size": vocabulary})
    (folder / "config.json").write_text(text, encoding="utf-8")
