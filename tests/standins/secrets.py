"""Secrets in the environment, and a search for them in every file that ftui leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

NAMES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "WANDB_API_KEY", "OPENAI_API_KEY")


def plant(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Set them; their values, which look like real ones."""
    values = [f"hf_{name[:3]}{'q7Rt' * 8}" for name in NAMES]
    for name, value in zip(NAMES, values, strict=True):
        monkeypatch.setenv(name, value)
    return values


def found(values: list[str], folder: Path) -> list[Path]:
    """The files below the folder that hold one of the values, in whatever part of them."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert files
    return [path for path in files if any(value.encode() in path.read_bytes() for value in values)]
