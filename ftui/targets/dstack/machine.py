"""What becomes of a run's machines once the run is over: whether they still cost something."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ftui.errors import TargetUnavailable
from ftui.targets.dstack import states
from ftui.targets.dstack.api import Api, Json, Refused
from ftui.text import counted, duration

_GONE = ("terminating", "terminated")
_OWN = "remote"
_USUAL_SECONDS = 72 * 3600.0
"""How long a fleet that says nothing keeps an unused machine."""
_PATIENCE_SECONDS = 900.0
"""How long giving it back may take after that."""
_MOST_SECONDS = 3600.0
"""The longest that anybody waits for it."""
_OFTEN_SECONDS, _SELDOM_SECONDS = 600.0, 60.0
"""After the first time, the server is asked with the second between two questions."""


@dataclass(frozen=True)
class Left:
    """The machines of a run that is over, as they are now."""

    words: str = ""
    """For people: `its machine is given back (terminated)`; empty when it had none."""
    costs: bool = False
    """Whether they cost something until they are given back."""
    seconds: float = 0.0
    """How long they may be kept unused before that."""
    run: Json = field(default_factory=dict)
    """What the server said of the run."""


async def afterwards(api: Api, run: Json) -> str:
    """A line for people: `its machine is given back (terminating)`; empty when it had none.

    Raises Unreachable.
    """
    return (await left(api, run)).words


async def left(api: Api, run: Json) -> Left:
    """What the server says of the machines that a run was on. Raises Unreachable."""
    machines = [one["job_provisioning_data"] for one in states.newest(run) if _had_machine(one)]
    if not machines:
        return Left()
    try:
        fleets = await api.fleets()
    except Refused:  # nobody must miss the end of a run for it
        return Left()
    return replace(_told([_standing(run, one, fleets) for one in machines]), run=run)


async def given_back(api: Api, known: Left, pause: float) -> str:
    """Wait until the machines of a run that is over are given back; how that ended, in words."""
    began = time.monotonic()
    end = began + min(known.seconds + _PATIENCE_SECONDS, _MOST_SECONDS)
    while known.costs and (now := time.monotonic()) < end:
        await asyncio.sleep(pause if now - began < _OFTEN_SECONDS else _SELDOM_SECONDS)
        with contextlib.suppress(TargetUnavailable):
            known = await left(api, known.run)
    return f"{known.words}; dstack fleet lists it" if known.costs else known.words


@dataclass(frozen=True)
class _Machine:
    status: str
    own: bool
    """Whether it is the fleet's own, by its address: nobody gives it back."""
    price: float = 0.0
    seconds: float = 0.0


def _told(machines: list[_Machine]) -> Left:
    """Of several machines, the words are of the one that lasts longest."""
    last = max(machines, key=lambda one: (one.status not in _GONE, one.seconds))
    one, many = "its machine is", f"its {counted(len(machines), 'machine')} are"
    begin = one if len(machines) == 1 else many
    if last.status in _GONE:
        return Left(f"{begin} given back ({last.status})", last.status != "terminated")
    if last.own:
        return Left(f"{begin} {last.status}; the fleet's own, and not given back")
    dollars = sum(one.price for one in machines if one.status not in _GONE)
    begin = f"{begin} {last.status} (${dollars:.2f}/h)"
    if last.seconds < 0:  # `idle_duration: off`
        return Left(f"{begin}; its fleet keeps it until somebody ends it: dstack fleet")
    words = f"{begin}, and given back when unused for {duration(last.seconds)}"
    return Left(words, costs=True, seconds=last.seconds)


def _had_machine(submission: Json) -> bool:
    return bool(submission.get("job_provisioning_data"))


def _standing(run: Json, data: Json, fleets: Iterable[Json]) -> _Machine:
    own = data.get("backend") == _OWN
    for fleet in fleets:
        for instance in fleet.get("instances") or ():
            if all(instance.get(key) == data.get(key) for key in ("hostname", "region", "backend")):
                seconds = _kept_seconds(run, fleet, instance)
                price = float(data.get("price") or 0.0)
                return _Machine(_status(instance), own, price, seconds)
    return _Machine("terminated", own)


def _status(instance: Json) -> str:
    status = str(instance.get("status", ""))
    lost = status not in _GONE and instance.get("unreachable") is True
    return f"{status} and does not answer" if lost else status


def _kept_seconds(run: Json, fleet: Json, instance: Json) -> float:
    """How long dstack keeps it unused: as its fleet says; no longer than the run that made it."""
    usual = _seconds(fleet.get("spec"), _USUAL_SECONDS)
    if _moment(instance.get("created")) < _moment(run.get("submitted_at")):
        return usual
    return min(usual, _seconds(run.get("run_spec"), usual))


def _seconds(spec: Any, usual: float) -> float:
    configuration = (spec or {}).get("configuration") or {}
    value = configuration.get("idle_duration")
    return float(value) if isinstance(value, int | float) else usual


def _moment(text: Any) -> float:
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0
