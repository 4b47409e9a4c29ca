"""Whether a run on Modal needs the model hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def asks_hub(config: Mapping[str, Any]) -> bool:
    """Whether the base model does not come along."""
    return not str(config.get("base_model", "")).startswith(("./", "/"))
