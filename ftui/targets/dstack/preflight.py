"""What must be there before a run is submitted, each with what to do when it is not."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ftui.errors import TargetUnavailable, UsageError
from ftui.targets.dstack import states
from ftui.targets.dstack.api import Api, Json
from ftui.targets.dstack.offers import Offer, offers

FLEET = """type: fleet
name: default
nodes: 0..2
idle_duration: 10m
resources:
  gpu: 0.."""
"""A fleet that costs nothing until a run needs a machine."""


async def refuse_no_fleet(api: Api) -> None:
    """Raises TargetUnavailable when the project has no fleet: no run ever starts there."""
    if not await api.fleets():
        raise TargetUnavailable(
            f"the dstack project {api.login.project!r} has no fleet",
            where=api.login.url,
            why="without one, no run gets a machine",
            hint=f"save this as fleet.dstack.yml, then dstack apply -f fleet.dstack.yml:\n{FLEET}",
        )


async def refuse_taken(api: Api, name: str) -> None:
    """Raises UsageError when another run of that name is at work."""
    other = await api.run(name)
    if other is not None and not states.standing(other).over:
        raise UsageError(
            f"a run named {name!r} is at work in the dstack project {api.login.project!r}",
            where=api.login.url,
            hint=f"see it: dstack ps; end it: dstack stop {name}",
        )


async def missing_secrets(api: Api, wanted: Mapping[str, str]) -> dict[str, str]:
    """Those of the wanted secrets that the project lacks: by variable, the secret's name."""
    known = await api.secrets() if wanted else frozenset()
    return {variable: name for variable, name in wanted.items() if name not in known}


def refuse_missing(missing: Mapping[str, str], needed: Collection[str], where: str) -> None:
    """Raises TargetUnavailable when a secret is missing without which the run fails."""
    for variable, name in missing.items():
        if variable in needed:
            raise TargetUnavailable(
                f"the project has no secret {name!r}, which the run needs as {variable}",
                where=where,
                hint=f'dstack secret set {name} "${variable}"',
            )


def cheapest(plan: Json, asked: str, cap: float) -> Offer:
    """The machine that a run would get. Raises TargetUnavailable when there is none."""
    found = offers(plan)
    if found:
        return found[0]
    raise TargetUnavailable(
        "dstack has no machine for this run now",
        why=f"asked for gpu {asked}, at most ${cap:g}/h",
        hint="dstack offer lists what there is; a busy machine is free again later",
    )
