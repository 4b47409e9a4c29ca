"""Several machines that train together (`--machine nodes=2`): what keeps a run from that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftui.errors import TargetUnavailable, UsageError
from ftui.targets.dstack.api import Api, Json
from ftui.targets.dstack.preflight import FLEET

_SHARDED = ("fsdp", "fsdp_config", "deepspeed")
"""With one of these, each machine keeps a part of a checkpoint."""


def refuse(gpus: int, config: Mapping[str, Any], checkpoint: str = "", *, volume: str = "") -> None:
    """Raises UsageError for what several machines cannot do together."""
    if not gpus:
        raise UsageError(
            "several machines train together on GPUs alone, and the run is to use none",
            hint="add --gpus 1 (of each machine), or leave out --machine nodes",
        )
    if volume:
        raise UsageError(
            "several machines cannot mount one volume",
            why="it is attached to one machine at a time",
            hint="name models and data by their hub ids",
        )
    sharded = next((key for key in _SHARDED if config.get(key)), None)
    if checkpoint and sharded:
        raise UsageError(
            f"a run on several machines with {sharded} cannot go on from {checkpoint}",
            why="each machine kept its own part of it, and only the first one's came home",
            hint="begin a new run, on one machine, or without sharing the model out",
        )


async def refuse_scattered(api: Api) -> None:
    """Raises TargetUnavailable when no fleet keeps its machines near each other."""
    if any(_keeps_together(fleet) for fleet in await api.fleets()):
        return
    fleet = FLEET.replace("name: default", "name: cluster\nplacement: cluster")
    raise TargetUnavailable(
        f"no fleet of the dstack project {api.login.project!r} keeps its machines together",
        where=api.login.url,
        why="only in one with `placement: cluster` do several machines train together",
        hint=f"save this as fleet.dstack.yml, then dstack apply -f fleet.dstack.yml:\n{fleet}",
    )


def _keeps_together(fleet: Json) -> bool:
    configuration = (fleet.get("spec") or {}).get("configuration") or {}
    return bool(configuration.get("placement") == "cluster")
