"""What a run's own function says of it on the volume (modal_app.py, Status)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ftui.runs.model import Run
from ftui.targets.modal.api import Api
from ftui.targets.modal.app import place_of
from ftui.targets.modal.failures import Missing

FILE = "status.json"


async def status(api: Api, run: Run) -> Mapping[str, Any]:
    """status.json; nothing where there is none, or one that cannot be read.

    Raises TargetUnavailable.
    """
    try:
        pieces = [piece async for piece in api.read(f"{place_of(run)}/{FILE}")]
        told = json.loads(b"".join(pieces))
    except (Missing, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
