"""What must be there before a run is submitted, each with what to do when it is not."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ftui.errors import TargetUnavailable, UsageError
from ftui.plan import gpus
from ftui.plan.offer import Offer
from ftui.targets.dstack import login, states
from ftui.targets.dstack.api import Api, Json, Refused
from ftui.targets.dstack.offers import offers
from ftui.text import counted

_TRIED, _OLDEST = (0, 22), (0, 20)
"""Versions of a server."""
_NEEDED = ("WANDB_API_KEY",)
"""Secrets without which a run that wants them fails. A token of the hub is needed by few."""
FLEET = """type: fleet
name: default
nodes: 0..2
idle_duration: 10m
resources:
  gpu: 0.."""
"""A fleet that costs nothing until a run needs a machine."""


async def version_advice(api: Api) -> list[str]:
    """A line on a server of another version than ftui knows.

    Raises TargetUnavailable for one that is too old to run anything that ftui writes.
    """
    version = await api.version()
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None or (known := (int(found[1]), int(found[2]))) == _TRIED:
        return []
    if known < _OLDEST:
        raise TargetUnavailable(
            f"the dstack server is too old: version {version}",
            where=api.login.url,
            why="files, secrets and fleets are as ftui writes them since 0.20",
            hint='update it where it runs: pip install -U "dstack[all]", and start it again',
        )
    age = "older" if known < _TRIED else "newer"
    return [f"the dstack server is {version}, {age} than what ftui was tried with (0.22)"]


def reached() -> str:
    """Ask the server of the usual login: `project main, http://…, version 0.22.5`.

    Raises TargetUnavailable, also for a login that it refuses.
    """

    async def asked() -> str:
        async with Api(login.find()) as api:
            fleets, version = await api.fleets(), await api.version()
            known = f"project {api.login.project}, {api.login.url}"
            return f"{known}, version {version or 'unknown'}, {counted(len(fleets), 'fleet')}"

    return asyncio.run(asked())


async def refuse_no_fleet(api: Api) -> list[str]:
    """The project's fleets, as a run names them.

    Raises TargetUnavailable when there is none: no run ever starts there.
    """
    if found := await api.fleets():
        return [_reference(fleet, api.login.project) for fleet in found]
    raise TargetUnavailable(
        f"the dstack project {api.login.project!r} has no fleet",
        where=api.login.url,
        why="without one, no run gets a machine",
        hint=f"save this as fleet.dstack.yml, then dstack apply -f fleet.dstack.yml:\n{FLEET}",
    )


def _reference(fleet: Json, project: str) -> str:
    """A fleet's name; that of another project, which lends it, comes before it."""
    name, owner = str(fleet.get("name", "")), str(fleet.get("project_name") or project)
    return name if owner == project else f"{owner}/{name}"


async def refuse_taken(api: Api, name: str) -> None:
    """Raises UsageError when another run of that name is at work."""
    other = await api.run(name)
    if other is not None and not states.standing(other).over:
        raise _taken(name, api.login.url)


def refuse_update(plan: Json, name: str, where: str) -> None:
    """Raises UsageError when a plan would change a run that is at work, instead of starting one."""
    if plan.get("action") not in (None, "create"):
        raise _taken(name, where)


def _taken(name: str, where: str) -> UsageError:
    return UsageError(
        f"a run named {name!r} is at work in the dstack project already",
        where=where,
        hint=f"see it: dstack ps; end it: dstack stop {name}",
    )


@dataclass(frozen=True)
class Secrets:
    """The secrets of a project, as far as anybody tells."""

    names: frozenset[str] = frozenset()
    listed: bool = True
    """Whether the server tells them: not to members of a project who do not manage it."""


async def known_secrets(api: Api, wanted: Mapping[str, str], *, create: bool) -> Secrets:
    """The secrets of the project. `wanted`: by environment variable, the secret's name.

    Those that it lacks are made of this environment's variables first, where a person says so.
    Where nobody tells, those are taken to be there without which the run fails anyway.
    """
    if not wanted:
        return Secrets()
    try:
        known = await api.secrets()
    except Refused as refused:
        if refused.code != "forbidden" or create:
            raise
        needed = {name for variable, name in wanted.items() if variable in _NEEDED}
        return Secrets(frozenset(needed), listed=False)
    for variable, name in wanted.items() if create else ():
        value = os.environ.get(variable)
        if value and name not in known:
            await api.create_secret(name, value)
            known |= {name}
    return Secrets(known)


def refuse_missing(wanted: Mapping[str, str], known: Collection[str], where: str) -> None:
    """Raises TargetUnavailable when a secret is missing without which the run fails."""
    for variable, name in wanted.items():
        if variable in _NEEDED and name not in known:
            raise TargetUnavailable(
                f"the project has no secret {name!r}, which the run needs as {variable}",
                where=where,
                hint=_remedy(variable, name),
            )


def advice(wanted: Mapping[str, str], known: Secrets) -> list[str]:
    """A line on each secret that the project lacks, and that the run may do without."""
    if not known.listed:
        return [
            "only managers of the project are told its secrets, and you are none: no token of the "
            "hub goes along, which a gated model or dataset needs"
        ]
    return [
        f"the project has no secret {name!r} ({variable}), which a gated model or dataset needs: "
        + _remedy(variable, name)
        for variable, name in wanted.items()
        if variable not in _NEEDED and name not in known.names
    ]


def _remedy(variable: str, name: str) -> str:
    by_hand = f'dstack secret set {name} "${variable}"'
    if os.environ.get(variable):
        return f"--machine create_secrets=yes makes it of your {variable}; or {by_hand}"
    return by_hand


def _is_unknown(request: str) -> bool:
    """Whether a request names a card that ftui has never heard of."""
    named = [part for part in request.split(":")[1:] if part[:1].isalpha()]
    try:
        for name in ",".join(named).split(",") if named else ():
            gpus.find(name)
    except UsageError:
        return True
    return False


def cheapest(plan: Json, asked: str, cap: float) -> Offer:
    """The machine that a run would get. Raises TargetUnavailable when there is none."""
    found = offers(plan)
    if found:
        return found[0]
    raise TargetUnavailable(
        "dstack has no machine for this run now",
        why=f"asked for gpu {asked}, at most ${cap:g}/h"
        + ("; ftui knows no GPU of that name" if _is_unknown(asked) else ""),
        hint="dstack offer lists what there is; a busy machine is free again later",
    )
