"""What the launcher of a run on Modal tells the process that watches it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Orders:
    """What a launcher tells the supervisor; on its command line, a JSON object."""

    lock: int
    """The two handles of the launcher's claim (runs/lock.py), which it goes on holding."""
    turn: int
    gpu_memory_gib: float
    """What the run needs of each GPU."""
    poll_seconds: float
    """How often Modal is asked."""
    checkpoint: str = ""
    """Where it goes on from: `out/checkpoint-120`; empty: it begins again."""
    told: Mapping[str, Any] = field(default_factory=dict)
    """What the event `launched` says of this try."""
    attach: bool = False
    """Whether to follow only what is at work already, and start nothing."""
