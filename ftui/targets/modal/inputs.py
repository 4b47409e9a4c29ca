"""Whether a run on Modal needs the model hub."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
"""As in modal_app.py; what comes along begins with `./`."""


def asks_hub(config: Mapping[str, Any]) -> bool:
    """Whether the base model or rows do not come along."""
    if _HUB_NAME.fullmatch(str(config.get("base_model", ""))):
        return True
    entries = [*(config.get("datasets") or ()), *(config.get("test_datasets") or ())]
    paths = [str(one.get("path")) for one in entries if isinstance(one, Mapping)]
    return any("/" in path and _HUB_NAME.fullmatch(path) for path in paths)
