"""Every failure signature that is known."""

from __future__ import annotations

from ftui.runs.failures import (
    checkpoints,
    config,
    cuda,
    data,
    disk,
    hub,
    launcher,
    memory,
    numbers,
    packages,
    templates,
)
from ftui.runs.failures.signature import Signature

SIGNATURES: tuple[Signature, ...] = (
    *memory.SIGNATURES,
    *disk.SIGNATURES,
    *cuda.SIGNATURES,
    *numbers.SIGNATURES,
    *data.SIGNATURES,
    *templates.SIGNATURES,
    *hub.SIGNATURES,
    *config.SIGNATURES,
    *packages.SIGNATURES,
    *checkpoints.SIGNATURES,
    *launcher.SIGNATURES,
)
